"""What a file seems to be, before anything is decided: table, columns, formats, faults."""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

import openpyxl

from services.intake.domain.guessing import Guess, guess, likeness
from services.intake.importing.reading.opening import opened_table
from services.intake.importing.reading.table import REJECTS, Row, Table
from services.intake.importing.reading.workbook import check_parts
from services.intake.importing.rejects import kinds
from services.intake.importing.running import load_mapping, own_formats
from services.kernel.errors import AmendsError, MalformedError

LOOKED_AT: Final = 1_000
"""Rows whose cells are looked at before a dry run."""
SAMPLES: Final = 3
WORDS: Final = 40
"""Most different words of a column that are offered for channels."""
_LONGEST: Final = 80
_UNPACKED: Final = 200
"""Most bytes that one byte of gzip may become, in files above `_FREE`."""
_FREE: Final = 256 * 1024**2
_CHUNK: Final = 1024**2


def inspected(
    path: Path, *, zone: str, encoding: str | None, sheet: str | None
) -> tuple[dict[str, Any], Guess]:
    """Give what the file is, as JSON, and what its columns are guessed to be.

    Raises `MalformedError` for a file that cannot be read as a table.
    """
    require_no_bomb(path)
    with opened_table(path, score=likeness, encoding=encoding, sheet=sheet) as table:
        returned = list(table.header[:2]) in REJECTS.values()
        header = [name for name in table.header[2 if returned else 0 :] if name]
        rows = list(islice(table.rows(), LOOKED_AT))
        found = _told(table, header, rows)
    # Once more, with every column asked for: what a spreadsheet spoilt is then named.
    with opened_table(path, needed=header, encoding=encoding, sheet=sheet) as table:
        found["faults"] = _faults(islice(table.rows(), LOOKED_AT))
    found["sheets"] = _sheets(path) if found["source"]["kind"] == "xlsx" else []
    values = (row.values for row in rows if row.fault is None)
    return found, guess(header, values, zone)


def require_no_bomb(path: Path) -> None:
    """Refuse gzip that becomes absurdly much. Raises `MalformedError`."""
    with path.open("rb") as raw:
        if raw.read(2) != b"\x1f\x8b":
            return
    most = max(_FREE, _UNPACKED * path.stat().st_size)
    try:
        with gzip.open(path) as file:
            size = 0
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    raise MalformedError(
                        "import.bomb",
                        "The file unpacks to far more than any table: send the table"
                        " itself, as CSV or XLSX.",
                    )
    except (OSError, EOFError, zlib.error):
        return  # what is damaged is told by who reads it


def fitting(header: Sequence[str]) -> list[str]:
    """Name amends's own formats whose columns are all there, the one with most first."""
    columns = {name: set(load_mapping(name).columns()) for name in own_formats()}
    fits = [name for name, needed in columns.items() if needed <= set(header)]
    return sorted(fits, key=lambda name: -len(columns[name]))


def _told(table: Table, header: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    good = [row.values for row in rows if row.fault is None]
    columns = []
    for name in header:
        texts = [row[name] for row in good if row[name].strip()]
        words = Counter(texts)
        columns.append(
            {
                "name": name,
                "samples": [each[:_LONGEST] for each in list(words)[:SAMPLES]],
                "words": list(words) if len(words) <= WORDS else [],
            }
        )
    return {
        "source": asdict(table.source),
        "total": table.total,
        "columns": columns,
        "fits": fitting(header),
    }


def _faults(rows: Iterable[Row]) -> list[tuple[int, int, list[str]]]:
    """Give what is wrong with cells: first line, how many rows, each in every language."""
    first: dict[tuple[str, ...], int] = {}
    count: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        if row.fault is None:
            continue
        for told in zip(*(kinds(row.fault, each) for each in REJECTS), strict=True):
            first.setdefault(told, row.line)
            count[told] += 1
    return [(first[told], many, list(told)) for told, many in count.most_common(20)]


def _sheets(path: Path) -> list[str]:
    """Name the sheets of a workbook; none where it comes in gzip."""
    try:
        check_parts(path)
        book = openpyxl.load_workbook(path, read_only=True, keep_links=False)
        try:
            return list(book.sheetnames)
        finally:
            book.close()
    except (AmendsError, OSError, ValueError, KeyError):
        return []
