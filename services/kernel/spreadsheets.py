"""Tables as files for spreadsheets, CSV and XLSX; no cell of them is ever computed."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast

from services.kernel.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

Kind = Literal["text", "count", "share", "seconds", "moment"]
Cell = str | float | datetime | date | None

CSV: Final = "text/csv; charset=utf-8"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

MOST_LINES: Final = 50_000
"""Lines of a workbook: it is made whole before it is sent. CSV has no limit."""

INVISIBLE: Final = " \xa0\u200b\u200e\u200f\ufeff\u3000"
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 spreadsheets take these too
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_WORD: Final = re.compile("[A-Za-z_/]{1,99}")  # nothing a spreadsheet changes
_LONGEST: Final = 32_767  # characters of a cell of a workbook
_PART: Final = 64 * 1024  # characters of CSV sent together
_DAY: Final = 86_400
_FIRST_YEAR: Final = 1900  # of a workbook's calendar
_FORMATS: Final = {"share": "0.0%", "seconds": "0.00"}
_WIDTH: Final = 18


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `kind` says how its cells are written.

    A share is 0 to 1 and becomes a percentage, seconds become days: `days` is the word
    for them in the heading. A moment is local, without a zone.
    """

    heading: str
    kind: Kind = "text"
    days: str = "days"


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose `rows` are read once; `about` is asked behind the last of them.

    `name` is that of the file, without its ending.
    """

    name: str
    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    about_title: str
    about: Callable[[], Iterable[tuple[str, str]]]


def unarmed(cell: str) -> str:
    """Give a cell that no spreadsheet takes for a formula; `rearmed` gives it back."""
    return f"'{cell}" if _armed(cell.lstrip("'")) else cell


def rearmed(cell: str) -> str:
    """Give the cell that `unarmed` made this of."""
    return cell[1:] if cell.startswith("'") and _armed(cell.lstrip("'")) else cell


def _armed(cell: str) -> bool:
    return cell.startswith(_FORMULA) or cell.lstrip(INVISIBLE).startswith(_FORMULA)


def csv_parts(table: Table) -> Iterator[bytes]:
    """Write the table, then behind an empty line what it is about, as lines with `#`.

    The headings are the first line, as every program expects; a file that was cut off
    lacks its end. The mark at the beginning has spreadsheets read it as UTF-8.
    """
    text = io.StringIO("\ufeff", newline="")
    text.seek(0, io.SEEK_END)
    lines = csv.writer(text)
    lines.writerow([unarmed(_headed(each)) for each in table.columns])
    kinds = [column.kind for column in table.columns]
    for row in table.rows:
        lines.writerow(
            [_plain(cell, kind) for cell, kind in zip(row, kinds, strict=True)]
        )
        if text.tell() >= _PART:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    lines.writerow([])
    for name, value in table.about():
        lines.writerow([f"# {name}", unarmed(value)])
    yield text.getvalue().encode()


def _headed(column: Column) -> str:
    unit = {"share": "%", "seconds": column.days}.get(column.kind)
    return f"{column.heading} ({unit})" if unit else column.heading


def _plain(cell: Cell, kind: Kind) -> str | float:
    if isinstance(cell, str):
        return unarmed(cell)
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, date):
        return cell.isoformat()
    return "" if cell is None else _number(cell, kind)


def _number(number: float, kind: Kind) -> float:
    if kind == "share":
        return round(number * 100, 4)
    if kind == "seconds":
        return round(number / _DAY, 6)
    return int(number) if number == int(number) else number


def xlsx_file(table: Table) -> IO[bytes]:
    """Write a workbook of two sheets, the table and what it is about, onto the disk.

    Closing the file deletes it. Raises `MalformedError` beyond `MOST_LINES`.
    """
    from openpyxl import Workbook  # noqa: PLC0415 costs a start that writes no workbook

    book = Workbook(write_only=True)
    try:
        _write_lines(book.create_sheet(table.title), table)
        about = book.create_sheet(table.about_title)
        about.column_dimensions["A"].width = _WIDTH
        about.column_dimensions["B"].width = 4 * _WIDTH
        for name, value in table.about():
            about.append([_bold(about, name), _cell(about, value, "text")])
    except BaseException:
        for sheet in cast("list[Any]", book.worksheets):
            sheet.close()
            sheet._writer.cleanup()  # noqa: SLF001 else its file would stay
        raise
    file = tempfile.TemporaryFile()  # noqa: SIM115 the caller closes it
    try:
        book.save(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _write_lines(sheet: Any, table: Table) -> None:
    sheet.freeze_panes = "A2"
    for number in range(len(table.columns)):
        sheet.column_dimensions[_letters(number)].width = _WIDTH
    sheet.append(
        [
            _bold(sheet, each.heading if each.kind == "share" else _headed(each))
            for each in table.columns
        ]
    )
    kinds = [column.kind for column in table.columns]
    for number, row in enumerate(table.rows):
        if number == MOST_LINES:
            raise MalformedError(
                "export.too_many_lines",
                f"A workbook has at most {MOST_LINES} lines: take CSV, or filter more.",
            )
        sheet.append(
            [_cell(sheet, cell, kind) for cell, kind in zip(row, kinds, strict=True)]
        )


def _letters(number: int) -> str:
    """Name a column as spreadsheets do: A, B, … Z, AA."""
    first, last = divmod(number, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + last)


def _bold(sheet: WriteOnlyWorksheet, text: str) -> Any:
    from openpyxl.styles import Font  # noqa: PLC0415 as above

    cell = _text(sheet, text)
    cell.font = Font(bold=True)
    return cell


def _cell(sheet: WriteOnlyWorksheet, cell: Cell, kind: Kind) -> Any:
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 as above

    if isinstance(cell, str):
        return cell if _WORD.fullmatch(cell) else _text(sheet, cell)
    if isinstance(cell, date):
        return cell if cell.year >= _FIRST_YEAR else _text(sheet, str(cell))
    if cell is None or kind not in _FORMATS:
        return cell
    number = WriteOnlyCell(sheet, cell / _DAY if kind == "seconds" else cell)
    number.number_format = _FORMATS[kind]
    return number


def _text(sheet: WriteOnlyWorksheet, text: str) -> Any:
    """Make a cell that stays a text even when somebody edits it."""
    from openpyxl.cell import WriteOnlyCell  # noqa: PLC0415 as above

    cell = WriteOnlyCell(sheet, _UNPRINTABLE.sub("\ufffd", text[:_LONGEST]))
    cell.data_type, cell.number_format = "s", "@"
    return cell
