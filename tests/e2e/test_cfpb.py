"""Real complaints: every count equals one taken from the file without our code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cfpb_counts import counts

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from tests.support.running import RunningAmends

pytestmark = [pytest.mark.e2e, pytest.mark.real_data]

ROWS = 10_221


def sizes(counted: Counter[str]) -> list[int]:
    """Compare groups by their sizes: our codes are not the file's own words."""
    return sorted(counted.values(), reverse=True)


def test_the_whole_file_comes_in_once_and_is_counted_exactly(
    amends: RunningAmends, real_data: Path
) -> None:
    file = real_data / "data" / "cfpb_complaints.csv.gz"
    amends.start()

    def take() -> dict[str, Any]:
        done = amends.run("import", str(file), "--format", "cfpb", "--json")
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    assert take() == {"read": ROWS, "accepted": ROWS, "duplicates": 0, "rejected": 0}
    assert take() == {"read": ROWS, "accepted": 0, "duplicates": ROWS, "rejected": 0}

    wanted = counts(file)
    with amends.client() as client:

        def figure(path: str, **query: str) -> list[dict[str, Any]]:
            answer = client.get(f"/api/analytics/{path}", params=query)
            assert answer.status_code == 200, answer.text
            rows: list[dict[str, Any]] = answer.json()["rows"]
            return rows

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
        assert client.get("/api/progress").json()["handling"]["recorded"] == ROWS
    assert amends.json("analytics", "rebuild")["equal"]
    verified = amends.json("audit", "verify")
    assert [store["sealed_to"] for store in verified["stores"][:2]] == [ROWS, ROWS]
