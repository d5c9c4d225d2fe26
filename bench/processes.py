"""Three `amends run` processes on SQLite with a broker of their own, and their CPU time.

What else is measured end to end looks the same from outside: see `Pipeline`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import httpx
import nats

from bench.machine import cpu_seconds
from services.kernel.broker.server import find_binary, kept_seed
from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from nats.aio.client import Client

SERVICES: Final = ("intake", "handling", "analytics")
PATIENCE: Final = 600.0
"""Seconds; only a hang reaches them, on a machine however busy."""

_BROKER: Final = """
server_name: bench
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor}"
max_payload: 2MB
jetstream {{ store_dir: "{store}", max_mem: 64MB, max_file: 1TB, sync_interval: always }}
{more}
"""


class Pipeline(Protocol):
    """What takes complaints from a bus, until analytics has committed them."""

    programs: Programs

    def pids(self) -> Mapping[str, int]:
        """Give the processes by name, the broker among them."""

    def committed(self) -> int:
        """Count the complaints that have come to the end."""

    def quiet(self) -> None:
        """Wait until all that follows from what was taken is done."""

    async def connect(self) -> Client:
        """Connect to its bus as one of its own services."""


class Programs:
    """Programs that end with the block, each with a log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self, name: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 our own programs
                words,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=dying_with_us(),  # noqa: PLW1509 see there
            )

    def end(self) -> None:
        """End them as Ctrl-C does, the last one first."""
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def until(self, happened: Callable[[], Any], what: str) -> None:
        """Wait for something, and for no program to have ended meanwhile."""
        ends = time.monotonic() + PATIENCE
        while not happened():
            self.require_alive()
            if time.monotonic() > ends:
                raise RuntimeError(f"never: {what}")
            time.sleep(0.05)

    def require_alive(self) -> None:
        """Raise, with what it said at last, where a program has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                told = (self.folder / f"{name}.log").read_text()[-2_000:]
                raise RuntimeError(f"{name} ended: {told}")

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self.running.items()}


class Amends:
    """The three services, set up as the how-to says, without the proxy."""

    def __init__(
        self,
        folder: Path,
        *,
        module: str = "services.cli",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.data = folder, folder / "data"
        self.module = module
        self.ports = {name: free_port() for name in SERVICES}
        self._broker, self._monitor = free_port(), free_port()
        self._seed = folder / "amends.nk"
        kept_seed(self._seed)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AMENDS_")},
            "AMENDS_DATA": str(self.data),
            "AMENDS_LOG_FORMAT": "json",
            "AMENDS_NATS_URL": f"nats://127.0.0.1:{self._broker}",
            "AMENDS_NATS_MONITOR_URL": f"http://127.0.0.1:{self._monitor}",
            "AMENDS_NATS_CREDENTIALS": str(self._seed),
            **{
                f"AMENDS_{name.upper()}_URL": f"http://127.0.0.1:{port}"
                for name, port in self.ports.items()
            },
            **(environment or {}),
        }
        self.programs = Programs(folder)

    @contextlib.contextmanager
    def running(self) -> Iterator[Amends]:
        """Provision, start broker and services, and end them with the block."""
        try:
            self.verb("provision", check=False)  # the accounts, before the broker is up
            accounts = self.data / "departments" / "accounts.conf"
            (self.folder / "accounts.conf").symlink_to(accounts)
            start_broker(
                self.programs,
                self._broker,
                self._monitor,
                more='include "accounts.conf"',
            )
            self.verb("provision")
            for name in SERVICES:
                words = [sys.executable, "-m", self.module, "run", name]
                self.programs.start(name, words, self.environment)
            for name in SERVICES:
                url = f"http://127.0.0.1:{self.ports[name]}/health/ready"
                self.programs.until(partial(answers, url), f"{name} answers")
            yield self
        finally:
            self.programs.end()

    def verb(self, *words: str, check: bool = True) -> str:
        """Run a verb of `amends`, and give what it printed."""
        done = subprocess.run(  # noqa: S603 our own program
            [sys.executable, "-m", "services.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if check and done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def client(self, service: str, token: str | None = None) -> httpx.Client:
        """Give a client of one service; without a token, with that of services."""
        shown = token or (self.data / "services.token").read_text().strip()
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.ports[service]}",
            headers={"Authorization": f"Bearer {shown}"},
            timeout=PATIENCE,
            trust_env=False,
        )

    def pids(self) -> Mapping[str, int]:
        return self.programs.pids()

    def committed(self) -> int:
        rows = self.rows("analytics/facts", "SELECT complete_to FROM analytics_state")
        return int(rows[0][0]) if rows else 0

    async def connect(self) -> Client:
        return await nats.connect(
            self.environment["AMENDS_NATS_URL"],
            nkeys_seed=str(self._seed),
            pending_size=64 << 20,
        )

    def rows(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Read a database with nothing of ours in between."""
        return rows_of(self.data / f"{database}.sqlite", query)

    def joined(self, query: str) -> list[tuple[Any, ...]]:
        """Read intake's store, with handling's attached as `handling`."""
        path = self.data / "handling" / "store.sqlite"
        with contextlib.closing(
            sqlite3.connect(f"file:{self.data}/intake/store.sqlite?mode=ro", uri=True)
        ) as db:
            db.execute("ATTACH ? AS handling", (f"file:{path}?mode=ro",))
            return db.execute(query).fetchall()

    def quiet(self) -> None:
        """Wait until every follower and index has come to the end."""
        self.programs.until(self._is_quiet, "everybody has caught up")

    def _is_quiet(self) -> bool:
        last = {
            name: self.rows(f"{name}/store", "SELECT MAX(position) FROM stored_events")
            for name in ("intake", "handling")
        }
        # What handling's index has not looked at has no words; it tells of it later.
        words = self.rows("intake/store", "SELECT position FROM word_reach")
        behind = [
            self.committed() < (last["handling"][0][0] or 0),
            words < last["intake"],
        ]
        found: dict[str, Any] = {}
        for name in SERVICES:
            with self.client(name) as client:
                found |= client.get("/api/progress").json()
        behind += [
            found["intake"]["handling"] < found["handling"]["recorded"],
            found["handling"]["intake"] < found["intake"]["recorded"],
        ]
        return not any(behind)


def start_broker(
    programs: Programs, port: int, monitor: int, *, more: str = ""
) -> None:
    """Start a broker that has synced whatever it acknowledges."""
    config = programs.folder / "nats.conf"
    store = programs.folder / "nats"
    config.write_text(
        _BROKER.format(port=port, monitor=monitor, store=store, more=more)
    )
    programs.start("broker", [find_binary(), "-c", str(config)], os.environ)
    url = f"http://127.0.0.1:{monitor}/healthz"
    programs.until(lambda: answers(url), "the broker answers")


def cpu_of(pipeline: Pipeline) -> dict[str, float]:
    """Give the seconds of CPU that each process has had so far."""
    return {name: cpu_seconds([pid]) for name, pid in pipeline.pids().items()}


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=10).is_success
    except httpx.TransportError:
        return False


def rows_of(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Read an SQLite database beside whoever writes it."""
    with contextlib.closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    ) as db:
        return db.execute(query).fetchall()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
