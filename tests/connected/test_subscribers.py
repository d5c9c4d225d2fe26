"""The subscribers that the documentation shows keep each event once, whoever kills them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.house import House
from tests.support.running import RunningAmends

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.connected, pytest.mark.e2e]

SHOWN = Path(__file__).parents[2] / "docs/how-to/follow"
DEPARTMENT = "quality"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    amends = RunningAmends(tmp_path_factory.mktemp("subscribed") / "data", forked=True)
    try:
        amends.start()
        house = House(amends)
        yield house
        house.http.close()
    finally:
        amends.end()


class Subscriber:
    """One of the programs, as its reader would run it, and what it has kept."""

    def __init__(self, program: str, house: House, folder: Path) -> None:
        self.kept = folder / "kept"
        self._house = house
        where = house.amends.url
        if program == "over_nats.py":
            where = str(folder / "access.json")
            Path(where).write_text(json.dumps(house.access(DEPARTMENT)))
        runner = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}
        token = house.by("department_handler", DEPARTMENT).removeprefix("Bearer ")
        self._command = [
            runner[Path(program).suffix], str(SHOWN / program), where, str(self.kept)
        ]  # fmt: skip
        self._environment = {
            **{k: v for k, v in os.environ.items() if "proxy" not in k.lower()},
            "FEED_TOKEN": token,
        }
        self._log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the shell has a curl
            )

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def events(self) -> list[dict[str, Any]]:
        if not self.kept.exists():
            return []
        if self._command[0] == sys.executable:
            return self._rows()
        files = sorted(self.kept.glob("*.json")) if self.kept.is_dir() else [self.kept]
        pages = [
            json.loads(line)
            for file in files
            for line in file.read_text().splitlines(keepends=True)
            if line.endswith("\n") or file.suffix == ".json"
        ]
        return [event for page in pages for event in page["events"]]

    def _rows(self) -> list[dict[str, Any]]:
        kept = sqlite3.connect(self.kept)
        try:
            rows = kept.execute("SELECT event FROM events ORDER BY position").fetchall()
        except sqlite3.OperationalError:  # it has made no table yet
            return []
        finally:
            kept.close()
        return [json.loads(event) for (event,) in rows]

    def has(self, number: int) -> None:
        """Wait until so many are kept; tell the program's own words if it has ended."""

        def enough() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self._log.read_text()
            return len(self.events()) >= number

        self._house.amends.until(enough, f"{number} events kept")


@pytest.mark.parametrize(
    "program", ["over_nats.py", "over_http.py", "over_http.mjs", "over_http.sh"]
)
def test_killed_and_started_again_it_has_every_event_once(
    house: House, tmp_path: Path, program: str
) -> None:
    if program.endswith(".mjs") and shutil.which("node") is None:
        pytest.skip("no node here: the subscriber in JavaScript is not proved")
    subscriber = Subscriber(program, house, tmp_path)
    by = house.by("quality", DEPARTMENT)
    try:
        told = len(feed(house))
        house.assigned()  # while nobody listens
        subscriber.start()
        subscriber.has(told + 1)
        receipt = house.assigned()  # and live
        subscriber.has(told + 2)
        for _ in range(3):
            subscriber.kill()  # whatever it is doing just now
            subscriber.start()
            assert house.command(house.assigned(), "sign-for", by=by).is_success
        assert house.command(receipt, "sign-for", by=by).is_success
        subscriber.has(len(feed(house)))
        subscriber.kill()
        house.assigned()
        subscriber.start()
        subscriber.has(len(feed(house)))
    finally:
        subscriber.kill()
    assert subscriber.events() == feed(house)


def test_they_go_on_when_amends_comes_back(house: House, tmp_path: Path) -> None:
    """All at once, for amends starts slowly."""
    programs = ["over_http.py", "over_http.sh"]
    if shutil.which("node"):
        programs.append("over_http.mjs")
    subscribers = []
    try:
        for program in programs:
            folder = tmp_path / program
            folder.mkdir()
            subscribers.append(Subscriber(program, house, folder))
            subscribers[-1].start()
            subscribers[-1].has(len(feed(house)))
        house.amends.kill()
        house.amends.start()
        house.http.close()
        house.http = house.amends.client()
        house.assigned()
        for subscriber in subscribers:
            subscriber.has(len(feed(house)))
            assert subscriber.events() == feed(house)
    finally:
        for subscriber in subscribers:
            subscriber.kill()


def feed(house: House) -> list[dict[str, Any]]:
    """Give the department's whole feed."""
    query = {"department": DEPARTMENT, "limit": "500"}
    page = house.http.get("/api/handling/feed", params=query).json()
    assert not page["more"]
    events: list[dict[str, Any]] = page["events"]
    return events
