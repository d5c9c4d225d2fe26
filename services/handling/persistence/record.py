"""The record of commands in SQL: events, rows, documents and keys in one transaction."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from eventsourcing.persistence import IntegrityError, PersistenceError

from events import codec, quick
from services.handling.application.cases import newer
from services.handling.ports import KeyRow, TakenError
from services.kernel.errors import UnavailableError
from services.kernel.store.database import IN_LIST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from services.handling.persistence.work_list import WorkList
    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Tx
    from services.kernel.vault import (
        Files,
        Sealed,
        SealedFile,
        Vault,
    )

COMMAND_KEYS = (
    """CREATE TABLE IF NOT EXISTS command_key (
        actor TEXT NOT NULL, key TEXT NOT NULL, case_id UUID NOT NULL,
        digest BYTEA NOT NULL, result TEXT NOT NULL, PRIMARY KEY (actor, key))""",
)
"""Kept as long as the case: the same key gives the same answer for ever."""

_SELECT_KEYS = (
    "SELECT actor, key, case_id, digest, result FROM command_key WHERE (actor, key) IN"
)

_log = structlog.get_logger(__name__)


class HandlingRecord:
    """`ports.Record` over one database."""

    def __init__(
        self,
        store: EventStore[Envelope[Any]],
        cases: WorkList,
        vault: Vault,
        files: Files,
    ) -> None:
        self._store = store
        self._cases = cases
        self._vault = vault
        self._files = files
        store.database.migrate(COMMAND_KEYS)

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        try:
            with self._store.database.write() as tx:
                yield tx
        except IntegrityError as error:
            raise TakenError from error
        except PersistenceError as error:
            _log.warning("handling.store_failed", exc_info=True)
            raise UnavailableError(
                "handling.store_unavailable",
                "It is not certain that this was done: send it again with the same key.",
                retry_after=5,
            ) from error

    def load(self, tx: Tx, case_id: UUID) -> list[Envelope[Any]]:
        rows = tx.fetchall(
            "SELECT type, body FROM stored_events WHERE case_id = ? ORDER BY version",
            (case_id,),
        )
        try:
            return [quick.decode(name, body) for name, body in rows]
        except codec.UnreadableEventError:
            raise newer() from None

    def outdated(self, tx: Tx, versions: Mapping[UUID, int]) -> set[UUID]:
        if tx.dialect == "sqlite":  # this process alone writes
            return set()
        cases = list(versions)
        return {
            case
            for start in range(0, len(cases), IN_LIST_LIMIT)
            for case, version in _newest(tx, cases[start : start + IN_LIST_LIMIT])
            if version != versions[case]
        }

    def keys(
        self, tx: Tx, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], KeyRow]:
        pairs = list(wanted)
        found: dict[tuple[str, str], KeyRow] = {}
        for start in range(0, len(pairs), IN_LIST_LIMIT):
            some = pairs[start : start + IN_LIST_LIMIT]
            places = ", ".join(["(?, ?)"] * len(some))
            select = f"{_SELECT_KEYS} (VALUES {places})"
            for row in tx.fetchall(select, [value for pair in some for value in pair]):
                found[row[0], row[1]] = KeyRow._make(row)
        return found

    def keep(
        self,
        tx: Tx,
        *,
        events: Sequence[Envelope[Any]],
        cases: Sequence[Case],
        documents: Sequence[Sealed],
        files: Sequence[SealedFile],
        keys: Sequence[KeyRow],
    ) -> None:
        self._store.put(tx, events)
        self._cases.keep(tx, cases)
        self._vault.put(tx, documents)
        self._files.put(tx, files)
        tx.executemany(
            "INSERT INTO command_key (actor, key, case_id, digest, result)"
            " VALUES (?, ?, ?, ?, ?)",
            keys,
        )


def _newest(tx: Tx, cases: Sequence[UUID]) -> list[tuple[UUID, int]]:
    places = ", ".join("?" * len(cases))
    rows = tx.fetchall(
        "SELECT case_id, MAX(version) FROM stored_events"  # noqa: S608 only placeholders
        f" WHERE case_id IN ({places}) GROUP BY case_id",
        cases,
    )
    return [(case, version) for case, version in rows]
