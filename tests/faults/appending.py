"""Somebody who appends to a record for ever: to the same cases as others, and slowly."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from uuid import UUID

from eventsourcing.persistence import IntegrityError

from events import codec
from events.examples import EXAMPLES
from services.handling.persistence import DepartmentCopies
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from services.kernel.store.recorder import PostgresRecorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from services.kernel.store.database import Database

CASES: Final = 40
SLOW: Final = 0.005
"""Seconds that a transaction is kept open at most before it commits."""

_EVIDENCE: Final = EXAMPLES["EvidenceAdded"]


def open_record(database: Database) -> Any:
    return open_store(database, name="handling", codec=codec, now=system_clock)


def write(url: str, told: Connection, threads: int, most: int, *, locked: bool) -> None:
    """Append for ever; tell of each commit which events of which case it had."""
    unlocked = patch.object(PostgresRecorder, "lock", lambda *_: None)
    with contextlib.nullcontext() if locked else unlocked:
        database = open_database(url, schema="p4")
        store = open_record(database)
        if locked:
            DepartmentCopies(store)
        one_at_a_time = threading.Lock()

        def tell(done: object) -> None:
            with one_at_a_time:
                told.send(done)

        with ThreadPoolExecutor(threads) as writing:
            for _ in range(threads):
                writing.submit(_writing, store, most, tell)


def _writing(store: Any, most: int, tell: Callable[[object], None]) -> None:
    chance = random.Random()
    while True:
        case = _case(chance.randrange(CASES))
        with store.database.read() as tx:
            (version,) = tx.fetchone(
                "SELECT COALESCE(MAX(version), 0) FROM stored_events WHERE case_id = ?",
                (case,),
            )
        number = chance.randint(1, most)
        rows = [_evidence(case, version + 1 + n) for n in range(number)]
        try:
            with store.database.write() as tx:
                store.put_bodies(tx, rows)
                time.sleep(chance.uniform(0, SLOW) if chance.random() < 0.5 else 0)
                if chance.random() < 0.05:
                    raise _ChangedMindError  # noqa: TRY301 as a handler would
        except IntegrityError:
            tell(None)
        except _ChangedMindError:
            continue
        else:
            tell((case, version + number, number))


class _ChangedMindError(Exception):
    """The transaction is rolled back; on PostgreSQL its positions will never be."""


def _case(number: int) -> UUID:
    return UUID(int=(0xA << 124) | (8 << 76) | (2 << 62) | number)


def _evidence(case: UUID, version: int) -> tuple[UUID, int, str, bytes]:
    event = _EVIDENCE.model_copy(
        update={
            "case_id": case,
            "version": version,
            "event_id": new_uuid7(system_clock()),
        }
    )
    return case, version, event.type, codec.encode(event)
