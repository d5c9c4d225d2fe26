"""What every kind of table has: a header, rows with their places, faults by name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from services.kernel.errors import AmendsError, FieldError, MalformedError
from services.kernel.spreadsheets import INVISIBLE

HEADER_WITHIN: Final = 20
"""Rows among which the header is looked for; titles stand above it."""
REJECTS: Final = {"en": ["line", "reason"], "zh_CN": ["行", "原因"]}
"""The columns that stand before the others in a file of rejected rows."""
COLUMNS: Final = 1_000
"""Most columns of a table."""
_ROUNDED: Final = re.compile(r"[+-]?[0-9](\.[0-9]+)?[eE]\+?[0-9]{2,3}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `line` is the line of the file that it begins on, counted from 1.

    `fault` says why its cells cannot be taken.
    """

    line: int
    cells: Sequence[str]
    values: Mapping[str, str]
    fault: AmendsError | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a table was read from, and as what."""

    kind: str
    """csv, xlsx or jsonl"""
    sha256: str
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    header_line: int = 1


class Table(Protocol):
    """A table that was read to its end once: whatever spoils all of it was refused."""

    @property
    def source(self) -> Source:
        """What it was read from."""

    @property
    def header(self) -> Sequence[str]:
        """The names of the columns; some may be empty."""

    @property
    def total(self) -> int:
        """How many rows there are, give or take blank ones."""

    def rows(self) -> Iterator[Row]:
        """Read the rows behind the header."""


Score = Callable[[Sequence[str]], int]
"""Says how much a row looks like the header that is looked for."""


def naming(needed: Iterable[str]) -> Score:
    """Score a row by how many of the needed columns it names."""
    wanted = set(needed)
    return lambda cells: len(wanted & set(named(cells)))


def named(cells: Sequence[str]) -> list[str]:
    """Give names of columns without the spaces around them."""
    return [cell.strip(f"{INVISIBLE}\r\n\t") for cell in cells]


def header_of(
    records: Iterable[tuple[int, Sequence[str]]], score: Score
) -> tuple[int, list[str]]:
    """Find the header: of the first rows the one with the best score."""
    best: tuple[int, int, list[str]] | None = None
    seen = 0
    for line, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if best is None or score(cells) > best[0]:
            best = (score(cells), line, named(cells))
        seen += 1
        if seen == HEADER_WITHIN:
            break
    if best is None:
        raise MalformedError(
            "import.empty",
            "The file has no header: name its columns in the first line.",
        )
    return best[1], best[2]


def check_header(header: Sequence[str], needed: Sequence[str]) -> None:
    """Raise `MalformedError` where columns are missing or named twice."""
    if len(needed) > 1 and not set(header) & set(needed):
        raise MalformedError(
            "import.other_file",
            f"No line names any of the columns {', '.join(needed)}: give a file with a"
            " header, and the --format that fits it.",
        )
    if len(header) > COLUMNS:
        raise MalformedError(
            "import.columns", f"Leave at most {COLUMNS} columns in the file."
        )
    faults = [
        FieldError(name, "is named more than once", "Rename one of the columns.")
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
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
            "import.header", "Correct the header of the file.", errors=faults
        )


def row_of(
    line: int, cells: Sequence[str], header: Sequence[str], needed: Sequence[str]
) -> Row:
    """Make a row of the cells, with what is wrong in them."""
    fault = None
    if len(cells) != len(header):
        fault = fault_at(
            "import.ragged_row",
            line,
            f"has {len(cells)} cells, the header {len(header)}",
            "Quote cells that hold a comma or a quote.",
        )
    for name, cell in zip(header, cells, strict=False):
        if "\0" in cell:
            fault = fault_at(
                "import.nul", line, "holds a NUL character", "Remove it.", column=name
            )
        elif name in needed and _ROUNDED.fullmatch(cell.strip()):
            fault = rounded(line, name, cell.strip())
    values = dict(zip(header, cells, strict=True)) if fault is None else {}
    return Row(line, cells, values, fault)


def rounded(line: int, column: str, shown: str) -> MalformedError:
    """Say that a spreadsheet made a long number shorter: its last digits are lost."""
    return fault_at(
        "import.rounded_number",
        line,
        f"holds {shown}, which a spreadsheet has rounded",
        "Format the column as text where it comes from and export it again.",
        column=column,
    )


def fault_at(
    code: str, line: int, message: str, remedy: str, *, column: str | None = None
) -> MalformedError:
    """Name a place of the file and what is wrong there."""
    field = f"line {line}" + (f", {column}" if column else "")
    return MalformedError(code, remedy, errors=[FieldError(field, message, remedy)])
