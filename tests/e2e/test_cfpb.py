"""Real complaints: every count equals one taken from the file without our code."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.cfpb_counts import counts, histories

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.support.running import RunningAmends

pytestmark = [pytest.mark.e2e, pytest.mark.real_data]

ROWS = 10_221
AGAIN = 1_000
"""Rows that are taken a second time."""


def sizes(counted: Counter[str]) -> list[int]:
    """Compare groups by their sizes: our codes are not the file's own words."""
    return sorted(counted.values(), reverse=True)


def beginning(file: Path, folder: Path, *, rows: int) -> Path:
    """Write the first rows of the file once more; words may hold line ends."""
    first = folder / "first.csv"
    with (
        gzip.open(file, "rt", encoding="utf-8", newline="") as text,
        first.open("w", encoding="utf-8", newline="") as to,
    ):
        csv.writer(to).writerows(islice(csv.reader(text), rows + 1))
    return first


def stated(client: httpx.Client) -> Counter[str]:
    """Count what handling's events say of the past, by the words of `histories`."""
    found: Counter[str] = Counter()
    known: dict[str, str] = {}  # the latest dated fact of each case
    for line in client.get("/api/handling/log").text.splitlines():
        event = json.loads(line)["event"]
        case, at, data = event["case_id"], event["occurred_at"], event["data"]
        assert event["origin"] == "migration"
        match event["type"]:
            case "ComplaintReceived":
                known[case] = at
                found["open"] += 1
            case "DepartmentAssigned":
                day = datetime.fromisoformat(at).astimezone(
                    ZoneInfo("America/New_York")
                )
                assert (event["occurred_precision"], day.hour) == ("day", 0)
                found["sent"] += 1
                found[f"{day.date()} sent"] += 1
                found["sent before received"] += at < known[case]
                known[case] = max(known[case], at)
            case _:
                assert event["occurred_precision"] == "not_before"
                assert at == known[case]
        match event["type"]:
            case "ComplaintResolved":
                assert "outcome" not in data  # no response is a finding
                found["closed"] += 1
                found[re.sub(r"-[0-9a-f]{8}$", "", data["stated_as"])] += 1
            case "ComplaintAppealed":
                found["disputed"] += 1
            case "ComplaintClosed":
                found["open"] -= 1
                decided = data["reason"] == "migrated"
                found["ended" if decided else "ended undecided"] += 1
    return found


def test_the_whole_file_comes_in_once_and_is_counted_exactly(
    amends: RunningAmends, real_data: Path, tmp_path: Path
) -> None:
    file = real_data / "data" / "cfpb_complaints.csv.gz"
    amends.start()

    def take(table: Path) -> dict[str, Any]:
        done = amends.run(
            "import", str(table), "--format", "cfpb", "--history", "--json"
        )
        summary: dict[str, Any] = json.loads(done.stdout)
        assert summary.pop("source")["encoding"] == "UTF-8"
        return summary

    past = histories(file)
    whole, again = take(file), take(beginning(file, tmp_path, rows=AGAIN))
    told = whole["histories"].pop("contradictory")
    assert len(told) == past["sent before received"]
    assert whole.pop("histories") == {
        "recorded": ROWS,
        "duplicates": 0,
        "refused": 0,
        "contradictions": past["sent before received"],
    }
    assert whole.pop("batch") != again.pop("batch")
    assert whole == {"read": ROWS, "accepted": ROWS, "duplicates": 0, "rejected": 0}
    histories_again = again.pop("histories")
    assert (histories_again["recorded"], histories_again["duplicates"]) == (0, AGAIN)
    assert again == {"read": AGAIN, "accepted": 0, "duplicates": AGAIN, "rejected": 0}

    wanted = counts(file)
    total = ROWS + past["sent"] + past["closed"] * 2 + past["disputed"]
    with amends.client() as client:

        def figure(path: str, **query: str) -> list[dict[str, Any]]:
            answer = client.get(f"/api/analytics/{path}", params=query)
            assert answer.status_code == 200, answer.text
            rows: list[dict[str, Any]] = answer.json()["rows"]
            return rows

        assert stated(client) == Counter(
            {
                name.replace(" ", "-") if name.startswith("Closed ") else name: count
                for name, count in past.items()
            }
        )
        channels = figure("frequency", group_by="channel")
        assert {row["channel"]: row["count"] for row in channels} == wanted["channel"]
        months = figure("frequency", group_by="period", period="month")
        assert {row["period"]: row["count"] for row in months} == wanted["month"]
        for group, words in (("product", "model"), ("supplier", "company")):
            rows = figure("frequency", group_by=group)
            found = sorted((row["count"] for row in rows), reverse=True)
            assert found == sizes(wanted[words])
        causes = figure("root-causes", basis="reported")
        assert [row["count"] for row in causes] == sizes(wanted["cause"])
        assert len(client.get("/api/intake/log").text.splitlines()) == ROWS
        assert client.get("/api/progress").json()["handling"]["recorded"] == total
        states = figure("frequency", group_by="state")
        assert {row["state"]: row["count"] for row in states} == {
            "CLOSED": past["closed"],
            "ASSIGNED": past["open"],
        }
        live = client.get("/api/handling/cases", params={"origin": "live"}).json()
        assert live["total"] == 0
    assert amends.json("analytics", "rebuild")["equal"]
    verified = amends.json("audit", "verify")
    assert [store["sealed_to"] for store in verified["stores"][:2]] == [ROWS, total]
