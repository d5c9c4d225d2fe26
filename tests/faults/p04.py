"""P4: one case's events are in order, and no reader skips an event.

Eight writers append to the same cases at once, commit slowly, roll back now and then, and
are killed and started again; on PostgreSQL each is a process, on SQLite, which one process
writes, a thread. Meanwhile four readers follow the record by position: the store, the log
endpoint, the relay to a real broker, a department's feed. In the end each must have had
all that there is, in order. The control takes away the lock that PostgreSQL's writers take.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from fastapi import FastAPI

from bench.line import BROKEN, KEPT, line, options
from events.subjects import SUBJECTS, Stream
from services.handling.messaging.cases import case_message
from services.handling.persistence import DepartmentCopies
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.broker.headers import POSITION
from services.kernel.broker.provision import StreamSpec, provision
from services.kernel.log_client import LogClient
from services.kernel.relay import Relay
from services.kernel.store.database import open_database
from services.kernel.web.log_endpoint import log_router
from tests.faults.appending import open_record, write
from tests.faults.system import until
from tests.support.nats import client_of, running_nats
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from multiprocessing.connection import Connection
    from uuid import UUID

    from bench.line import Options

WRITERS: Final = 8
EVENTS: Final = {"ci": 3_000, "night": 500_000}
"""On each of the two databases."""
CONTROL: Final = 1_000
MOST_AT_ONCE: Final = {"ci": 5, "night": 60}
KILL_EVERY: Final = (1.0, 3.0)
"""Seconds from one kill to the next."""
DEPARTMENT: Final = "quality"
PAGE: Final = 100
DRAIN: Final = 120.0
TOKEN: Final = "p4"  # noqa: S105 of this run alone

_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("httpx", "fastapi", "tests.faults.appending", "tests.faults.system"),
        *("services.kernel.relay", "services.kernel.web.log_endpoint"),
        *("tests.support.nats", "tests.support.postgres"),
    ]
)
"""What a writer that is started again has at once: all that this program imports."""


# --------------------------------------------------------------------------- writers


@dataclass
class Writers:
    """The processes that write, killed now and then; what they said is kept."""

    url: str
    threads: int
    most: int
    locked: bool
    chance: random.Random
    kills: int = 0
    conflicts: int = 0
    written: int = 0
    acked: set[tuple[UUID, int]] = field(default_factory=set)
    _running: list[Any] = field(default_factory=list)

    def until(self, events: int) -> None:
        """Write until so many events were answered for."""
        with ThreadPoolExecutor(2 * WRITERS) as listening:
            for _ in range(WRITERS // self.threads):
                self._start(listening)
            due = time.monotonic() + self.chance.uniform(*KILL_EVERY)
            while self.written < events:
                time.sleep(0.05)
                if time.monotonic() > due:
                    self._end(self.chance.choice(self._running))
                    self.kills += 1
                    self._start(listening)
                    due = time.monotonic() + self.chance.uniform(*KILL_EVERY)
            for process in list(self._running):
                self._end(process)

    def _start(self, listening: ThreadPoolExecutor) -> None:
        ours, theirs = _FORKS.Pipe(duplex=False)
        process = _FORKS.Process(
            target=write,
            args=(self.url, theirs, self.threads, self.most),
            kwargs={"locked": self.locked},
            daemon=True,
        )
        process.start()
        theirs.close()
        self._running.append(process)
        listening.submit(self._listen, ours)

    def _end(self, process: Any) -> None:
        self._running.remove(process)
        process.kill()
        process.join()

    def _listen(self, told: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):  # it was killed
            while True:
                done = told.recv()
                if done is None:
                    self.conflicts += 1
                    continue
                case, version, number = done
                told_of = range(version - number + 1, version + 1)
                self.acked |= {(case, each) for each in told_of}
                self.written += number


# --------------------------------------------------------------------------- readers


@dataclass
class Readers:
    """Who follows the record by position, and the positions that each was given."""

    store: Any
    copies: DepartmentCopies | None
    seen: dict[str, list[int]] = field(default_factory=dict)
    done: bool = False

    @contextlib.asynccontextmanager
    async def reading(self, nats: Any) -> AsyncIterator[None]:
        """Read while the block runs; then to the end."""
        async with client_of(nats) as client:
            spec = StreamSpec(
                Stream.CASES,
                (SUBJECTS[Stream.CASES],),
                max_age_days=1,
                max_bytes=4 << 30,
            )
            await provision(client.jetstream(), [spec])
            relay = Relay(
                client, log=self.store, stream=Stream.CASES, outgoing=case_message
            )
            relaying = asyncio.create_task(relay.run())
            following = [
                asyncio.create_task(self._follow("store", self._from_store)),
                asyncio.create_task(self._follow("endpoint", self._endpoint().page)),
            ]
            if self.copies is not None:
                feed = self._follow("feed", self._from_feed)
                following.append(asyncio.create_task(feed))
            try:
                yield
            finally:
                self.done = True
                last = await asyncio.to_thread(self.store.last_position)
                await asyncio.gather(*following)

                async def relayed() -> bool:
                    return bool(relay.position >= last)

                await until(relayed, DRAIN)
                await relay.stop()
                await relaying
                self.seen["relay"] = [each async for each in _streamed(client)]

    async def _follow(self, name: str, page: Callable[..., Any]) -> None:
        seen = self.seen.setdefault(name, [])
        while True:
            done = self.done
            found = await page(seen[-1] if seen else 0, PAGE)
            lines = getattr(found, "lines", found)
            seen += [each.position for each in lines]
            if not lines and done:
                return
            if not lines:
                await asyncio.sleep(0.001)

    async def _from_store(self, after: int, limit: int) -> Any:
        return await asyncio.to_thread(self.store.log, after, limit)

    async def _from_feed(self, after: int, limit: int) -> Any:
        assert self.copies is not None
        return await asyncio.to_thread(self.copies.page, DEPARTMENT, after, limit=limit)

    def _endpoint(self) -> LogClient:
        app = FastAPI()
        app.include_router(log_router(self.store, OperatorTokens({TOKEN: OPERATOR})))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://handling",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        return LogClient(client, "handling")


async def _streamed(client: Any) -> AsyncIterator[int]:
    """Read a stream from its beginning to its end."""
    stream = client.jetstream()
    left = (await stream.stream_info(Stream.CASES)).state.messages
    pull = await stream.pull_subscribe(SUBJECTS[Stream.CASES], stream=Stream.CASES)
    while left:
        for message in await pull.fetch(min(left, 500), timeout=30):
            await message.ack()
            yield int(message.headers[POSITION])
            left -= 1


class ReadingCopies(DepartmentCopies):
    """The copies that another process writes."""

    def _make_up(self) -> None:
        """Leave it to who writes."""


# --------------------------------------------------------------------------- verdict


def judged(readers: Readers, writers: Writers) -> dict[str, int]:
    """Hold what each reader was given against all that there is."""
    log = readers.store.log(0, 10**9)
    there = {each.position for each in log}
    gaps = reorders = 0
    for name, seen in readers.seen.items():
        missing = len(there - set(seen))
        disorder = sum(a >= b for a, b in pairwise(seen))
        gaps, reorders = gaps + missing, reorders + disorder
        print(f"  {name}: read={len(seen)} gaps={missing} reorders={disorder}")
    versions: dict[UUID, int] = {}
    for each in log:
        reorders += each.version != versions.get(each.case_id, 0) + 1
        versions[each.case_id] = each.version
    kept = {(each.case_id, each.version) for each in log}
    return {
        "events": len(log),
        "gaps": gaps,
        "reorders": reorders,
        "lost": len(writers.acked - kept),
        "conflicts": writers.conflicts,
        "kills": writers.kills,
    }


async def run(
    url: str, folder: Path, given: Options, chance: random.Random
) -> dict[str, int]:
    on_sqlite = url.startswith("sqlite")
    database = open_database(url, schema="p4")
    DepartmentCopies(open_record(database))
    if on_sqlite:  # one process writes
        database.close()
        database = open_database(url, schema="p4", read_only=True)
    store = open_record(database)
    writers = Writers(
        url,
        threads=WRITERS if on_sqlite else 1,
        most=MOST_AT_ONCE[given.size],
        locked=not given.control,
        chance=chance,
    )
    events = CONTROL if given.control else EVENTS[given.size]
    readers = Readers(store, None if given.control else ReadingCopies(store))
    try:
        with running_nats(folder / "nats") as nats:
            async with readers.reading(nats):
                await asyncio.to_thread(writers.until, events)
        return judged(readers, writers)
    finally:
        database.close()


def main(argv: Sequence[str] | None = None) -> int:
    given = options(__doc__.partition("\n")[0], argv)
    begun, chance = time.monotonic(), random.Random(given.seed)
    total: dict[str, int] = {}
    for kind, url in _urls(given):
        print(kind)
        with url as at, tempfile.TemporaryDirectory() as folder:
            address = at or f"sqlite:///{folder}/p4.sqlite"
            found = asyncio.run(run(address, Path(folder), given, chance))
        total = {name: total.get(name, 0) + found[name] for name in found}
    figures = {"writers": WRITERS, "readers": 4 - given.control, **total}
    seconds = {"seconds": round(time.monotonic() - begun), "seed": given.seed}
    print(line("P4", figures | seconds))
    wrong = total["gaps"] + total["reorders"] + total["lost"]
    return BROKEN if wrong else KEPT


def _urls(given: Options) -> Iterable[tuple[str, Any]]:
    if not given.control:
        yield "sqlite", contextlib.nullcontext("")
    yield "postgres", running_postgres()


if __name__ == "__main__":
    raise SystemExit(main())
