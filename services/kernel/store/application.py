"""The event store of a service: an `eventsourcing` application over its own database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import (
    JSONTranscoder,
    Mapper,
    StoredEvent,
)
from eventsourcing.popo import POPOFactory
from eventsourcing.utils import Environment

from services.kernel.clock import from_micros, micros
from services.kernel.errors import RefusedError
from services.kernel.store.recorder import (
    EventRecorder,
    Ledger,
    LogEntry,
    PostgresRecorder,
    SqliteRecorder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from eventsourcing.persistence import InfrastructureFactory
    from eventsourcing.utils import EnvType

    from services.kernel.store.database import Database, Tx

E = TypeVar("E")
S = TypeVar("S")

FORMAT = 1
"""Number of the way a store lies in its database; a newer one is refused."""

_META = "CREATE TABLE IF NOT EXISTS store_meta (name TEXT PRIMARY KEY, value TEXT)"


class Codec(Protocol[E]):
    """Events as the bytes that are stored and published, and back."""

    def encode(self, event: E) -> bytes: ...

    def decode(self, body: bytes) -> E: ...

    def key(self, event: E) -> tuple[UUID, int, str]:
        """Give the case, the version in the case and the type."""


class _EnvelopeMapper(Mapper[UUID], Generic[E]):
    """What is stored is the whole envelope; there is no second transcoding."""

    def __init__(self, codec: Codec[E]) -> None:
        super().__init__(transcoder=JSONTranscoder())
        self._codec = codec

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        case_id, version, topic = self._codec.key(domain_event)
        return StoredEvent(case_id, version, topic, self._codec.encode(domain_event))

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        return self._codec.decode(stored_event.state)


class _Application(Application[UUID]):
    # Fixed: the library derives names of tables and settings from it.
    name = "stored"

    def __init__(self, recorder: EventRecorder, codec: Codec[Any]) -> None:
        self._parts = recorder, codec
        super().__init__(env={})

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        # The library would let os.environ overrule what is passed in.
        return Environment(name, dict(env or {}))

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        return POPOFactory(env)  # asked for nothing: the parts are made here

    def construct_recorder(self) -> EventRecorder:
        return self._parts[0]

    def construct_mapper(self) -> Mapper[UUID]:
        return _EnvelopeMapper(self._parts[1])


class EventStore(Generic[E]):
    """The record of one service: append, read a case, read the log.

    Attributes: `name` of the service, `epoch` (replaced by every restore, part of each
    message id), `database`, `staging` for a copy that sends nothing.
    """

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        codec: Codec[E],
        now: Callable[[], datetime],
        ledger: Ledger | None = None,
    ) -> None:
        recorder_class = (
            SqliteRecorder if database.dialect == "sqlite" else PostgresRecorder
        )
        self.name = name
        self.database = database
        self.epoch, self.staging = _opened(database, name)
        self._recorder = recorder_class(database, now=now, ledger=ledger)
        self._app = _Application(self._recorder, codec)
        self._listeners: list[Callable[[], None]] = []
        self._beside: list[Callable[[Tx, Sequence[LogEntry]], None]] = []

    def put(self, tx: Tx, events: Sequence[E]) -> list[LogEntry]:
        """Append events in the caller's transaction; rows beside them are the caller's.

        Raises `eventsourcing.persistence.IntegrityError` when a case already has one of
        the versions: the transaction is lost, decide anew.
        """
        mapper = self._app.mapper
        stored = [mapper.to_stored_event(cast("Any", event)) for event in events]
        return self._append(tx, stored)

    def put_bodies(
        self, tx: Tx, rows: Iterable[tuple[UUID, int, str, bytes]]
    ) -> list[LogEntry]:
        """Append (case, version, type, body) as another store had it, byte for byte."""
        return self._append(tx, [StoredEvent(*row) for row in rows])

    def put_back(self, tx: Tx, entries: Sequence[LogEntry]) -> None:
        """Append what this log had once, byte for byte, at the places that it had.

        Only `alongside` rows are written beside it; nobody is woken.
        """
        self._recorder.put_back(tx, entries)
        for keep in self._beside:
            keep(tx, entries)

    def lock(self, tx: Tx) -> None:
        """Have all others who append wait until this transaction ends.

        What is read after it holds what they committed, and nothing is added meanwhile.
        """
        self._recorder.lock(tx)

    def _append(self, tx: Tx, stored: Sequence[StoredEvent]) -> list[LogEntry]:
        entries = self._recorder.append(tx, stored)
        if entries:
            for keep in self._beside:
                keep(tx, entries)
            tx.after_commit(self._wake)
        return entries

    def load(self, case_id: UUID, *, upto_version: int | None = None) -> list[E]:
        """Give the events of one case in order, upcast; empty where there is none."""
        return cast("list[E]", list(self._app.events.get(case_id, lte=upto_version)))

    def fold(
        self,
        case_id: UUID,
        evolve: Callable[[S | None, E], S],
        *,
        upto_version: int | None = None,
    ) -> S | None:
        """Rebuild the state of one case, or None where the case does not exist."""
        state: S | None = None
        for event in self.load(case_id, upto_version=upto_version):
            state = evolve(state, event)
        return state

    def log(
        self,
        after: int,
        limit: int,
        *,
        upto: int | None = None,
        case_id: UUID | None = None,
    ) -> list[LogEntry]:
        """Give at most `limit` entries behind position `after`, oldest first."""
        return self._recorder.log(after, limit, upto=upto, case_id=case_id)

    def histories(
        self, cases: Collection[UUID], *, upto: int
    ) -> dict[UUID, list[LogEntry]]:
        """Give the entries of these cases up to a position, each case's in order.

        A case of which nothing was known by then is left out.
        """
        found: dict[UUID, list[LogEntry]] = {}
        for entry in self._recorder.histories(cases, upto=upto):
            found.setdefault(entry.case_id, []).append(entry)
        return found

    def last_position(self) -> int:
        return self._recorder.max_notification_id() or 0

    def position_at(self, instant: datetime) -> int:
        """Turn knowledge time into the last position known by then; 0 before all."""
        with self.database.read() as tx:
            row = tx.fetchone(
                "SELECT position FROM stored_events WHERE committed_at <= ?"
                " ORDER BY committed_at DESC, position DESC LIMIT 1",
                (micros(instant),),
            )
        return row[0] if row else 0

    def known_at(self, position: int) -> datetime | None:
        """Tell when the last event up to a position was known; None before all."""
        with self.database.read() as tx:
            row = tx.fetchone(
                "SELECT committed_at FROM stored_events WHERE position <= ?"
                " ORDER BY position DESC LIMIT 1",
                (position,),
            )
        return from_micros(row[0]) if row else None

    def alongside(self, keep: Callable[[Tx, Sequence[LogEntry]], None]) -> None:
        """Have `keep` write rows that follow from events, whoever appends these."""
        self._beside.append(keep)

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback` called after each commit that appended, in its thread."""
        self._listeners.append(callback)

    def _wake(self) -> None:
        for callback in self._listeners:
            callback()


def open_store(
    database: Database,
    *,
    name: str,
    codec: Codec[E],
    now: Callable[[], datetime],
    ledger: Ledger | None = None,
) -> EventStore[E]:
    """Open or make the event store of service `name`.

    Raises `RefusedError` where the database belongs to another service or was written
    by a newer amends.
    """
    return EventStore(database, name=name, codec=codec, now=now, ledger=ledger)


def replace_epoch(tx: Tx) -> tuple[str, str]:
    """Give a restored store another epoch; returns the old one and the new one."""
    row = tx.fetchone("SELECT value FROM store_meta WHERE name = 'epoch'")
    old, new = str(row[0]) if row else "", os.urandom(8).hex()
    tx.execute("UPDATE store_meta SET value = ? WHERE name = 'epoch'", (new,))
    return old, new


def mark_staging(tx: Tx, *, staging: bool) -> None:
    """Mark a store as a copy to try things on, or take the mark from it."""
    tx.execute("DELETE FROM store_meta WHERE name = 'staging'")
    if staging:
        tx.execute("INSERT INTO store_meta (name, value) VALUES ('staging', 'yes')")


def _opened(database: Database, name: str) -> tuple[str, bool]:
    """Check whose database this is, in which format; give epoch and mark of a copy."""
    if not database.read_only:
        _marked(database, name)
    with database.read() as tx:
        found = dict(tx.fetchall("SELECT name, value FROM store_meta"))
    if int(found["format"]) > FORMAT:
        raise RefusedError(
            "store.format_newer",
            f"This database has format {found['format']}, this amends knows {FORMAT}:"
            " upgrade amends, the data is untouched.",
        )
    if found["service"] != name:
        raise RefusedError(
            "store.other_service",
            f"This database belongs to {found['service']}, not to {name}:"
            " give each service its own.",
        )
    return str(found["epoch"]), "staging" in found


def _marked(database: Database, name: str) -> None:
    """Write what a new database must say of itself."""
    database.migrate((_META,))
    marks = {"format": str(FORMAT), "service": name, "epoch": os.urandom(8).hex()}
    with database.write() as tx:
        for key, value in marks.items():
            tx.execute(
                "INSERT INTO store_meta (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (key, value),
            )
