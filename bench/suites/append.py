"""Appending batches of 100 events, beside raw SQLite with `synchronous=FULL`.

Ours is the whole way of a store: the envelope is made and held against its rules, encoded,
hashed, written with its knowledge time, and the ledger is extended and signed. Raw is one
`executemany` a batch into a table with the same two keys, of bytes that are there already.
Rates are of committed events by the clock on the wall; `append/raw_cpu` leaves the disk
out, `append/raw_1ms` and `append/raw_5ms` have every commit of both wait so much longer.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.record import SIGNER
from events import codec
from events.envelope import envelop
from services.kernel.clock import system_clock
from services.kernel.ledger.tree import Ledger
from services.kernel.ledger.verify import verify
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.sqlite import SqliteDatabase
from tests.support.stages import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench.measuring import Run
    from events.envelope import Envelope
    from services.kernel.store.database import Tx

BATCH: Final = 100
DELAYS: Final = (0, 1, 5)  # ms
_EVENTS: Final = 5_000
_QUICK_EVENTS: Final = 500


class Slow(SqliteDatabase):
    """SQLite on a disk whose commits take longer."""

    delay = 0.0  # seconds

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with super().write() as tx:
            yield tx
            time.sleep(self.delay)  # in the lock, ahead of the commit


class Took(NamedTuple):
    """What appending all events took, in seconds."""

    wall: float
    cpu: float


def measure(run: Run) -> None:
    events = drawn(run, _QUICK_EVENTS if run.quick else _EVENTS)
    arms: dict[str, Callable[[], Took]] = {}
    numbers = count()
    for delay in DELAYS:
        arms[f"raw {delay}"] = _raw(run, events, delay / 1_000, numbers)
        arms[f"ours {delay}"] = _ours(run, events, delay / 1_000, numbers)
    gc.collect()
    gc.freeze()  # what was prepared is none of the work
    took = run.turns(arms)
    gc.unfreeze()
    for delay in DELAYS:
        name = f"append/raw_{delay}ms" if delay else "append/raw"
        ours, raw = took[f"ours {delay}"], took[f"raw {delay}"]
        run.ratio(
            name, [1 / each.wall for each in ours], [1 / each.wall for each in raw]
        )
    ours, raw = took["ours 0"], took["raw 0"]
    run.ratio(
        "append/raw_cpu",
        [1 / each.cpu for each in ours],
        [1 / each.cpu for each in raw],
    )
    run.figure(
        "append/cpu",
        [each.cpu / len(events) * 1e6 for each in ours],
        unit="us/event",
        better="lower",
    )


def drawn(run: Run, size: int) -> list[Envelope[Any]]:
    """Give the events of many cases, mixed, each case's in order."""
    return staged(size, seed=run.chance.getrandbits(31))[:size]


def made_again(event: Envelope[Any]) -> Envelope[Any]:
    """Put an event's data into an envelope of its own, as deciding does."""
    return envelop(
        event.data,
        event_id=event.event_id,
        case_id=event.case_id,
        version=event.version,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        tenant=event.tenant,
        actor=event.actor,
        correlation_id=event.correlation_id,
    )


def timed(append: Callable[[int], None], size: int) -> Took:
    """Call `append` with the beginning of each batch."""
    begun, spent = time.perf_counter(), time.process_time()
    for start in range(0, size, BATCH):
        append(start)
    return Took(time.perf_counter() - begun, time.process_time() - spent)


def _ours(
    run: Run, events: Sequence[Envelope[Any]], delay: float, numbers: Iterator[int]
) -> Callable[[], Took]:
    def fill() -> Took:
        path = run.folder / f"ours-{next(numbers)}.sqlite"
        with closing(Slow(f"{path}")) as database:
            store: EventStore[Any] = open_store(
                database,
                name="handling",
                codec=codec,
                now=system_clock,
                ledger=Ledger(database, SIGNER),
            )
            database.delay = delay

            def append(start: int) -> None:
                with database.write() as tx:
                    store.put(tx, [*map(made_again, events[start : start + BATCH])])

            took = timed(append, len(events))
            report = verify(database, SIGNER.verifier)
            run.agree("faults of the ledger", report.faults, report.faults[:0])
            run.agree("leaves of the ledger", report.size, len(events))
        _check(run, path, "stored_events", events)
        return took

    return fill


def _raw(
    run: Run, events: Sequence[Envelope[Any]], delay: float, numbers: Iterator[int]
) -> Callable[[], Took]:
    rows = [
        (each.case_id.bytes, each.version, each.type, codec.encode(each))
        for each in events
    ]

    def fill() -> Took:
        path = run.folder / f"raw-{next(numbers)}.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute(
                "CREATE TABLE events (position INTEGER PRIMARY KEY AUTOINCREMENT,"
                " case_id BLOB, version INTEGER, type TEXT, body BLOB,"
                " UNIQUE (case_id, version))"
            )

            def append(start: int) -> None:
                database.execute("BEGIN IMMEDIATE")
                database.executemany(
                    "INSERT INTO events (case_id, version, type, body)"
                    " VALUES (?, ?, ?, ?)",
                    rows[start : start + BATCH],
                )
                time.sleep(delay)
                database.execute("COMMIT")

            took = timed(append, len(rows))
        _check(run, path, "events", events)
        return took

    return fill


def _check(run: Run, path: Path, table: str, events: Sequence[Envelope[Any]]) -> None:
    with closing(sqlite3.connect(path)) as database:
        found = database.execute(
            f"SELECT position, body FROM {table} ORDER BY position"  # noqa: S608 ours
        ).fetchall()
    run.agree(
        f"positions of {table}", [at for at, _ in found], [*range(1, len(events) + 1)]
    )
    expected = [codec.encode(each) for each in events]
    run.agree(f"bodies of {table}", [body for _, body in found], expected)
