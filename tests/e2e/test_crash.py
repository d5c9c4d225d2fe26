"""Killed in the middle of an import: every receipt is one case, everybody agrees."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.importing import importing, write_complaints

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

ROWS = 1_200


def log_of(amends: RunningAmends, service: str) -> list[dict[str, Any]]:
    with amends.client() as client:
        lines = client.get(f"/api/{service}/log").text.splitlines()
    return [json.loads(line) for line in lines]


def received(amends: RunningAmends) -> int:
    with amends.client() as client:
        count: int = client.get("/api/progress").json()["intake"]["recorded"]
        return count


def followed(amends: RunningAmends) -> bool:
    with amends.client() as client:
        progress = client.get("/api/progress").json()
    return (
        progress["handling"]["intake"] >= progress["intake"]["recorded"]
        and progress["analytics"]["handling"] >= progress["handling"]["recorded"] > 0
    )


def broker_of(amends: RunningAmends) -> int:
    assert amends.process is not None
    pid = amends.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123 one line
        return int(children.read().split()[0])


def test_everybody_agrees_after_amends_and_its_broker_were_killed(
    amends_on_either: RunningAmends, tmp_path: Path
) -> None:
    amends = amends_on_either
    file = tmp_path / "complaints.csv"
    write_complaints(file, ROWS)
    amends.start()

    client = importing(amends, file)
    amends.until(lambda: received(amends) > ROWS // 10, "the import has begun")
    os.kill(broker_of(amends), signal.SIGKILL)
    amends.until(lambda: received(amends) > ROWS // 3, "it goes on without a broker")
    amends.kill()
    client.wait()

    amends.start()
    before = received(amends)
    assert 0 < before < ROWS
    summary = json.loads(
        amends.run("import", str(file), "--format", "cfpb", "--json").stdout
    )
    # What had been received is known again; the rest is taken now.
    assert summary["read"] == ROWS
    assert (summary["duplicates"], summary["accepted"]) == (before, ROWS - before)
    amends.until(lambda: followed(amends), "all have followed")

    intake, handling = log_of(amends, "intake"), log_of(amends, "handling")
    assert len(intake) == ROWS
    assert len({line["case_id"] for line in handling}) == ROWS
    assert sorted(json.dumps(line["event"]) for line in intake) == sorted(
        json.dumps(line["event"]) for line in handling
    )
    figure = amends.json("analytics", "frequency", "group_by=channel")
    counts = {row["channel"]: row["count"] for row in figure["rows"]}
    assert counts == {"web": ROWS // 2, "phone": ROWS // 2}
    assert amends.json("analytics", "rebuild")["equal"]
    assert amends.json("audit", "verify")["ok"]
