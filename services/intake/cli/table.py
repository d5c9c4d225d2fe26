"""Reads a CSV file strictly and in bounded memory; says where and what is wrong."""

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    NotFoundError,
)

LINE_LIMIT: Final = 1024**2
"""Most bytes of one line of the file."""
_GZIP: Final = b"\x1f\x8b"
_IGNORED: Final = " \xa0\u200b\u200e\u200f\ufeff\u3000"
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 spreadsheets take these too


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `line` is the line of the file that it begins on, counted from 1.

    `fault` says why its cells cannot be taken.
    """

    line: int
    cells: Sequence[str]
    values: Mapping[str, str]
    fault: AmendsError | None = None


def header_of(path: Path) -> list[str]:
    """Read the names of the columns."""
    with _opened(path) as file:
        for _, cells in _records(file):
            return cells
    raise MalformedError(
        "import.empty", "The file has no header: name its columns in the first line."
    )


def rows_of(path: Path, needed: Sequence[str]) -> Iterator[Row]:
    """Read the rows behind the header.

    Raises `MalformedError` for what spoils the whole file (its encoding, an unclosed
    quote, missing or doubled columns) and gives what spoils one row with that row.
    """
    header = header_of(path)
    _check_header(header, needed)
    with _opened(path) as file:
        records = _records(file)
        next(records, None)
        for line, cells in records:
            if cells:  # a blank line is no row
                yield _row(line, cells, header)


def count_rows(path: Path, needed: Sequence[str]) -> int:
    """Read the file to its end, so that a broken one is refused before it is used."""
    return sum(1 for _ in rows_of(path, needed))


def unarmed(cell: str) -> str:
    """Give a cell that no spreadsheet takes for a formula."""
    armed = cell.startswith(_FORMULA) or cell.lstrip(_IGNORED).startswith(_FORMULA)
    return f"'{cell}" if armed else cell


def _row(line: int, cells: list[str], header: list[str]) -> Row:
    fault = None
    if len(cells) != len(header):
        fault = _fault(
            "import.ragged_row",
            line,
            f"has {len(cells)} cells, the header {len(header)}",
            "Quote cells that hold a comma or a quote.",
        )
    for name, cell in zip(header, cells, strict=False):
        if "\0" in cell:
            fault = _fault(
                "import.nul", line, "holds a NUL character", "Remove it.", column=name
            )
    values = dict(zip(header, cells, strict=True)) if fault is None else {}
    return Row(line, cells, values, fault)


def _check_header(header: Sequence[str], needed: Sequence[str]) -> None:
    if len(needed) > 1 and not set(header) & set(needed):
        raise MalformedError(
            "import.other_file",
            f"The first line names none of the columns {', '.join(needed)}: give a CSV"
            " file with commas and a header, and the --format that fits it.",
        )
    faults = [
        FieldError(name, "is named more than once", "Rename one of the columns.")
        for name in dict.fromkeys(header)
        if header.count(name) > 1
    ]
    faults += [
        FieldError(
            name,
            "is missing",
            "Add the column, or name yours in the mapping file.",
        )
        for name in needed
        if name not in header
    ]
    if faults:
        raise MalformedError(
            "import.header", "Correct the first line of the file.", errors=faults
        )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open the file, unpacked where it is gzip, whatever its name."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else raw as file:
                yield file  # type: ignore[misc] # GzipFile reads as any file
    except FileNotFoundError:
        raise NotFoundError(
            "import.no_file", f"There is no file {path}: check its name."
        ) from None
    except (IsADirectoryError, PermissionError):
        raise NotFoundError(
            "import.unreadable_file",
            f"{path} cannot be read: give a file that you may read.",
        ) from None
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        raise MalformedError(
            "import.damaged_file", f"Get the file once more; it is damaged: {error}."
        ) from None


def _records(file: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Give (first line, cells) of each record; faults name the line."""
    reader = csv.reader(_lines(file), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _fault(
                "import.broken_csv",
                line,
                f"is not CSV: {error}",
                "Close every quote and double those inside quotes.",
            ) from None
        yield line, cells
        line = reader.line_num + 1


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Decode line by line, so that a fault names the very line."""
    number = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise _fault(
                "import.long_line",
                number,
                f"has more than {LINE_LIMIT} bytes",
                "Check whether this is a CSV file with ends of lines.",
            )
        if number == 1:  # spreadsheets put a byte order mark before the header
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _fault(
                "import.encoding",
                number,
                f"is not UTF-8 at byte {error.start + 1}",
                "Save the file as UTF-8 (in a spreadsheet: CSV UTF-8), or convert it:"
                " iconv -f GB18030 -t UTF-8 FILE.",
            ) from None


def _fault(
    code: str, line: int, message: str, remedy: str, *, column: str | None = None
) -> MalformedError:
    field = f"line {line}" + (f", {column}" if column else "")
    return MalformedError(code, remedy, errors=[FieldError(field, message, remedy)])
