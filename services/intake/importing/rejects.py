"""Rows that an import rejected: why, and the file in which they come back."""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from services.intake.importing.reading.table import REJECTS
from services.intake.importing.reasons import translated
from services.kernel.errors import AmendsError, FieldError, MisuseError
from services.kernel.i18n import DEFAULT
from services.kernel.spreadsheets import rearmed, unarmed

_LONGEST: Final = 60
"""Most characters of a value that a reason repeats."""
_LINE: Final = re.compile(r"^line \d+(, )?")
_SHEET_ROWS: Final = 1_000_000
_CELL: Final = 32_767
"""Most characters of a cell of a workbook."""


def reason(
    fault: AmendsError, given: Mapping[str, Any], language: str = DEFAULT
) -> str:
    """Say what is wrong with what was given, and what would be right."""
    told = "; ".join(_told(each, given, language) for each in _faults(fault))
    return f"{fault.code}: {told}"


def kinds(fault: AmendsError, language: str = DEFAULT) -> Iterator[str]:
    """Say each thing that is wrong in words that other rows share."""
    for each in _faults(fault):
        place = _LINE.sub("", each.field)
        message = translated(each.message, language)
        yield f"{fault.code}: {f'{place} {message}'.strip()}"


class _Sheet(Protocol):
    def append(self, cells: Sequence[str]) -> None: ...

    def close(self) -> None: ...


class Rejects:
    """The file of rejected rows, made when the first one comes.

    It can be corrected and imported as it is: its cells are the source's, and none is
    taken for a formula.
    """

    def __init__(
        self,
        stack: ExitStack,
        target: Path | None,
        source: Path,
        header: Sequence[str],
        language: str = DEFAULT,
    ) -> None:
        if target is not None:
            _writable(target, source)
        self.language = language
        self._stack = stack
        self._target = target
        self._header = header
        self._sheet: _Sheet | None = None
        # A file of rejects that was rejected again does not grow columns.
        again = list(header[:2]) in REJECTS.values()
        self._skip = 2 if again else 0

    def write(self, line: int, cells: Sequence[str], reason: str) -> None:
        if self._target is None:
            return
        if self._sheet is None:
            header = [*REJECTS[self.language], *self._header[self._skip :]]
            book = self._target.suffix.lower() == ".xlsx"
            self._sheet = (_XlsxSheet if book else _CsvSheet)(self._target, header)
            self._stack.callback(self._sheet.close)
        self._sheet.append([str(line), reason, *cells[self._skip :]])


class _CsvSheet:
    def __init__(self, target: Path, header: Sequence[str]) -> None:
        # The mark has spreadsheets read it as UTF-8.
        self._file: TextIO = target.open("w", encoding="utf-8-sig", newline="")
        self.append(header)

    def append(self, cells: Sequence[str]) -> None:
        csv.writer(self._file).writerow([unarmed(cell) for cell in cells])

    def close(self) -> None:
        self._file.close()


class _XlsxSheet:
    """Every cell is a text, so that no spreadsheet computes or shortens it."""

    def __init__(self, target: Path, header: Sequence[str]) -> None:
        self._target = target
        self._header = header
        self._book = Workbook(write_only=True)
        self._rows = 0
        self._sheet = self._book.create_sheet()
        self.append(header)

    def append(self, cells: Sequence[str]) -> None:
        if self._rows == _SHEET_ROWS:
            self._sheet, self._rows = self._book.create_sheet(), 0
            self.append(self._header)
        self._rows += 1
        self._sheet.append([self._cell(each) for each in cells])

    def close(self) -> None:
        self._book.save(self._target)

    def _cell(self, text: str) -> Cell:
        shown = ILLEGAL_CHARACTERS_RE.sub("\ufffd", text[:_CELL])
        cell = WriteOnlyCell(self._sheet, shown)
        cell.data_type, cell.number_format = "s", "@"
        return cell


def as_workbook(source: Path, target: Path) -> None:
    """Write a file of rejects that is CSV once more, as a workbook."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        sheet = _XlsxSheet(target, next(rows))
        for cells in rows:
            sheet.append([rearmed(cell) for cell in cells])
        sheet.close()


def _writable(target: Path, source: Path) -> None:
    """Refuse, before anything is sent, a file that could not or must not be written."""
    if target.exists() and target.samefile(source):
        raise MisuseError(
            "import.rejects_is_source",
            "The rejects would overwrite the file that is read: name another one.",
        )
    if target.is_dir() or not os.access(
        target if target.exists() else target.absolute().parent, os.W_OK
    ):
        raise MisuseError(
            "import.rejects_unwritable",
            f"{target} cannot be written: name a file in a folder of yours.",
        )


def _faults(fault: AmendsError) -> list[FieldError]:
    """Give what is wrong with a row; the whole of it where no field is named."""
    return list(fault.errors) or [FieldError("", fault.detail, "")]


def _told(fault: FieldError, given: Mapping[str, Any], language: str) -> str:
    """Say what is wrong with what was given, and what would be right."""
    value = _given(given, fault.field)
    shown = f" {str(value)[:_LONGEST]!r}" if value else ""
    message = translated(fault.message, language).rstrip(".。")
    advice = translated(fault.remedy.rstrip("."), language).rstrip("。")
    if language == DEFAULT:
        remedy = f" ({advice})" if advice else ""
    else:
        remedy = f"（{advice}）" if advice else ""  # noqa: RUF001 Chinese brackets
    return f"{fault.field}{shown} {message}{remedy}".strip()


def _given(given: Mapping[str, Any], path: str) -> object:
    """Look a field up by its column, or by its path in a submission."""
    found: object = given
    for name in [path] if path in given else path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
