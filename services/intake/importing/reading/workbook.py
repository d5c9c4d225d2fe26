"""Reads a sheet of an XLSX workbook; evaluates nothing and says what is merged."""

import datetime as dt
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from xml.parsers import expat

import openpyxl
from openpyxl.utils import range_boundaries

from services.intake.importing.reading.table import (
    Row,
    Score,
    Source,
    check_header,
    fault_at,
    header_of,
    rounded,
    row_of,
)
from services.kernel.errors import AmendsError, MalformedError, MisuseError

PARTS: Final = 2_000
"""Most files within a workbook."""
UNPACKED: Final = 1024**3
"""Most bytes of a sheet, unpacked; it is read in a stream."""
IN_MEMORY: Final = 64 * 1024**2
"""Most bytes of any other part, unpacked: texts and styles are read as a whole."""
_MERGED: Final = 10_000
_EXACT: Final = 10**15
"""From here on a spreadsheet's numbers lose their last digits."""
_CHUNK: Final = 64 * 1024


class Workbook:
    """One sheet of a workbook, read to its end once."""

    def __init__(
        self,
        path: Path,
        *,
        needed: Sequence[str],
        score: Score,
        sha256: str,
        sheet: str | None = None,
    ) -> None:
        self._path = path
        self._needed = needed
        with self._opened() as book:
            self._sheet = _chosen(book.sheetnames, sheet)
            part = book[self._sheet]._worksheet_path  # noqa: SLF001 the library has no other way
        with zipfile.ZipFile(path) as packed, packed.open(part) as file:
            self.total, self._merged = _scanned(file)
        first, self.header = header_of(
            (
                (line, [_shown(cell) for cell in cells])
                for line, cells in self._records()
            ),
            score,
        )
        while self.header and not self.header[-1]:
            self.header.pop()
        check_header(self.header, needed)
        self.total = max(0, self.total - first)
        self.source = Source("xlsx", sha256, sheet=self._sheet, header_line=first)

    def rows(self) -> Iterator[Row]:
        """Read the rows behind the header."""
        merged = _Merged(self._merged)
        for line, cells in self._records():
            if line <= self.source.header_line or not any(
                cell.value is not None for cell in cells
            ):
                continue
            yield self._row(line, cells, merged.columns(line))

    def _row(self, line: int, cells: Sequence[Any], merged: dict[int, int]) -> Row:
        width = len(self.header)
        shown = [_shown(cell) for cell in cells]
        while len(shown) > width and not shown[-1]:
            shown.pop()
        shown += [""] * (width - len(shown))
        row = row_of(line, shown, self.header, self._needed)
        for place, name in enumerate(self.header):
            if name not in self._needed or row.fault is not None:
                continue
            cell = cells[place] if place < len(cells) else None
            if fault := _fault(line, name, cell, merged.get(place + 1)):
                return Row(line, shown, {}, fault)
        return row

    def _records(self) -> Iterator[tuple[int, Sequence[Any]]]:
        with self._opened() as book:
            sheet = book[self._sheet]
            sheet.reset_dimensions()  # what the file says of its size is not believed
            yield from enumerate(sheet.iter_rows(), start=1)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        check_parts(self._path)
        with self._path.open("rb") as file:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of styles and extensions
                    book = openpyxl.load_workbook(
                        file, read_only=True, keep_links=False
                    )
                yield book
            except AmendsError:
                raise
            except Exception as error:  # noqa: BLE001 it raises whatever it stumbles over
                raise damaged(error) from None


def check_parts(path: Path) -> None:
    """Refuse, before anything is unpacked, what would not fit; raises `MalformedError`.

    The sizes that a zip file states are the most that is ever unpacked of it.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise damaged(error) from None
    if "xl/workbook.xml" not in {part.filename for part in parts}:
        raise MalformedError(
            "import.no_table",
            "This zip file is no XLSX workbook: unpack it, or save the table as XLSX.",
        )
    sheets = sum(_is_sheet(part) * part.file_size for part in parts)
    others = sum((not _is_sheet(part)) * part.file_size for part in parts if _xml(part))
    if len(parts) > PARTS or sheets > UNPACKED or others > IN_MEMORY:
        raise too_big()


def too_big() -> MalformedError:
    """Say that a workbook unpacks to more than is read."""
    return MalformedError(
        "import.too_big",
        "The workbook unpacks to more than is read: save the table as CSV.",
    )


def damaged(error: Exception) -> MalformedError:
    """Say that a workbook cannot be read."""
    return MalformedError(
        "import.damaged_file",
        f"Save the workbook again; it cannot be read ({type(error).__name__}).",
    )


def _is_sheet(part: zipfile.ZipInfo) -> bool:
    return part.filename.startswith("xl/worksheets/")


def _xml(part: zipfile.ZipInfo) -> bool:
    """Say whether the library reads the part as a whole; pictures it leaves alone."""
    return part.filename.endswith((".xml", ".rels"))


def _chosen(names: Sequence[str], sheet: str | None) -> str:
    if sheet is None and names:
        return names[0]
    if sheet is None or sheet not in names:
        raise MisuseError(
            "import.no_sheet",
            f"The workbook has no sheet {sheet}: choose one of {', '.join(names)}.",
        )
    return sheet


def _scanned(file: IO[bytes]) -> tuple[int, list[tuple[int, int, int, int]]]:
    """Read a sheet to its end: give its rows and its merged ranges.

    A sheet of ours has no document type; one that has could hold entities.
    """
    rows = 0
    merged: list[tuple[int, int, int, int]] = []

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal rows
        local = name.rpartition(":")[2]
        if local == "row":
            rows = max(rows + 1, int(attributes.get("r", 0)))
        elif local == "mergeCell":
            left, top, right, bottom = range_boundaries(attributes["ref"])
            merged.append((top or 1, bottom or 1, left or 1, right or 1))
            if len(merged) > _MERGED:
                raise ValueError("merged cells")

    def doctype(*_: object) -> None:
        raise ValueError("document type")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = doctype
    try:
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk)
        parser.Parse(b"", True)
    except (
        expat.ExpatError,
        zipfile.BadZipFile,
        ValueError,
        KeyError,
        EOFError,
        OSError,
    ) as error:
        raise damaged(error) from None
    return rows, sorted(merged)


class _Merged:
    """Tells of each row, in order, which of its columns are part of a merged range."""

    def __init__(self, ranges: Sequence[tuple[int, int, int, int]]) -> None:
        self._ahead = list(reversed(ranges))
        self._open: list[tuple[int, int, int, int]] = []

    def columns(self, line: int) -> dict[int, int]:
        """Give column, counted from 1, and the row that its range begins on."""
        while self._ahead and self._ahead[-1][0] <= line:
            self._open.append(self._ahead.pop())
        self._open = [each for each in self._open if each[1] >= line]
        return {
            column: top
            for top, _, left, right in self._open
            for column in range(left, min(right, left + 1_000) + 1)
        }


def _fault(
    line: int, name: str, cell: Any, merged: int | None
) -> MalformedError | None:
    if merged is not None:
        return fault_at(
            "import.merged_cells",
            line,
            f"is part of cells merged from line {merged} on",
            "Unmerge them and fill every row.",
            column=name,
        )
    value = None if cell is None else cell.value
    if value is None:
        return None
    if cell.data_type == "f":
        return fault_at(
            "import.formula",
            line,
            "is a formula, and none is evaluated",
            "Copy the column and paste it as values.",
            column=name,
        )
    if cell.data_type == "e":
        return fault_at(
            "import.error_cell",
            line,
            f"holds the error {value}",
            "Mend the cell, or empty it.",
            column=name,
        )
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and abs(value) >= _EXACT:
        return rounded(line, name, f"{value:.2E}")
    return None


def _shown(cell: Any) -> str:
    """Give a cell as text: days and times in the forms that nobody reads in two ways."""
    match cell.value:
        case None:
            return ""
        case bool() as truth:
            return str(truth).upper()
        case float() as number if number.is_integer() and abs(number) < _EXACT:
            return str(int(number))
        case dt.datetime() as at if at.time() == dt.time():
            return at.date().isoformat()
        case dt.datetime() as at:
            return at.isoformat(" ")
        case other:
            return str(other)
