"""Reads a CSV file strictly and in bounded memory; says where and what is wrong."""

import csv
import gzip
import io
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
"""Most characters of one line of the file."""
_GZIP: Final = b"\x1f\x8b"
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
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


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
def _opened(path: Path) -> Iterator[IO[str]]:
    """Open as UTF-8 text, unpacked where it is gzip, whatever its name."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
            # utf-8-sig: spreadsheets put a byte order mark before the header
            with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as file:
                yield file
    except FileNotFoundError:
        raise NotFoundError(
            "import.no_file", "There is no such file: check its name."
        ) from None
    except (IsADirectoryError, PermissionError):
        raise NotFoundError(
            "import.unreadable_file", "Give a file that you may read."
        ) from None
    except (gzip.BadGzipFile, EOFError, OSError) as error:
        raise MalformedError(
            "import.damaged_file", f"Get the file once more; it is damaged: {error}."
        ) from None


def _records(file: IO[str]) -> Iterator[tuple[int, list[str]]]:
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
        except UnicodeDecodeError as error:
            raise _fault(
                "import.encoding",
                reader.line_num + 1,
                f"or one soon after it is not UTF-8 (byte 0x{error.object[error.start]:02x})",
                "Save the file as UTF-8.",
            ) from None
        yield line, cells
        line = reader.line_num + 1


def _lines(file: IO[str]) -> Iterator[str]:
    number = 0
    while line := file.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise _fault(
                "import.long_line",
                number,
                f"has more than {LINE_LIMIT} characters",
                "Check whether this is a CSV file with ends of lines.",
            )
        yield line


def _fault(
    code: str, line: int, message: str, remedy: str, *, column: str | None = None
) -> MalformedError:
    field = f"line {line}" + (f", {column}" if column else "")
    return MalformedError(code, remedy, errors=[FieldError(field, message, remedy)])
