"""A record of any length, written by the product, with a count of what must be in it.

The lives of some cases, each ended at another stage and mixed as they would arrive, are
encoded once; every further copy of them has other case ids in the same bytes.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from events import codec
from services.kernel.clock import system_clock
from services.kernel.ledger.checkpoint import Signer
from services.kernel.ledger.tree import Ledger
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database
from tests.support.stages import staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.measuring import Run
    from services.kernel.store.database import Database

Row = tuple[UUID, int, str, bytes]
"""Case, version, type and the bytes of one event."""

SIGNER: Final = Signer("amends/bench", b"\x07" * 32)
_RECEIPT: Final = re.compile(rb'"receipt_no":"\d{16}"')
_LIVES: Final = 300  # cases whose events are made once
_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class Record:
    """A file of handling's event store, and what an independent count says is in it."""

    path: Path
    events: int
    cases: int
    types: dict[str, int]

    @property
    def url(self) -> str:
        return f"sqlite://{self.path}"


def bodies(seed: int) -> Iterator[Row]:
    """Give events for ever, each case's in order; the same again for the same seed."""
    chance = random.Random(seed)  # noqa: S311 it must repeat
    lives = [
        (event.case_id, event.version, event.type, codec.encode(event))
        for event in staged(_LIVES, seed=seed)
    ]
    for copy in count():
        anew = {
            case: UUID(int=chance.getrandbits(128) & ~(0xF << 76) | 0x8 << 76)
            for case in sorted({life[0] for life in lives})
        }
        names = {
            case: (f"{case}".encode(), f"{new}".encode()) for case, new in anew.items()
        }
        number = count(copy * _LIVES)
        for case, version, name, body in lives:
            its = body.replace(*names[case])
            if version == 1:
                its = _RECEIPT.sub(b'"receipt_no":"%016d"' % next(number), its)
            yield anew[case], version, name, its


def recorded(run: Run, size: int) -> Record:
    """Give a record of so many events; of a run's records each is made once."""
    path = run.cache / f"record-{size}-{run.seed}.sqlite"
    rows = islice(bodies(run.seed), size)
    if path.exists():
        return _counted(path, rows)
    for old in run.cache.glob(f"record-{size}-*"):
        old.unlink()
    run.say(f"making a record of {size:,} events")
    made = path.with_name(f"new-{path.name}")
    for left in made.parent.glob(f"{made.name}*"):
        left.unlink()
    with closing(open_database(f"sqlite-draft://{made}", schema="handling")) as opened:
        fill(opened, rows)
    made.rename(path)
    return _counted(path, islice(bodies(run.seed), size))


def fill(database: Database, rows: Iterator[Row]) -> EventStore[Any]:
    """Put rows into a new store with its ledger, a thousand in a transaction."""
    store: EventStore[Any] = open_store(
        database,
        name="handling",
        codec=codec,
        now=system_clock,
        ledger=Ledger(database, SIGNER) if database.dialect == "sqlite" else None,
    )
    while some := list(islice(rows, _AT_ONCE)):
        with database.write() as tx:
            store.put_bodies(tx, some)
    return store


def _counted(path: Path, rows: Iterator[Row]) -> Record:
    types, cases = Counter[str](), set[UUID]()
    for case, _, name, _ in rows:
        types[name] += 1
        cases.add(case)
    return Record(path, types.total(), len(cases), dict(sorted(types.items())))


def checked(run: Run, record: Record) -> None:
    """Hold rows and positions of a record against the count."""
    with closing(sqlite3.connect(record.path)) as database:
        (rows,) = database.execute("SELECT COUNT(*) FROM stored_events").fetchone()
        ends = database.execute(
            "SELECT MIN(position), MAX(position) FROM stored_events"
        ).fetchone()
        (cases,) = database.execute(
            "SELECT COUNT(*) FROM stored_events WHERE version = 1"
        ).fetchone()
    run.agree("rows of the record", rows, record.events)
    run.agree("positions without a hole", ends, (1, record.events))
    run.agree("cases of the record", cases, record.cases)
