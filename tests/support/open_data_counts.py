"""Count receipts straight from cities' and insurers' files, with the csv module alone.

Run by hand: `python tests/support/open_data_counts.py FORMAT FILE`.
"""

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Layout(NamedTuple):
    """What a file calls what we count, and how it writes its dates (strptime)."""

    file: str
    number: str
    received: str
    written: str
    zone: str
    channel: str | None
    channels: dict[str, str]
    category: tuple[str, ...]
    model: tuple[str, ...] = ()
    supplier: str | None = None


LAYOUTS = {
    "boston311": Layout(
        "boston_311_2011.csv.gz", "case_enquiry_id", "open_dt", "%Y-%m-%d %H:%M:%S",
        "America/New_York", "source",
        {"Constituent Call": "phone", "Self Service": "web",
         "Citizens Connect App": "web"},
        ("subject", "reason", "type"),
    ),
    "baltimore311": Layout(
        "baltimore_311.csv.gz", "SRRecordID", "CreatedDate", "%m/%d/%Y %I:%M:%S %p",
        "America/New_York", "MethodReceived", {"Phone": "phone", "Mail": "letter"},
        ("Agency", "SRType"),
    ),
    "sf311": Layout(
        "sanfrancisco_311.csv.gz", "unique_key", "created_date", "%Y-%m-%d %H:%M:%S%z",
        "America/Los_Angeles", "source",
        {"Phone": "phone", "Web": "web", "Mobile/Open311": "web", "Twitter": "social",
         "Email": "email"},
        ("category", "complaint_type", "descriptor"),
    ),
    "nyc311": Layout(
        "nyc_311.csv.gz", "Unique Key", "Created Date", "%Y-%m-%dT%H:%M:%S",
        "America/New_York", "Open Data Channel Type",
        {"PHONE": "phone", "ONLINE": "web", "MOBILE": "web"},
        ("Agency", "Complaint Type", "Descriptor"),
    ),
    "txinsurance": Layout(
        "tx_insurance_complaints.csv.gz", "complaint_number", "received_date",
        "%Y-%m-%d", "America/Chicago", None, {}, ("complaint_type",),
        ("coverage_type", "coverage_level"),
    ),
    "ctinsurance": Layout(
        "ct_insurance_complaints.csv.gz", "file_no", "opened", "%Y-%m-%d",
        "America/New_York", None, {}, ("reason", "subreason"),
        ("coverage", "subcoverage"), "company",
    ),
}  # fmt: skip


def rows(file: Path) -> Iterator[dict[str, str]]:
    """Give each row of the file by its own column names."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        yield from csv.DictReader(text)


def counts(layout: Layout, file: Path) -> dict[str, Counter[str]]:
    """Count complaints by the file's own words; the first row of a number counts.

    Groups of several columns are joined by `|`, without empty ones; '' is an empty cell, or no channel.
    """
    found: dict[str, Counter[str]] = {
        name: Counter()
        for name in ("rows", "complaints", "channel", "instant", "category", "model",
                     "supplier")
    }  # fmt: skip
    seen: set[str] = set()
    for row in rows(file):
        found["rows"]["all"] += 1
        if row[layout.number] in seen:
            continue
        seen.add(row[layout.number])
        found["complaints"]["all"] += 1
        word = row[layout.channel] if layout.channel else ""
        found["channel"][layout.channels.get(word, "")] += 1
        found["instant"][_utc(layout, row[layout.received])] += 1
        found["category"][_joined(row, layout.category)] += 1
        found["model"][_joined(row, layout.model)] += 1
        found["supplier"][row[layout.supplier] if layout.supplier else ""] += 1
    return found


def _utc(layout: Layout, text: str) -> str:
    stated = datetime.strptime(text, layout.written)  # noqa: DTZ007 the zone is below
    if stated.tzinfo is None:
        stated = stated.replace(tzinfo=ZoneInfo(layout.zone))
    return stated.astimezone(timezone(timedelta())).strftime("%Y-%m-%dT%H:%M:%S")


def _joined(row: dict[str, str], columns: tuple[str, ...]) -> str:
    return "|".join(word for column in columns if (word := row[column]))


if __name__ == "__main__":
    everything = counts(LAYOUTS[sys.argv[1]], Path(sys.argv[2]))
    sys.stdout.write(
        json.dumps({name: all_.most_common(20) for name, all_ in everything.items()})
    )
