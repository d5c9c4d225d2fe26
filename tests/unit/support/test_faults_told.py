"""Promises are found by name, their lines read, and told in a table that stays the same."""

from pathlib import Path
from typing import Any

import pytest

from tests.faults.__main__ import figures, good, modules, promise
from tests.faults.guarantees import BEGIN, END, put_into

LINE = "P1 kills=20 lost=0 (prefix=0 middle=0 postfix=0) unknown=3 seconds=60 seed=7"
FOUND: dict[str, Any] = {
    "machine": {
        "cores": 2,
        "cpu": "one of ours",
        "python": "3.11",
        "sqlite": "3.4",
        "nats-server": "2.15",
    },
    "commit": "abc",
    "seed": 7,
    "size": "ci",
    "promises": [
        {
            "name": "P1",
            "promise": "P1: no receipt is lost.",
            "line": LINE,
            "figures": figures(LINE),
            "held": True,
            "skipped": False,
            "control_lost": True,
            "seconds": 60,
            "command": "python -m tests.faults.p01",
        }
    ],
}


def test_a_promise_is_whatever_lies_there_by_its_number(tmp_path: Path) -> None:
    for name in ("p07.py", "p01.py", "load.py", "simulation.py"):
        (tmp_path / name).write_text(f'"""{name[:3]}: it holds.\n\nMore."""\nraise')
    assert modules(tmp_path) == ["p01", "p07", "simulation"]
    assert promise("p07", tmp_path) == "p07: it holds."


def test_every_promise_here_says_what_it_promises() -> None:
    assert {"p01", "p03", "p05", "p06", "p07"} <= set(modules())
    for module in modules():
        said = promise(module)
        assert said.partition(":")[2].strip(), module


def test_a_line_is_read_with_what_stands_in_brackets() -> None:
    assert figures(LINE) == {
        "kills": "20",
        "lost": "0",
        "prefix": "0",
        "middle": "0",
        "postfix": "0",
        "unknown": "3",
        "seconds": "60",
        "seed": "7",
    }


@pytest.mark.parametrize(
    ("held", "control_lost", "all_good"),
    [
        (True, None, True),
        (True, True, True),
        (True, False, False),
        (False, True, False),
    ],
)
def test_a_control_that_does_not_lose_is_a_fault(
    held: bool, control_lost: bool | None, all_good: bool
) -> None:
    assert good([{"held": held, "control_lost": control_lost}]) is all_good


def test_the_table_is_put_between_its_marks_and_again_changes_nothing() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = put_into(page, FOUND)
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "old" not in once.splitlines()
    assert "No receipt is lost." in once
    assert "`kills=20 lost=0 (prefix=0 middle=0 postfix=0) unknown=3`" in once
    assert put_into(once, FOUND) == once


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="marks"):
        put_into("nothing", FOUND)
