"""Reads CSV: any of four delimiters, titles above the header, faults by line."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

from services.intake.importing.reading.encodings import NAMES, Reopened, encoding_of
from services.intake.importing.reading.table import (
    HEADER_WITHIN,
    REJECTS,
    Row,
    Score,
    Source,
    check_header,
    fault_at,
    header_of,
    row_of,
)
from services.kernel.spreadsheets import rearmed

LINE_LIMIT: Final = 1024**2
"""Most characters of one line of the file."""
DELIMITERS: Final = ",;\t|"
_SEP: Final = "sep="  # Excel's own first line


class Delimited:
    """A CSV file, read to its end once."""

    def __init__(
        self,
        opened: Reopened,
        *,
        needed: Sequence[str],
        score: Score,
        sha256: str,
        encoding: str | None = None,
    ) -> None:
        self._opened = opened
        self._needed = needed
        self._codec = encoding_of(opened, encoding)
        self._delimiter = self._guess(score)
        with self._records() as records:
            first, self.header = header_of(records, score)
        check_header(self.header, needed)
        self.source = Source(
            "csv",
            sha256,
            encoding=NAMES.get(self._codec, self._codec),
            delimiter=self._delimiter,
            header_line=first,
        )
        self.total = sum(1 for _ in self._behind_header())

    def rows(self) -> Iterator[Row]:
        """Read the rows behind the header."""
        returned = self.header[:2] in REJECTS.values()
        for line, cells in self._behind_header():
            given = [rearmed(cell) for cell in cells] if returned else cells
            yield row_of(line, given, self.header, self._needed)

    def _behind_header(self) -> Iterator[tuple[int, list[str]]]:
        with self._records() as records:
            for line, cells in records:
                # A blank line is no row.
                if line > self.source.header_line and cells:
                    yield line, cells

    def _guess(self, score: Score) -> str:
        """Choose the delimiter with the best header, then with the most columns."""
        with self._lines() as lines:
            first = list(islice(lines, HEADER_WITHIN))
        if first and first[0].lower().startswith(_SEP):
            return first[0][len(_SEP)]
        ranks: dict[str, tuple[int, int]] = {}
        for each in DELIMITERS:
            try:
                rows = list(csv.reader(first, delimiter=each))
            except csv.Error:
                rows = []
            named = max((score(row) for row in rows), default=0)
            ranks[each] = (named, sum(len(row) > 1 for row in rows))
        return max(DELIMITERS, key=lambda each: ranks[each])

    @contextmanager
    def _records(self) -> Iterator[Iterator[tuple[int, list[str]]]]:
        with self._lines() as lines:
            yield self._parsed(lines)

    def _parsed(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        """Give (first line, cells) of each record; faults name the line."""
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        line = 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise fault_at(
                    "import.broken_csv",
                    line,
                    f"is not CSV: {error}",
                    "Close every quote and double those inside quotes.",
                ) from None
            told = line == 1 and cells and cells[0].lower().startswith(_SEP)
            yield line, [] if told else cells
            line = reader.line_num + 1

    @contextmanager
    def _lines(self) -> Iterator[Iterator[str]]:
        with (
            self._opened() as file,
            io.TextIOWrapper(file, self._codec, newline="") as text,
        ):
            yield _limited(text)


def _limited(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while line := text.readline(LINE_LIMIT + 1):
        number += 1
        if len(line) > LINE_LIMIT:
            raise fault_at(
                "import.long_line",
                number,
                f"has more than {LINE_LIMIT} characters",
                "Check whether this is a CSV file with ends of lines.",
            )
        yield line
