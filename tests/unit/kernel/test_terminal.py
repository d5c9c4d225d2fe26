"""Rows on a terminal and in a pipe: aligned, and no cell ever cut."""

from __future__ import annotations

import json
import os
import sys

import pytest
from rich.cells import cell_len

from services.kernel.terminal import print_rows
from tests.support.terminal import on_a_terminal

COLUMNS = {"id": "id", "who": "who", "until": "until", "channel": "channel", "n": "n"}
ROWS = [
    {
        "id": "01a20167-ac97-7700-bc6b-1e289f6ae76c",
        "who": "林燕 (department_head)",
        "until": "2027-01-31T00:00:00.000000Z",
        "channel": "",
        "n": "9",
    },
    {
        "id": "01a20167-afec-7700-bc6b-1e2abc7a67dc",
        "who": "agent",
        "until": "",
        "channel": "",
        "n": "10",
    },
]
SCRIPT = (
    "import json, sys; from services.kernel.terminal import print_rows;"
    "print_rows(*json.loads(sys.argv[1]), numbers={'n'})"
)


def seen(columns: int) -> list[str]:
    command = [sys.executable, "-c", SCRIPT, json.dumps([COLUMNS, ROWS])]
    said = on_a_terminal(command, columns=columns, environment=os.environ)
    return said.splitlines()


def whole(lines: list[str]) -> bool:
    said = "\n".join(lines)
    return all(cell in said for row in ROWS for cell in row.values())


def test_in_a_pipe_a_row_is_a_line_with_all_its_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_rows(COLUMNS, ROWS, numbers={"n"})
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == list(COLUMNS.values())
    assert len(lines) == 2
    assert whole(lines)
    assert all(line.isprintable() for line in lines)


def test_a_wide_terminal_has_aligned_columns_without_the_empty_ones() -> None:
    heading, *lines = seen(120)
    assert heading.split() == ["id", "who", "until", "n"]
    assert whole(lines)
    assert len({cell_len(line) for line in lines}) == 1  # Chinese is twice as wide


@pytest.mark.parametrize("columns", [30, 80])
def test_a_narrow_terminal_has_a_line_for_each_cell(columns: int) -> None:
    lines = seen(columns)
    assert whole(lines)
    assert lines.count("") == 1
    assert f"until  {ROWS[0]['until']}" in lines


def test_a_row_may_have_a_narrow_form_of_its_own() -> None:
    script = SCRIPT.replace("numbers={'n'}", "narrow=lambda row: 'n=' + row['n']")
    command = [sys.executable, "-c", script, json.dumps([COLUMNS, ROWS])]
    said = on_a_terminal(command, columns=80, environment=os.environ)
    assert said == "n=9\nn=10\n"
