"""Killed in the middle of an import: every receipt is one case, everybody agrees."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

ROWS = 3_000
IMPORT = (
    sys.executable, "-m", "services.cli", "import", "--format", "cfpb",
    "--batch-size", "100", "--no-wait", "--json",
)  # fmt: skip
COLUMNS = (
    "Date received", "Product", "Sub-product", "Issue", "Sub-issue",
    "Consumer complaint narrative", "Company public response", "Company", "State",
    "ZIP code", "Tags", "Consumer consent provided?", "Submitted via",
    "Date sent to company", "Company response to consumer", "Timely response?",
    "Consumer disputed?", "Complaint ID",
)  # fmt: skip


def write_file(path: Path) -> None:
    """Write complaints in the publisher's columns; all words are ours."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        for number in range(ROWS):
            table.writerow(
                {
                    "Date received": f"2024-01-{number % 28 + 1:02}",
                    "Product": "Credit card" if number % 3 else "Mortgage",
                    "Issue": "Billing dispute",
                    "Company": f"Company {number % 7}",
                    "Submitted via": "Web" if number % 2 else "Phone",
                    "Complaint ID": str(1_000 + number),
                }
            )


def importing(amends: RunningAmends, file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*IMPORT, str(file)],
        env=amends.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


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
    write_file(file)
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
