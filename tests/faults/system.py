"""A whole amends in processes of its own, and somebody who starts again what died."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

from services.kernel.tasks import end
from tests.support.processes import Processes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from tests.support.postgres import PostgresServer
    from tests.support.processes import Broker
    from tests.support.running import RunningAmends

EVERY: Final = 0.05
"""Seconds between two looks at what has died."""


class System:
    """nats-server and the services, as `deploy/` has them, without the proxy.

    Use it in the main thread: to the kernel whoever started a program is a thread.
    `doctored` names a service and how it is begun instead of amends, for controls.
    With `postgres` the services keep their records there, `each` in so many processes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        doctored: Mapping[str, tuple[str, ...]] | None = None,
        postgres: PostgresServer | None = None,
        each: int = 1,
    ) -> None:
        given = dict(environment or {})
        if postgres is not None:
            given["AMENDS_DATABASE_URL"] = postgres.url
        self.processes = Processes(folder, given, each=each)
        for name, program in (doctored or {}).items():
            self.processes.parts[name].program = program
        self.victims: dict[str, RunningAmends | Broker | PostgresServer] = {
            "broker": self.processes.broker,
            **self.processes.parts,
        }
        if postgres is not None:
            self.victims["postgres"] = postgres
        self.kept_down: set[str] = set()
        """What is not started again until somebody takes it out of here."""
        self.ended: list[tuple[str, int | None]] = []
        """What was found dead, with its exit status where it had one of its own."""

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, folder: Path, **how: Any) -> AsyncIterator[Self]:
        """Start everything, keep it running, end it with the block."""
        system = cls(folder, **how)
        try:
            system.processes.prepare()
            system.processes.broker.launch()
            system.processes.broker.until_ready()
            system.processes.start_services()
            watch = asyncio.create_task(system._supervised())
            try:
                yield system
            finally:
                await end(watch)
        finally:
            system.processes.end()

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.processes.ports[service]}"

    def urls(self, service: str) -> list[str]:
        """Name all processes of a service."""
        parts = self.processes.parts.items()
        return [part.url for name, part in parts if name.split()[0] == service]

    @property
    def token(self) -> str:
        """The services' own, which may do what the operator may."""
        return (self.processes.data / "services.token").read_text().strip()

    def kill(self, name: str) -> None:
        """End a process as a crash does; it is started again unless kept down."""
        victim = self.victims[name]
        if victim.process is not None:
            victim.kill()

    def pid(self, name: str) -> int:
        process = self.victims[name].process
        assert process is not None, name
        return process.pid

    def up(self, name: str) -> bool:
        """Say whether it answers; nothing is waited for."""
        victim = self.victims[name]
        if victim.process is None or victim.process.poll() is not None:
            return False
        try:
            return httpx.get(_health(victim), timeout=1).is_success
        except httpx.HTTPError:
            return False
        except AttributeError:  # a database: whoever uses it will tell
            return True

    async def ask(self, service: str, path: str) -> Any:
        """Ask a service as the operator, until it answers."""
        answer = await self.post(service, path, method="GET")
        return answer.json()

    async def post(
        self, service: str, path: str, document: Any = None, *, method: str = "POST"
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.request(
                        method, f"{self.url(service)}{path}", json=document,
                        headers=headers,
                    )  # fmt: skip
                    if answer.is_success:
                        return answer
                    if answer.status_code < 500:
                        raise AssertionError(f"{path}: {answer.text}")
                await asyncio.sleep(0.1)

    async def log(self, service: str) -> list[dict[str, Any]]:
        """Read a service's whole record."""
        answer = await self.post(service, f"/api/{service}/log", method="GET")
        return [json.loads(line)["event"] for line in answer.text.splitlines()]

    async def followed(self, within: float) -> bool:
        """Wait until every service has read the others' records to the end."""

        async def all_read() -> bool:
            intake = await self.ask("intake", "/api/progress")
            handling = await self.ask("handling", "/api/progress")
            analytics = await self.ask("analytics", "/api/progress")
            recorded = handling["handling"]["recorded"]
            return bool(
                handling["handling"]["intake"] >= intake["intake"]["recorded"]
                and intake["intake"]["handling"] >= recorded
                and analytics["analytics"]["handling"] >= recorded
            )

        return await until(all_read, within)

    async def _supervised(self) -> None:
        while True:
            for name, victim in self.victims.items():
                gone = victim.process is None or victim.process.poll() is not None
                if gone and name not in self.kept_down:
                    status = victim.process.returncode if victim.process else None
                    self.ended.append((name, status))
                    victim.launch()
            await asyncio.sleep(EVERY)


def doctored(what: str) -> tuple[str, ...]:
    """Give the program that is begun in place of amends: `doctored` says what it lacks."""
    return sys.executable, "-m", "tests.faults.doctored", what


async def until(happened: Callable[[], Any], within: float) -> bool:
    """Wait for something; tell whether it came about in time."""
    ends = time.monotonic() + within
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(
                asyncio.get_running_loop().time() + max(0, ends - time.monotonic())
            ):
                if await happened():
                    return True
        if time.monotonic() >= ends:
            return False
        await asyncio.sleep(0.1)


def _health(victim: Any) -> str:
    monitor: str | None = getattr(victim, "monitor", None)
    return f"{monitor}/healthz" if monitor else f"{victim.url}/health/ready"
