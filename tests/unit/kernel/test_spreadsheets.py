"""Files for spreadsheets: nothing in them is computed, everything can be read back."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from services.kernel import spreadsheets
from services.kernel.errors import MalformedError
from services.kernel.spreadsheets import (
    Column,
    Table,
    csv_parts,
    rearmed,
    unarmed,
    xlsx_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

HOSTILE = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "＝HYPERLINK",  # noqa: RUF001 spreadsheets take it for =
    "#REF!",
    "TRUE",
    "0012",
    "6.22E+17",
    'a,"b"\nc',
    "投诉",
    "'=1",
]
COLUMNS = [
    Column("类别"),
    Column("Count", "count"),
    Column("Share", "share"),
    Column("Median", "seconds", days="天"),
    Column("Received", "moment"),
]
ROW = ["quality/leak", 3, 0.125, 129_600, datetime(2026, 1, 31, 10, 30)]  # noqa: DTZ001 local


def table(rows: Iterable[Sequence[Any]], columns: Sequence[Column] = COLUMNS) -> Table:
    return Table(
        name="backlog-7",
        title="Backlog",
        columns=columns,
        rows=rows,
        about_title="说明",
        about=lambda: [("Only: Lot", "=1+1"), ("Position", "7")],
    )


def texts(words: Sequence[str]) -> Table:
    return table([[word] for word in words], [Column("=Code")])


def csv_of(table: Table) -> str:
    return b"".join(csv_parts(table)).decode()


def test_no_cell_is_a_formula(real_data: Path) -> None:
    cells = json.loads((real_data / "badinput/own/csv_formula.json").read_bytes())
    payloads = (real_data / "badinput/csv-injection/csv-payload.txt").read_text("utf-8")
    for cell in [*(each["cell"] for each in cells), *payloads.splitlines()]:
        shown = unarmed(cell)
        assert not shown.lstrip(" \xa0\t\r").startswith(("=", "+", "-", "@"))
        assert shown in {cell, f"'{cell}"}
        assert rearmed(shown) == cell


def test_csv_is_marked_as_utf_8_and_its_numbers_are_numbers() -> None:
    written = csv_of(table([ROW, ["a", -2, None, None, date(2026, 2, 1)]]))
    assert written.startswith("\ufeff类别,Count,Share (%),Median (天),Received\r\n")
    rows = list(csv.reader(io.StringIO(written.lstrip("\ufeff"))))
    assert rows[1:3] == [
        ["quality/leak", "3", "12.5", "1.5", "2026-01-31 10:30:00"],
        ["a", "-2", "", "", "2026-02-01"],
    ]
    assert rows[3:] == [[], ["# Only: Lot", "'=1+1"], ["# Position", "7"]]


def test_a_program_that_skips_comments_reads_nothing_but_the_table() -> None:
    lines = csv_of(table([ROW])).splitlines()
    read = [line for line in lines if line and not line.startswith("#")]
    assert len(read) == 2


def test_hostile_codes_are_text_in_csv() -> None:
    rows = list(csv.reader(io.StringIO(csv_of(texts(HOSTILE)).lstrip("\ufeff"))))
    shown = [row[0] for row in rows[: len(HOSTILE) + 1]]
    assert [rearmed(cell) for cell in shown] == ["=Code", *HOSTILE]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "＝")) for cell in shown)  # noqa: RUF001 as above


def test_csv_comes_in_parts_and_its_end_says_that_it_is_whole() -> None:
    """Not even a part is longer for more rows: memory stays the same."""
    parts = list(csv_parts(table([ROW] * 20_000)))
    assert len(parts) > 10
    assert max(map(len, parts)) < 2 * min(map(len, parts[:-1]))
    assert parts[-1].endswith(b"# Position,7\r\n")


def test_hostile_codes_are_text_in_a_workbook() -> None:
    with xlsx_file(texts(HOSTILE)) as file:
        book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["Backlog", "说明"]
    cells = [row[0] for row in book["Backlog"].iter_rows()]
    assert [cell.value for cell in cells] == ["=Code", *HOSTILE]
    assert {cell.data_type for cell in cells} == {"s"}
    about = [[cell.value for cell in row] for row in book["说明"].iter_rows()]
    assert about == [["Only: Lot", "=1+1"], ["Position", "7"]]
    assert book["说明"]["B1"].data_type == "s"


def test_what_xml_cannot_hold_is_marked_and_what_is_too_long_is_cut() -> None:
    with xlsx_file(texts(["a\x00b\x1f", "x" * 40_000])) as file:
        sheet = openpyxl.load_workbook(file)["Backlog"]
    assert sheet["A2"].value == "a\ufffdb\ufffd"
    assert len(sheet["A3"].value) == 32_767


def test_a_workbook_has_real_percentages_durations_and_dates() -> None:
    old = ["b", 1, 1.0, None, date(1850, 1, 1)]
    with xlsx_file(table([ROW, old])) as file:
        sheet = openpyxl.load_workbook(file)["Backlog"]
    headings = [cell.value for cell in sheet[1]]
    assert headings == ["类别", "Count", "Share", "Median (天)", "Received"]
    assert [cell.value for cell in sheet[2]] == [*ROW[:3], 1.5, ROW[4]]
    assert sheet["C2"].number_format == "0.0%"
    assert sheet["E3"].value == "1850-01-01", "before a workbook's first day"
    assert sheet.freeze_panes == "A2"


def test_a_workbook_that_would_be_too_long_is_refused_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_LINES", 50)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with xlsx_file(table([[1]] * 50, [Column("Count", "count")])) as file:
        assert file.read(2) == b"PK"
    with pytest.raises(MalformedError, match="take CSV"):
        xlsx_file(table(([each] for each in range(51)), [Column("Count", "count")]))
    assert list(tmp_path.iterdir()) == []


def test_a_wide_table_has_columns_behind_z() -> None:
    wide = [Column(f"C{number}") for number in range(30)]
    with xlsx_file(table([["x"] * 30], wide)) as file:
        sheet = openpyxl.load_workbook(file)["Backlog"]
    assert sheet["AD1"].value == "C29"
