"""Analytics' rows made anew from handling's log, beside a bare scan of the log's rows.

A rebuild is the product's own, with its comparison of the rows made anew with those that
are there; only the log is read from its file, not over HTTP. `projection/live` is the same
record applied as it arrives, in batches of 500. By the time of the processor, a process
each.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.alone import alone
from bench.record import checked, recorded
from bench.suites.replay import scan
from events import codec
from services.analytics.application.rebuilding import run_rebuild
from services.analytics.application.recording import record as apply
from services.analytics.domain.versions import Entry
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.clock import system_clock
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.alone import Took
    from bench.measuring import Run
    from bench.record import Record
    from services.kernel.store.recorder import LogEntry

_SIZE: Final = 100_000
_QUICK_SIZE: Final = 2_000
_BATCH: Final = 500


class Page(NamedTuple):
    """Lines of the log, as the log's client gives them."""

    lines: Sequence[LogEntry]
    last_position: int


def measure(run: Run) -> None:
    record = recorded(run, _QUICK_SIZE if run.quick else _SIZE)
    checked(run, record)
    numbers = count()
    live = run.folder / "live.sqlite"
    took = run.turns(
        {
            "scan": lambda: alone(run, scan, f"{record.path}"),
            "live": lambda: alone(
                run, _followed, record.url, f"{run.folder}/{next(numbers)}.sqlite"
            ),
        },
        warm=False,
    )
    _followed(record.url, f"{live}")
    took |= run.turns(
        {
            "scan": lambda: alone(run, scan, f"{record.path}"),
            "rebuild": lambda: alone(run, _rebuilt, record.url, f"{live}"),
        },
        warm=False,
    )
    digests = {each.result for name in ("live", "rebuild") for each in took[name]}
    run.agree("rows made anew and live ones", len(digests), 1)
    _check(run, record, live)
    scans, rebuilds = _rates(record, took["scan"]), _rates(record, took["rebuild"])
    run.ratio("projection/scan", rebuilds, scans)
    run.figure("projection/rebuild", rebuilds, unit="events/s")
    run.figure("projection/live", _rates(record, took["live"]), unit="events/s")


def _rates(record: Record, took: Sequence[Took]) -> list[float]:
    return [record.events / each.cpu for each in took]


def _check(run: Run, record: Record, path: Path) -> None:
    """Hold the open rows against a count of the record's types."""
    with closing(sqlite3.connect(path)) as database:
        complaints, appeals = database.execute(
            "SELECT COUNT(*), SUM(appeals) FROM complaint_row WHERE to_position IS NULL"
        ).fetchone()
        positions = database.execute(
            "SELECT COUNT(*), MAX(position) FROM log_position"
        ).fetchone()
    of = record.types
    run.agree("complaints", complaints, of["ComplaintReceived"])
    run.agree("appeals", appeals, of.get("ComplaintAppealed", 0))
    run.agree("positions", positions, (record.events, record.events))


def _followed(url: str, path: str) -> str:
    """Apply the record in batches to new rows; give their digest."""
    with (
        closing(open_database(url, schema="handling", read_only=True)) as source,
        closing(open_database(f"sqlite://{path}", schema="analytics")) as database,
    ):
        log = open_store(source, name="handling", codec=codec, now=system_clock)
        facts = SqlFactStore(database)
        position = 0
        while lines := log.log(position, _BATCH):
            entries = [Entry(line.position, codec.decode(line.body)) for line in lines]
            with facts.transaction() as tx:
                apply(facts.live, tx, entries)
                facts.live.note(
                    tx, [Known(line.position, line.committed_at) for line in lines]
                )
                facts.settle(tx)
            position = lines[-1].position
        return facts.digest(position, beside=False)


def _rebuilt(url: str, path: str) -> str | None:
    with (
        closing(open_database(url, schema="handling", read_only=True)) as source,
        closing(open_database(f"sqlite://{path}", schema="analytics")) as database,
    ):
        log = open_store(source, name="handling", codec=codec, now=system_clock)
        last = log.last_position()

        async def fetch(after: int, limit: int) -> Page:
            return Page(log.log(after, limit), last)

        async def write(work: Callable[[], Any]) -> Any:
            return work()

        done = asyncio.run(
            run_rebuild(
                SqlFactStore(database), fetch=fetch, write=write, report=lambda _: None
            )
        )
    return done.digest if done.equal else None
