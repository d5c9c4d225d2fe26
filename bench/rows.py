"""Complaints as rows of a file, as many as wanted: `python -m bench.rows 1000000 FILE.csv.gz`.

The columns are those of the format `cfpb`; every row has an identifier of its own.
"""

from __future__ import annotations

import csv
import gzip
import io
import random
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER: Final = (
    "Date received",
    "Product",
    "Sub-product",
    "Issue",
    "Sub-issue",
    "Consumer complaint narrative",
    "Company",
    "Submitted via",
    "Date sent to company",
    "Company response to consumer",
    "Consumer disputed?",
    "Complaint ID",
)
_VIA: Final = ("Web", "Phone", "Postal mail", "Fax", "Email", "Referral")
_ANSWERS: Final = ("Closed with explanation", "Closed with relief", "In progress")
_WORDS: Final = [
    "the",
    "bill",
    "was",
    "wrong",
    "and",
    "nobody",
    "answered",
    "when",
    "I",
    "called",
    "to",
    "ask",
    "about",
    "the",
    "charge",
    "that",
    "appears",
    "again",
    "every",
    "month",
    "although",
    "the",
    "account",
    "was",
    "closed",
    "in",
    "spring",
]


def rows(count: int, seed: int = 1, first: int = 1) -> Iterator[tuple[str, ...]]:
    """Give so many rows, the same again for the same seed."""
    chance = random.Random(seed)  # noqa: S311 it must repeat
    for number in range(first, first + count):
        day = date(2012, 1, 1) + timedelta(days=number % 4_000)
        answer = chance.choice(_ANSWERS)
        yield (
            day.isoformat(),
            f"Product {number % 12}",
            f"Kind {number % 5}",
            f"Issue {number % 60}",
            f"Detail {number % 7}",
            " ".join(chance.choices(_WORDS, k=20)),
            f"Company {number % 900}",
            _VIA[number % len(_VIA)],
            (day + timedelta(days=number % 9)).isoformat(),
            answer,
            "N/A" if answer == "In progress" else ("No", "Yes")[number % 17 == 0],
            str(number),
        )


def write(target: Path, count: int, seed: int = 1, first: int = 1) -> None:
    """Write a CSV file, packed where its name ends in `.gz`."""
    with target.open("wb") as raw:
        packed = target.suffix == ".gz"
        under = (
            gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1) if packed else raw
        )
        with io.TextIOWrapper(under, encoding="utf-8", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(HEADER)
            sheet.writerows(rows(count, seed, first))


if __name__ == "__main__":
    write(Path(sys.argv[2]), int(sys.argv[1]))
