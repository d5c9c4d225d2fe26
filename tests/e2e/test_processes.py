"""Three services in processes of their own, behind the shipped proxy as one origin."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from services.building import SERVICES
from tests.support.browsing import hidden
from tests.support.importing import importing, write_complaints
from tests.support.processes import Processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin") is None,
        reason="NGINX IS MISSING: the shipped proxy is not tested (apt install nginx)",
    ),
]

ROWS = 400
COMPLAINT = {
    "channel": "web",
    "statement": "The washing machine leaks.",
    "contact": {"name": "Wang Fang", "email": "wang@example.org"},
    "demand": ["repair"],
    "category": "product/leak",
}
PASSWORD = "correct horse battery staple"  # noqa: S105 of nobody


@pytest.fixture(params=["sqlite", "postgres"])
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    """Give the processes, started: on PostgreSQL there are two of each service."""
    environment, each = {}, 1
    if request.param == "postgres":
        server: str = request.getfixturevalue("postgres_url")
        name = f"amends_processes_{os.getpid()}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        environment["AMENDS_DATABASE_URL"] = f"{server.rsplit('/', 1)[0]}/{name}"
        each = 2
    running = Processes(tmp_path, environment, each=each)
    try:
        running.start()
        yield running
    finally:
        running.end()


def figures(processes: Processes) -> dict[str, int]:
    path = "/api/analytics/frequency?group_by=channel"
    found = processes.ask("analytics", path).json()
    return {row["channel"]: row["count"] for row in found["rows"]}


def one_origin(processes: Processes) -> None:
    """Submit, see the case, count it, sign in at the desk: all through the proxy."""
    with processes.client() as browser:
        receipt = browser.post(
            "/api/intake/complaints",
            json=COMPLAINT,
            headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
        )
        assert receipt.status_code == 201, receipt.text
        made: dict[str, Any] = receipt.json()
        processes.cli.until(processes.followed, "all have followed")
        assert browser.get(made["status_url"]).json()["state"] == "RECEIVED"
        shown = processes.cli.json("case", "show", made["receipt_no"])
        assert shown["case_id"] == made["case_id"]
        assert figures(processes) == {"web": 1}

        processes.cli.run(
            "access", "user", "create", "--login", "ann", "--name", "Ann",
            "--role", "agent", "--password-stdin", given=PASSWORD,
        )  # fmt: skip
        door = browser.get("/desk")
        assert door.url.path == "/access/login"
        fields = {
            "csrf": hidden(door.text, "csrf"),
            "next": hidden(door.text, "next"),
            "login": "ann",
            "password": PASSWORD,
        }
        desk = browser.post("/access/login", data=fields)
        assert (desk.status_code, desk.url.path) == (200, "/desk")
        # The session that handling made is known to the others, and so is who leaves.
        words = browser.get(f"/desk/cases/{made['case_id']}")
        assert words.status_code == 200
        assert "Ann" in browser.get("/insight").text
        assert "Ann" in browser.get("/").text
        for page in (desk, browser.get("/insight"), browser.get("/")):
            for asset in re.findall(r'"(/static/[^"]+)"', page.text):
                assert browser.get(asset).status_code == 200, asset
        for inside in ("/health/ready", "/metrics", "/api/progress"):
            assert browser.get(inside).status_code == 404
        processes.cli.run("access", "user", "depart", "ann")
        assert "Ann" not in browser.get("/insight").text


def killed_in_the_middle(processes: Processes, file: Path) -> None:
    """Kill each service once while a file comes in; in the end all agree."""
    write_complaints(file, ROWS)
    client = importing(processes.cli, file)

    def received(number: int) -> bool:
        recorded: int = processes.progress()["intake"]["recorded"]
        return recorded > number

    processes.cli.until(lambda: received(ROWS // 6), "the import has begun")
    for name in ("handling", "analytics"):
        processes.parts[name].kill()
        processes.start_services()
    processes.parts["intake"].kill()
    client.wait()
    processes.start_services()
    again = processes.cli.run("import", str(file), "--format", "cfpb", "--json")
    summary = json.loads(again.stdout)
    assert (summary["read"], summary["rejected"]) == (ROWS, 0)
    processes.cli.until(processes.followed, "all have followed")
    receipts = [line["event"] for line in log_of(processes, "intake")]
    cases = [line["event"] for line in log_of(processes, "handling")]
    assert len(receipts) == ROWS + 1
    received_there = [case for case in cases if case["type"] == "ComplaintReceived"]
    assert sorted(map(json.dumps, receipts)) == sorted(map(json.dumps, received_there))
    assert figures(processes) == {"web": ROWS // 2 + 1, "phone": ROWS // 2}


def restarted_one_after_the_other(processes: Processes) -> None:
    """Restart both intakes while complaints come in: each gets its receipt."""
    stopped = threading.Event()
    statuses: list[int] = []

    def customers() -> None:
        with processes.client() as browser:
            while not stopped.is_set():
                made = browser.post(
                    "/api/intake/complaints",
                    json=COMPLAINT,
                    headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
                )
                statuses.append(made.status_code)

    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(customers) for _ in range(4)]
        try:
            for name in ("intake", "intake 2"):
                processes.restart(name)
        finally:
            stopped.set()
        for each in sending:
            each.result()
    assert set(statuses) == {201}
    assert len(log_of(processes, "intake")) == ROWS + 1 + len(statuses)


def log_of(processes: Processes, service: str) -> list[dict[str, Any]]:
    lines = processes.ask(service, f"/api/{service}/log").text.splitlines()
    return [json.loads(line) for line in lines]


def test_three_processes_are_one_amends(processes: Processes, tmp_path: Path) -> None:
    one_origin(processes)
    killed_in_the_middle(processes, tmp_path / "complaints.csv")

    if len(processes.parts) > len(SERVICES):
        restarted_one_after_the_other(processes)
    else:  # on SQLite nobody else may write
        for verb in (("up",), ("run", "intake", "--port", "0")):
            refused = processes.cli.run(*verb, check=False)
            assert refused.returncode == 1
            assert str(processes.parts["intake"].process.pid) in refused.stderr

    running = [part.process for part in processes.parts.values()]
    for process in running:
        process.send_signal(signal.SIGINT)
    assert [process.wait(60) for process in running] == [0] * len(running)
    faults = [
        line
        for part in processes.parts.values()
        for line in part.log.read_text().splitlines()
        if '"level": "error"' in line or "Traceback" in line
    ]
    assert faults == []
