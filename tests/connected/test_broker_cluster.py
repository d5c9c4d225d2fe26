"""Of three brokers one may die while complaints flow: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.cluster import running_cluster
from tests.support.house import COMPLAINT
from tests.support.running import RunningAmends

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

COMPLAINTS = 30


def test_the_leader_dies_while_complaints_flow(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "nats") as cluster:
        amends = RunningAmends(
            tmp_path / "data",
            {"AMENDS_NATS_URL": cluster.url, "AMENDS_STREAM_REPLICAS": "3"},
        )
        try:
            amends.start()
            amends.until(lambda: ready(amends), "the streams are made")
            receipts: list[str] = []
            third = threading.Event()
            customers = threading.Thread(
                target=hand_in, args=(amends.url, receipts, third)
            )
            customers.start()
            third.wait(60)
            cluster.kill(asyncio.run(cluster.leader("INTAKE")))
            customers.join()
            assert len(receipts) == COMPLAINTS

            with amends.client() as http:
                amends.until(lambda: followed(http), "all have followed")
                cases = Counter(
                    event["case_id"]
                    for event in log_of(http, "handling")
                    if event["type"] == "ComplaintReceived"
                )
                found = http.get("/api/analytics/frequency?group_by=channel").json()
            assert cases == dict.fromkeys(receipts, 1)
            assert [row["count"] for row in found["rows"]] == [COMPLAINTS]
        finally:
            amends.end()


def hand_in(url: str, receipts: list[str], third: threading.Event) -> None:
    """Hand complaints in one after the other; keep the case of each receipt."""
    try:
        with httpx.Client(base_url=url, timeout=60) as http:
            for number in range(COMPLAINTS):
                made = http.post(
                    "/api/intake/complaints",
                    json=COMPLAINT,
                    headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
                )
                if made.status_code == 201:
                    receipts.append(made.json()["case_id"])
                if number == COMPLAINTS // 3:
                    third.set()
    finally:
        third.set()


def ready(amends: RunningAmends) -> bool:
    checks = httpx.get(f"{amends.url}/health/ready").json()["checks"]
    return all(each["ok"] for name, each in checks.items() if name.endswith(".broker"))


def followed(http: httpx.Client) -> bool:
    told = http.get("/api/progress").json()
    return bool(
        told["handling"]["intake"] >= told["intake"]["recorded"] > 0
        and told["analytics"]["handling"] >= told["handling"]["recorded"] > 0
    )


def log_of(http: httpx.Client, service: str) -> list[dict[str, Any]]:
    lines = http.get(f"/api/{service}/log").text.splitlines()
    return [json.loads(line)["event"] for line in lines]
