"""P7: one bad message never holds up the others.

Complaints are published on INTAKE at a steady pace, and handling makes cases of them,
on a real nats-server and a real database. Then the same again with one message in a
hundred bad, in seven ways. Without protection, as the control has it, whatever fails
comes again with its whole batch, and what hangs hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from uuid import UUID

import nats.errors
import structlog

from bench.line import BROKEN, KEPT, line, options
from events import codec, subjects
from events.examples import EXAMPLES
from events.subjects import Stream
from services.bus import read_event, running_bus
from services.handling.application.cases import Handling
from services.handling.messaging.cases import taking_over
from services.handling.persistence import WorkList
from services.kernel.broker.headers import POSITION
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.folder import DataFolder
from services.kernel.inbox import Consumer, Following, Inbox
from services.kernel.inbox import cases as inbox_cases
from services.kernel.record import open_record
from services.kernel.settings import Settings
from services.kernel.store.database import open_database
from services.kernel.store.writer import Writer
from services.kernel.vault import Vault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from nats.aio.client import Client

    from bench.line import Options
    from services.kernel.inbox import Arrived, Effect
    from services.kernel.store.database import Tx

MESSAGES: Final = {"ci": 5_000, "night": 100_000}
EACH_SECOND: Final = 250
BAD: Final = 100
"""One message in so many is bad."""
MOST: Final = 2.0
"""Seconds within which 99 of 100 healthy messages must be handled."""
PATIENCE: Final = 60.0
"""Seconds to wait, after the last message, for all to be handled or parked."""
CONTROL_PATIENCE: Final = 10.0

HEALTHY: Final = "healthy"
KINDS: Final = ("data", "version", "case", "raises", "hangs", "deep", "huge")
"""What is bad: a field of the wrong type, a version nobody knows yet, an event of a case
that nobody has, a handler that raises, one that hangs, JSON 100,000 levels deep, and a
body of 8 MiB."""

_RECEIVED: Final = EXAMPLES["ComplaintReceived"]
_DEEP: Final = b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b","
_HUGE: Final = 8 << 20


@dataclass(slots=True)
class Bench:
    """What is offered, what became of it, and whether the faults are mended."""

    kinds: dict[UUID, str] = field(default_factory=dict)
    bodies: dict[UUID, list[bytes]] = field(default_factory=dict)
    sent: dict[UUID, float] = field(default_factory=dict)
    handled: dict[UUID, float] = field(default_factory=dict)
    refused: int = 0
    mended: threading.Event = field(default_factory=threading.Event)

    def offer(self, kind: str, chance: random.Random) -> tuple[UUID, bytes]:
        """Make one message; its case id tells its kind to the rest of the bench."""
        case_id = UUID(int=chance.getrandbits(128), version=4)
        self.kinds[case_id] = kind
        healthy = _body(case_id, chance, version=1)
        self.bodies[case_id] = [healthy]
        if kind == "case":
            self.bodies[case_id].append(_body(case_id, chance, version=2))
            return case_id, self.bodies[case_id][1]
        return case_id, _spoilt(healthy, kind)

    def read(self, body: bytes, headers: Mapping[str, str]) -> Arrived:
        """Read as services do; mended, also what nobody could read before."""
        return read_event(_mended(body) if self.mended.is_set() else body, headers)

    def spoiling(self, effect: Effect) -> Effect:
        """Have handling raise, or hang, over the events that are bad for it."""

        def spoilt(tx: Tx, arrived: Sequence[Arrived]) -> None:
            for each in arrived:
                kind = self.kinds[each.case_id]
                while kind == "hangs" and not self.mended.is_set():
                    with contextlib.suppress(Exception):
                        sum(range(1_000))
                if kind == "raises" and not self.mended.is_set():
                    raise KeyError(kind)
            effect(tx, arrived)
            tx.executemany(
                "INSERT INTO p7_effect (case_id) VALUES (?)",
                [(each.case_id,) for each in arrived],
            )
            now = time.monotonic()
            for each in arrived:
                self.handled.setdefault(each.case_id, now)

        return spoilt

    def late(self) -> list[float]:
        """Give how long each healthy message took, in seconds; for ever if it did not."""
        return sorted(
            self.handled.get(case, float("inf")) - self.sent[case]
            for case, kind in self.kinds.items()
            if kind == HEALTHY
        )


@dataclass(frozen=True, slots=True)
class Place:
    """The parts of handling that a received complaint passes."""

    client: Client
    following: Following
    consumer: Consumer
    database: Any


@contextlib.asynccontextmanager
async def opened(folder: Path, bench: Bench, fetch: Any) -> AsyncIterator[Place]:
    settings = Settings(data=folder)
    data = DataFolder(folder)
    data.make()
    record = open_record(settings, data, name="handling", codec=codec, now=system_clock)
    keys = open_database(
        data.database_url("handling", "keys", server=None), schema="handling_keys"
    )
    record.database.migrate(["CREATE TABLE p7_effect (case_id UUID NOT NULL)"])
    record.start()
    writer = Writer("handling")
    writer.start()
    effect = taking_over(Handling(record.store, WorkList(record.database)))
    following = Following(
        Inbox(
            "handling",
            decode=bench.read,
            vault=Vault(keys, record.database),
            now=system_clock,
        ),
        database=record.database,
        writer=writer,
        effect=bench.spoiling(effect),
    )
    async with running_bus(settings, data, ()) as bus:
        broker = bus.connection("p7")
        client = await broker.connect()
        await bus.prepare(client)
        consumer = Consumer(
            client,
            stream=Stream.INTAKE,
            durable="handling",
            following=following,
            fetch=fetch,
            now=system_clock,
            announce_on=subjects.quarantined("handling"),
        )
        running = asyncio.create_task(consumer.run())
        try:
            yield Place(client, following, consumer, record.database)
        finally:
            bench.mended.set()  # what hangs, hangs no longer
            await consumer.stop()
            await running
            await asyncio.to_thread(writer.stop)
            await broker.stop()
            record.stop()
            keys.close()


async def offered(
    place: Place, bench: Bench, *, messages: int, bad: bool, chance: random.Random
) -> None:
    """Publish the messages at a steady pace, and wait for the broker to have them."""
    kinds = [
        KINDS[number // BAD % len(KINDS)]
        if bad and number % BAD == BAD // 2
        else HEALTHY
        for number in range(messages)
    ]
    begun = time.monotonic()
    for number, kind in enumerate(kinds):
        early = begun + number / EACH_SECOND - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        case_id, body = bench.offer(kind, chance)
        about = codec.heading(bench.bodies[case_id][-1])
        headers = subjects.headers(about) | {POSITION: str(number + 1)}
        bench.sent[case_id] = time.monotonic()
        try:
            await place.client.publish(
                subjects.intake_event("web"), body, headers=headers
            )
        except nats.errors.MaxPayloadError:
            bench.refused += 1
    await place.client.flush()


def _body(case_id: UUID, chance: random.Random, *, version: int) -> bytes:
    now = datetime.now(UTC)  # noqa: TID251 the edge of this program
    number = f"{chance.randrange(10**15):015}0"
    event = _RECEIVED.model_copy(
        update={
            "event_id": new_uuid7(now),
            "case_id": case_id,
            "version": version,
            "recorded_at": now,
            "occurred_at": now,
            "data": _RECEIVED.data.model_copy(update={"receipt_no": number}),
        }
    )
    return codec.encode(event)


def _spoilt(body: bytes, kind: str) -> bytes:
    if kind == "data":
        return re.sub(rb'"receipt_no":"(\d+)"', rb'"receipt_no":[\1]', body)
    if kind == "version":
        return re.sub(rb'"schema_version":(\d+)', rb'"schema_version":9\1', body)
    if kind == "deep":
        return body.replace(b"{", b"{" + _DEEP, 1)
    return body.ljust(_HUGE) if kind == "huge" else body


def _mended(body: bytes) -> bytes:
    """Read past what was bad, as an upgrade might."""
    body = re.sub(rb'"receipt_no":\[(\d+)\]', rb'"receipt_no":"\1"', body)
    body = re.sub(rb'"schema_version":9(\d)', rb'"schema_version":\1', body)
    return body.replace(_DEEP, b"")


async def until(condition: Callable[[], bool], within: float) -> bool:
    """Wait for something; tell whether it came about in time."""
    ends = time.monotonic() + within
    while not condition():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(0.05)
    return True


async def run(
    folder: Path, given: Options, *, bad: bool
) -> tuple[Bench, dict[str, int]]:
    """Offer everything, see what waits for a person, mend, replay, and count twice."""
    bench = Bench()
    chance = random.Random(given.seed)

    async def fetch(case_id: UUID, after_version: int) -> list[Arrived]:
        """Read the record of intake, which has the lost events once it is mended."""
        known = bench.bodies[case_id] if bench.mended.is_set() else []
        read = [read_event(body, {POSITION: "1"}) for body in known]
        return [event for event in read if event.version > after_version]

    async with opened(folder, bench, fetch) as place:
        await offered(
            place, bench, messages=MESSAGES[given.size], bad=bad, chance=chance
        )
        counted = bench.kinds.values()
        healthy = sum(kind == HEALTHY for kind in counted)
        parked = sum(kind not in {HEALTHY, "huge"} for kind in counted)

        def settled() -> bool:
            waiting = place.consumer.status().waiting
            return len(bench.handled) >= healthy and (
                waiting.poison + waiting.newer >= parked
            )

        await until(settled, CONTROL_PATIENCE if given.control else PATIENCE)
        handled = len(bench.handled)
        with place.database.read() as tx:
            waiting = place.following.inbox.rows.waiting(tx)
        bench.mended.set()
        if given.control:
            return bench, {"parked": waiting.poison, "held": waiting.newer}
        # What lacked its predecessor gets it from the record; the rest is replayed.
        await place.following.replay(by="bench")
        await until(lambda: not place.consumer.status().waiting.total, PATIENCE)
        with place.database.read() as tx:
            rows = tx.fetchall("SELECT case_id, COUNT(*) FROM p7_effect GROUP BY 1")
        found = dict(rows)
        return bench, {
            "parked": waiting.poison,
            "held": waiting.newer,
            "replayed": len(bench.handled) - handled,
            "twice": sum(
                found.get(case, 0) > len(bodies)
                for case, bodies in bench.bodies.items()
            ),
            "lost": sum(
                bench.kinds[case] != "huge" and found.get(case, 0) < len(bodies)
                for case, bodies in bench.bodies.items()
            ),
        }


def main(given: Options) -> int:
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    begun = time.monotonic()
    if given.control:
        unprotected = patch.object(inbox_cases, "culprits", _unprotected)
    else:
        unprotected = contextlib.nullcontext()  # type: ignore[assignment]
    with unprotected, tempfile.TemporaryDirectory() as folder:
        calm, _ = asyncio.run(run(Path(folder) / "calm", given, bad=False))
        bench, counts = asyncio.run(run(Path(folder) / "bad", given, bad=True))
    without, late = calm.late(), bench.late()
    bad = sum(kind != HEALTHY for kind in bench.kinds.values())
    figures = {
        "offered": len(bench.kinds),
        "bad": bad,
        "parked": counts["parked"],
        "held": counts["held"],
        "refused": bench.refused,
        "p50_ms": _ms(statistics.median(late)),
        "p99_ms": _ms(_p99(late)),
        "p99_without_ms": _ms(_p99(without)),
        "replayed": counts.get("replayed", 0),
        "twice": counts.get("twice", 0),
        "lost": counts.get("lost", 0),
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P7", figures))
    accounted = counts["parked"] + counts["held"] + bench.refused == bad
    replayed = counts.get("replayed") == bad - bench.refused
    once = not (counts.get("twice") or counts.get("lost"))
    kept = accounted and replayed and once and _p99(late) <= MOST
    return KEPT if kept else BROKEN


def _unprotected(tx: Tx, events: Sequence[Arrived], effect: Effect) -> dict[Any, str]:
    """Have a batch take effect, or fail whole."""
    if events:
        effect(tx, events)
    return {}


def _p99(late: Sequence[float]) -> float:
    return late[min(len(late) - 1, int(len(late) * 0.99))]


def _ms(seconds: float) -> str:
    return "never" if seconds == float("inf") else f"{seconds * 1_000:.0f}"


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
