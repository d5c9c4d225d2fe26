"""Count what cities' and insurers' files state of the past, with nothing of ours.

Run by hand: `python tests/support/open_data_histories.py FORMAT FILE`.
"""

import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

Row = dict[str, str]
UPHELD = {"Confirmed": "upheld", "Not Confirmed": "not_upheld"}
RIGHT = {
    "Company Position Overturned": "upheld",
    "Company Position Substantiated": "not_upheld",
}


class Past(NamedTuple):
    """Where a file states the past: number, dates and how they are written, the end."""

    number: str
    received: str
    closed: str
    written: str
    ended: Callable[[Row], bool]
    result: str | None = None
    outcomes: dict[str, str] = {}  # noqa: RUF012 never changed
    none: tuple[str, ...] = ("",)
    """Words of `result` that state none."""
    due: str | None = None
    verdict: str | None = None
    """The column that says OVERDUE or ONTIME."""


PASTS = {
    "boston311": Past(
        "case_enquiry_id", "open_dt", "closed_dt", "%Y-%m-%d %H:%M:%S",
        lambda row: row["case_status"] == "Closed", due="target_dt", verdict="ontime",
    ),
    "baltimore311": Past(
        "SRRecordID", "CreatedDate", "CloseDate", "%m/%d/%Y %I:%M:%S %p",
        lambda row: row["SRStatus"][:6] == "Closed", due="DueDate",
    ),
    "sf311": Past(
        "unique_key", "created_date", "closed_date", "%Y-%m-%d %H:%M:%S%z",
        lambda row: row["status"] == "Closed",
    ),
    "nyc311": Past(
        "Unique Key", "Created Date", "Closed Date", "%Y-%m-%dT%H:%M:%S",
        lambda row: row["Status"] == "Closed",
    ),
    "txinsurance": Past(
        "complaint_number", "received_date", "closed_date", "%Y-%m-%d",
        lambda row: row["closed_date"] != "", "finding_type", UPHELD,
    ),
    "ctinsurance": Past(
        "file_no", "opened", "closed", "%Y-%m-%d",
        lambda row: row["status"] == "Closed", "disposition", RIGHT,
        ("", "Complaint Withdrawn"),
    ),
}  # fmt: skip


def histories(past: Past, file: Path) -> Counter[str]:
    """Count deadlines by day, verdicts, closings by year, results by outcome, and closings before the receipt."""
    found: Counter[str] = Counter()
    seen: set[str] = set()
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            if row[past.number] in seen:
                continue
            seen.add(row[past.number])
            if past.result and row[past.result] not in past.none:
                outcome = past.outcomes.get(row[past.result], "not said")
                found[f"resolved {outcome}"] += 1
            verdict = row[past.verdict] if past.verdict else ""
            if past.due and row[past.due]:
                due = datetime.strptime(row[past.due], past.written)  # noqa: DTZ007 no zone
                if _skipped(due):
                    found["contradictions"] += 1
                else:
                    found[f"due {due:%Y-%m-%d}"] += 1
            if verdict:
                found[verdict] += 1
            if past.ended(row):
                received, closed = (
                    datetime.strptime(row[name], past.written)  # noqa: DTZ007 both alike
                    for name in (past.received, past.closed)
                )
                found["closed"] += 1
                found[f"closed {closed:%Y}"] += 1
                found["contradictions"] += closed < received
    return found


def _skipped(stated: datetime) -> bool:
    """Tell whether clocks of the east coast skipped this time; both cities lie there."""
    there = stated.replace(tzinfo=ZoneInfo("America/New_York"))
    again = there.astimezone(ZoneInfo("UTC")).astimezone(there.tzinfo)
    return again.replace(tzinfo=None) != stated


if __name__ == "__main__":
    told = histories(PASTS[sys.argv[1]], Path(sys.argv[2]))
    sys.stdout.write(json.dumps(dict(sorted(told.items())), indent=1))
