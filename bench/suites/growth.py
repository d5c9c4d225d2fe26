"""What a record of 1M events slows down, beside one of 10k: save, load, log, queue, as-of.

By the time of the processor, of one process that has both open. Each figure is the rate
at 1M to that at 10k; `growth/…_10m` goes on along the same line, by powers of ten, to 10M.
This suite takes the records with it: it writes into them.
"""

from __future__ import annotations

import time
from contextlib import closing
from datetime import timedelta
from itertools import islice
from math import log10
from typing import TYPE_CHECKING, Any, Final, cast

from bench.record import SIGNER, bodies, checked, recorded
from events import codec
from services.handling.application.cases import Handling
from services.handling.domain.evolution import evolve
from services.handling.persistence import WorkList
from services.handling.persistence.record import HandlingRecord
from services.handling.ports import QueueFilter
from services.kernel.clock import system_clock
from services.kernel.ledger.tree import Ledger
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.measuring import Run
    from bench.record import Record, Row
    from services.kernel.store.database import Database

_SIZES: Final = (10_000, 1_000_000)
_QUICK_SIZES: Final = (1_000, 4_000)
_TIMES: Final = 200
_LOG_PAGE: Final = 100
_QUEUE_PAGE: Final = 50
_OPERATIONS: Final = ("save", "load", "log", "queue", "as_of")


class House:
    """Handling over one record, and each operation, done again and again."""

    def __init__(self, run: Run, record: Record, database: Database) -> None:
        self._run, self._events, self._cases = run, record.events, record.cases
        self._database = database
        self._store: EventStore[Any] = open_store(
            database,
            name="handling",
            codec=codec,
            now=system_clock,
            ledger=Ledger(database, SIGNER),
        )
        self._work_list = WorkList(database)
        self._record = HandlingRecord(
            self._store, self._work_list, cast("Any", None), cast("Any", None)
        )
        self._handling = Handling(self._store, self._work_list)
        self._chance = run.chance
        self._new = _first_events(run.seed + record.events)
        with database.read() as tx:
            drawn = [self._chance.randint(1, record.events) for _ in range(_TIMES)]
            self._known = [
                row[0]
                for at in drawn
                for row in tx.fetchall(
                    "SELECT case_id FROM stored_events WHERE position = ?", (at,)
                )
            ]
        self._last = self._store.known_at(record.events)

    def rate(self, operation: str) -> float:
        """Give how often in a second of the processor."""
        done = getattr(self, operation)
        begun = time.process_time()
        for number in range(_TIMES):
            done(number)
        return _TIMES / (time.process_time() - begun)

    def save(self, _number: int) -> None:
        with self._database.write() as tx:
            self._store.put_bodies(tx, [next(self._new)])

    def load(self, number: int) -> None:
        case = None
        with self._database.read() as tx:
            for event in self._record.load(tx, self._known[number]):
                case = evolve(case, event)
        if case is None or case.id != self._known[number]:
            self._run.agree("case loaded", case, self._known[number])

    def log(self, _number: int) -> None:
        after = self._chance.randint(0, self._events - _LOG_PAGE)
        lines = self._store.log(after, _LOG_PAGE)
        if (lines[0].position, len(lines)) != (after + 1, _LOG_PAGE):
            self._run.agree("page of the log", lines[0].position, after + 1)

    def queue(self, _number: int) -> None:
        page = self._handling.queue(QueueFilter(), limit=_QUEUE_PAGE)
        if (page.total, len(page.rows)) != (self._cases, _QUEUE_PAGE):
            self._run.agree("the queue", page.total, self._cases)

    def as_of(self, number: int) -> None:
        instant = None if self._last is None else self._last + timedelta(seconds=1)
        found = self._handling.history(f"{self._known[number]}", instant)
        if found.case.version != len(found.events):
            self._run.agree("case as of", found.case.version, len(found.events))


def measure(run: Run) -> None:
    sizes = _QUICK_SIZES if run.quick else _SIZES
    small, large = (_opened(run, size) for size in sizes)
    with closing(small[1]), closing(large[1]):
        houses = [House(run, *small), House(run, *large)]
        for operation in _OPERATIONS:
            took = run.turns(
                {
                    f"{operation} {size}": _of(house, operation)
                    for size, house in zip(sizes, houses, strict=True)
                }
            )
            rates = [took[f"{operation} {size}"] for size in sizes]
            points = [
                (size, max(rate)) for size, rate in zip(sizes, rates, strict=True)
            ]
            ratio = run.ratio(f"growth/{operation}", rates[1], rates[0], points=points)
            further = log10(10_000_000 / sizes[0]) / log10(sizes[1] / sizes[0])
            run.figure(f"growth/{operation}_10m", [ratio**further], unit="ratio")
    for record, _ in (small, large):
        record.path.unlink()


def _opened(run: Run, size: int) -> tuple[Record, Database]:
    record = recorded(run, size)
    checked(run, record)
    run.say(f"making the queue of {size:,} events")
    return record, open_database(record.url, schema="handling")


def _of(house: House, operation: str) -> Callable[[], float]:
    return lambda: house.rate(operation)


def _first_events(seed: int) -> Iterator[Row]:
    """Give receipts of further cases for ever."""
    return (row for row in islice(bodies(seed), None) if row[1] == 1)
