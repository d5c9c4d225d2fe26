"""One run: services, bus, clocks and people, and what befalls them, all from one seed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import hashlib
import os
import random
import shutil
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from eventsourcing.persistence import PersistenceError

from services.bus import CONSUMERS, streams
from services.kernel import clock
from services.kernel.broker.provision import provision
from services.kernel.folder import DataFolder
from tests.simulation.bus import SimNats
from tests.simulation.control import unprotected
from tests.simulation.house import SERVICES, Service, faulty_writes, settings
from tests.simulation.loop import SimLoop
from tests.simulation.odds import Odds
from tests.simulation.people import AwayError, People
from tests.simulation.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.kernel.store.database import Database

START: Final = dt.datetime(2026, 3, 2, 1, tzinfo=dt.UTC)
BUSY: Final = 60.0
"""Seconds after which the faults end, whatever people still want."""
PATIENCE: Final = 120.0
"""Seconds without faults in which everything must come to where it belongs."""
ANSWER: Final = 5.0


class World:
    """What one seed makes happen."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.odds = Odds.drawn(self.chance)
        self.calm = True
        self.commits = self.crashes = 0
        self.trace = hashlib.sha256()
        self.services: dict[str, Any] = {}
        self.days = dt.timedelta()
        self.loop = SimLoop(latency=self.latency, after_step=self._after)
        self.bus = SimNats(self.odds, random.Random(self.chance.random()))
        self.folder = DataFolder(folder)
        self._gone: dict[str, asyncio.Future[None]] = {}
        self._skew = dict.fromkeys(SERVICES, dt.timedelta())
        self._looked = 0
        self._done = False
        self.watch = Watch(self)
        self.people = People(self)

    # ------------------------------------------------------------------- a whole run

    def run(self) -> list[str]:
        """Live through it; gives what was wrong, which ends the run."""
        main = self.loop.create_task(self._main())
        self.loop.run_until(main.done, BUSY + PATIENCE + 60)
        if not main.done():
            self.watch.violation("stuck: the run does not end")
        elif (error := main.exception()) is not None:
            told = "".join(traceback.format_exception(error)[-3:])
            self.watch.violation(f"an error nobody foresaw: {told}")
        for error in self.loop.errors:
            self.watch.violation(error)
        for service in self.services.values():
            service.close()
        return self.watch.violations

    async def _main(self) -> None:
        with self.bus.running():
            client = self.bus.connect()
            await provision(
                client.jetstream(),
                streams(settings()),
                [replace(each, ack_wait=self.odds.ack_wait) for each in CONSUMERS],
            )
            for name in SERVICES:
                self.start(name)
            self._set_calm(calm=False)
            self._foretell()
            people = asyncio.gather(*self.people.all())
            await self._until(people.done, BUSY)
            self._set_calm(calm=True)
            settled = await self._until(
                lambda: people.done() and self.watch.settled(), PATIENCE
            )
            if self.watch.violations:
                return
            if not settled:
                self.watch.violation(f"stuck: {self.watch.unsettled()}")
            else:
                people.result()
                self.watch.at_the_end()

    async def _until(self, done: Callable[[], bool], within: float) -> bool:
        ends = self.loop.time() + within
        while not done():
            if self.watch.violations or self.loop.time() > ends:
                return False
            await asyncio.sleep(0.25)
        return True

    def _set_calm(self, *, calm: bool) -> None:
        self.calm = self.bus.calm = calm
        if calm:
            self.bus.serving = True

    def _foretell(self) -> None:
        """Set the times of what befalls everybody."""
        draw = self.chance
        for _ in range(self.odds.outages):
            self.loop.call_later(draw.uniform(0, 15), self._outage)
        for _ in range(self.odds.jumps):
            self.loop.call_later(draw.uniform(0, 15), self._jump)

    def _outage(self) -> None:
        if self.calm:
            return
        self.note("outage")
        self.bus.serving = False
        self.loop.call_later(self.chance.uniform(0.5, 6), self._back)

    def _back(self) -> None:
        self.bus.serving = True
        for service in self.services.values():
            service.client.stats["reconnects"] += 1

    def _jump(self) -> None:
        """Let days pass at once, or one service's clock go wrong."""
        if self.chance.random() < 0.5:
            self.days += dt.timedelta(days=self.chance.choice([1, 8, 57, 181]))
        else:
            name = self.chance.choice(list(SERVICES))
            self._skew[name] = dt.timedelta(hours=self.chance.uniform(-3, 3))
        self.note("jump")

    # ---------------------------------------------------------------------- services

    def start(self, name: str) -> None:
        if name in self.services:
            return
        service: Service = SERVICES[name](self)
        try:
            service.open(self.folder)
        except PersistenceError:
            service.close()
            self._start_in(1.0, name)
            return
        self._gone[name] = self.loop.create_future()
        self.services[name] = service
        self.watch.started(service)
        service.begin()
        self.note(f"start {name}")

    def crash(self, name: str) -> None:
        """End a service between two of its steps; what it had in memory is gone."""
        service: Service = self.services.pop(name)
        service.life.ended = True
        self.crashes += 1
        self.note(f"crash {name}")
        self.bus.lose(service.client)
        service.close()
        self._gone[name].set_result(None)
        self._start_in(self.chance.choice([0.01, 0.5, 3.0]), name)

    def _start_in(self, seconds: float, name: str) -> None:
        self.loop.call_later(seconds, self.start, name, context=self.bus.context)

    async def ask(self, name: str, work: Callable[[Any], Any]) -> Any:
        """Have a service do something; raises AwayError where no answer comes."""
        await self.slowly()
        service = self.services.get(name)
        if service is None or self.unanswered():
            await asyncio.sleep(0.1)
            raise AwayError
        task = self.loop.begin(service.life, work(service))
        await asyncio.wait(
            {task, self._gone[name]},
            timeout=ANSWER,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not task.done():
            raise AwayError
        if self.unanswered():
            task.exception()
            raise AwayError
        return task.result()

    # ------------------------------------------------------------------------ chance

    def now(self, name: str) -> dt.datetime:
        passed = dt.timedelta(microseconds=round(self.loop.time() * 1e6))
        return START + passed + self.days + self._skew[name]

    def latency(self) -> float:
        return self.chance.uniform(0, self.odds.thread)

    def unanswered(self) -> bool:
        return not self.calm and self.chance.random() < self.odds.unanswered

    async def slowly(self) -> None:
        await asyncio.sleep(self.latency())

    def fate(self) -> str:
        """Say what becomes of a commit."""
        if self.calm:
            return "kept"
        drawn = self.chance.random()
        if drawn < self.odds.refused:
            return "refused"
        return "unknown" if drawn > 1 - self.odds.unknown else "kept"

    def faulty(self, database: Database) -> Database:
        faulty_writes(database, self)
        return database

    def note(self, what: str) -> None:
        """Add a line to the trace, by which two runs are compared."""
        self.trace.update(f"{self.loop.time():.6f} {what}\n".encode())

    def _after(self) -> None:
        if self.watch.violations:
            return
        grown = self.commits + self.bus.stored
        if grown != self._looked:
            self._looked = grown
            self.watch.look()
        if not self.calm and self.chance.random() < self.odds.crash and self.services:
            self.crash(self.chance.choice(list(self.services)))


@contextlib.contextmanager
def unreal(seed: int) -> Iterator[None]:
    """Have randomness come from the seed, and nothing watch how long work takes."""
    chance = random.Random(seed)
    with (
        patch.object(os, "urandom", chance.randbytes),
        patch.object(random, "_urandom", chance.randbytes),
        patch("services.kernel.inbox.effects.within", lambda _, work: work()),
    ):
        clock._uuid7.restart()
        yield


def new_folder(at: Path) -> None:
    """Make empty databases for many runs to begin with a copy of."""
    with unreal(0):
        DataFolder(at).make()
        world = World(0, at)
        for make in SERVICES.values():
            with world.loop.running():
                service = make(world)
                service.open(world.folder)
            service.close()


@dataclass(frozen=True, slots=True)
class Lived:
    """What one run was like; `trace` is equal where two runs were the same."""

    seed: int
    steps: int
    seconds: float
    crashes: int
    events: int
    violations: tuple[str, ...]
    trace: str


def lived(seed: int, empty: Path, at: Path, *, control: bool = False) -> Lived:
    """Live one seed through in a copy of the empty databases; `at` is removed.

    What never ran to its end is dropped then: its `finally` is of no interest.
    """
    shutil.copytree(empty, at)
    world = World(seed, at)
    try:
        with (
            unreal(seed),
            patch.object(time, "monotonic", world.loop.time),
            unprotected(seed) if control else contextlib.nullcontext(),
        ):
            world.run()
        return Lived(
            seed,
            world.loop.steps,
            world.days.total_seconds() + world.loop.time(),
            world.crashes,
            world.watch.events,
            tuple(world.watch.violations),
            world.trace.hexdigest(),
        )
    finally:
        with (
            warnings.catch_warnings(action="ignore", category=RuntimeWarning),
            patch.object(sys, "unraisablehook", lambda _: None),
        ):
            world.loop.forget()
            del world
            gc.collect()
        shutil.rmtree(at)
