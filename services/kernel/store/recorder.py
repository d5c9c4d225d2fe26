"""How stored events lie in a database: the two recorders under the event store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from eventsourcing.persistence import (
    ApplicationRecorder,
    Notification,
    ProgrammingError,
    StoredEvent,
    Subscription,
)

from services.kernel.clock import micros
from services.kernel.store.database import IN_LIST_LIMIT
from services.kernel.store.leaf import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from services.kernel.store.database import Database, Tx

_COLUMNS = "position, committed_at, case_id, version, type, body, leaf"

_TABLES = {
    # AUTOINCREMENT: without it SQLite gives a deleted row's number out again, and every
    # follower skips the new event.
    "sqlite": (
        """CREATE TABLE IF NOT EXISTS stored_events (
            position INTEGER PRIMARY KEY AUTOINCREMENT, committed_at BIGINT NOT NULL,
            case_id UUID NOT NULL, version BIGINT NOT NULL, type TEXT NOT NULL,
            body BYTEA NOT NULL, leaf BYTEA NOT NULL, UNIQUE (case_id, version))""",
        """CREATE VIEW IF NOT EXISTS stored_events_text AS SELECT position,
            strftime('%Y-%m-%dT%H:%M:%fZ', committed_at / 1000000.0, 'unixepoch')
                AS committed_at,
            lower(substr(hex(case_id), 1, 8) || '-' || substr(hex(case_id), 9, 4) || '-'
                || substr(hex(case_id), 13, 4) || '-' || substr(hex(case_id), 17, 4)
                || '-' || substr(hex(case_id), 21)) AS case_id,
            version, type, CAST(body AS TEXT) AS body, lower(hex(leaf)) AS leaf
            FROM stored_events""",
    ),
    "postgres": (
        """CREATE TABLE IF NOT EXISTS stored_events (
            position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            committed_at BIGINT NOT NULL,
            case_id UUID NOT NULL, version BIGINT NOT NULL, type TEXT NOT NULL,
            body BYTEA NOT NULL, leaf BYTEA NOT NULL, UNIQUE (case_id, version))""",
        """CREATE OR REPLACE VIEW stored_events_text AS SELECT position,
            to_timestamp(committed_at / 1000000.0) AS committed_at,
            case_id::text AS case_id, version, type,
            convert_from(body, 'UTF8') AS body, encode(leaf, 'hex') AS leaf
            FROM stored_events""",
    ),
}
_COMMITTED_AT_INDEX = (
    "CREATE INDEX IF NOT EXISTS stored_events_committed_at"
    " ON stored_events (committed_at, position)"
)


_PLACES = f"({_COLUMNS})", "VALUES (?, ?, ?, ?, ?, ?, ?)"
_PUT_BACK = {
    "sqlite": f"INSERT INTO stored_events {' '.join(_PLACES)}",
    "postgres": "INSERT INTO stored_events"
    f" {' OVERRIDING SYSTEM VALUE '.join(_PLACES)}",
}


class LogEntry(NamedTuple):
    """One stored event with its place: what the relay publishes, the auditor reads."""

    position: int
    committed_at: int  # microseconds since the Unix epoch, knowledge time
    case_id: UUID
    version: int
    type: str
    body: bytes  # the whole envelope, as published
    leaf: bytes  # SHA-256(0x00 ‖ body), RFC 6962


class Ledger(Protocol):
    """What the recorder needs of the ledger: it grows in the same transaction."""

    def extend(self, tx: Tx, leaves: Sequence[tuple[int, bytes]]) -> None: ...


class EventRecorder(ApplicationRecorder):
    """Events of one service in its own database, in the order they were committed.

    `insert_events(…, tx=…)` joins the caller's transaction, so that the rows beside
    the events commit with them. Positions rise in commit order and are never reused.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        ledger: Ledger | None = None,
    ) -> None:
        self._database = database
        self._now = now
        self._ledger = ledger
        if not database.read_only:
            database.migrate((*_TABLES[database.dialect], _COMMITTED_AT_INDEX))

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int]:
        tx: Tx | None = kwargs.get("tx")
        if tx is None:
            raise ProgrammingError("Events are put inside a transaction: pass tx=….")
        return [entry.position for entry in self.append(tx, stored_events)]

    def append(self, tx: Tx, stored_events: Sequence[StoredEvent]) -> list[LogEntry]:
        """Write the events and give each its position and knowledge time."""
        if not stored_events:
            return []
        self.lock(tx)
        # The clock may be set back; what the store knew first stays first.
        last = tx.fetchone(
            "SELECT committed_at FROM stored_events ORDER BY position DESC LIMIT 1"
        )
        committed_at = max(micros(self._now()), last[0] if last else 0)
        rows = [
            (
                committed_at,
                event.originator_id,
                event.originator_version,
                event.topic,
                event.state,
                leaf_hash(event.state),
            )
            for event in stored_events
        ]
        positions = self._insert(tx, rows)
        entries = [
            LogEntry._make((position, *row))
            for position, row in zip(positions, rows, strict=True)
        ]
        if self._ledger is not None:
            self._ledger.extend(tx, [(entry.position, entry.leaf) for entry in entries])
        return entries

    def put_back(self, tx: Tx, entries: Sequence[LogEntry]) -> None:
        """Write entries of another copy of this log at the places that they had there.

        Their positions lie behind all that are here.
        """
        if not entries:
            return
        self.lock(tx)
        self._place(tx, entries)
        if self._ledger is not None:
            self._ledger.extend(tx, [(entry.position, entry.leaf) for entry in entries])

    def _place(self, tx: Tx, entries: Sequence[LogEntry]) -> None:
        tx.executemany(_PUT_BACK[tx.dialect], entries)

    def lock(self, tx: Tx) -> None:
        """Keep other writers out until the commit."""

    def _insert(self, tx: Tx, rows: Sequence[tuple[Any, ...]]) -> Sequence[int]:
        raise NotImplementedError

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        where, params = _conditions(
            ("case_id = ?", originator_id), ("version > ?", gt), ("version <= ?", lte)
        )
        order = f"ORDER BY version {'DESC' if desc else 'ASC'}"
        if limit is not None:
            order += " LIMIT ?"
            params.append(limit)
        with self._database.read() as tx:
            rows = tx.fetchall(
                # Only fixed words are put together here, values are bound.
                f"SELECT case_id, version, type, body FROM stored_events {where} {order}",  # noqa: S608
                params,
            )
        return [StoredEvent(*row) for row in rows]

    def log(
        self,
        after: int,
        limit: int,
        *,
        upto: int | None = None,
        case_id: UUID | None = None,
    ) -> list[LogEntry]:
        where, params = _conditions(
            ("position > ?", after), ("position <= ?", upto), ("case_id = ?", case_id)
        )
        with self._database.read() as tx:
            rows = tx.fetchall(
                f"SELECT {_COLUMNS} FROM stored_events {where} ORDER BY position LIMIT ?",  # noqa: S608 fixed words
                [*params, limit],
            )
        return [LogEntry._make(row) for row in rows]

    def histories(self, cases: Collection[UUID], *, upto: int) -> list[LogEntry]:
        """Give the entries of these cases up to a position, each case's in order."""
        waiting, found = sorted(cases), list[LogEntry]()
        with self._database.read() as tx:
            while waiting:
                some, waiting = waiting[:IN_LIST_LIMIT], waiting[IN_LIST_LIMIT:]
                rows = tx.fetchall(
                    # The sign keeps a planner from walking all positions.
                    f"SELECT {_COLUMNS} FROM stored_events"  # noqa: S608 fixed words
                    f" WHERE case_id IN ({', '.join('?' * len(some))})"
                    " AND +position <= ? ORDER BY case_id, version",
                    [*some, upto],
                )
                found += map(LogEntry._make, rows)
        return found

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = (start or 0) - (1 if inclusive_of_start else 0)
        return [
            Notification(
                id=entry.position,
                originator_id=entry.case_id,
                originator_version=entry.version,
                topic=entry.type,
                state=entry.body,
            )
            for entry in self.log(after, limit, upto=stop)
            if not topics or entry.type in topics
        ]

    def max_notification_id(self) -> int | None:
        with self._database.read() as tx:
            row = tx.fetchone("SELECT MAX(position) FROM stored_events")
        return row[0] if row else None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Refused: followers read the log by position, woken by `on_commit`."""
        raise NotImplementedError("Read the log by position instead.")


class SqliteRecorder(EventRecorder):
    """The writing transaction is exclusive from its first statement: no lock needed."""

    def _insert(self, tx: Tx, rows: Sequence[tuple[Any, ...]]) -> Sequence[int]:
        tx.executemany(
            "INSERT INTO stored_events"
            " (committed_at, case_id, version, type, body, leaf)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        row = tx.fetchone("SELECT last_insert_rowid()")
        last: int = row[0] if row else 0
        return range(last - len(rows) + 1, last + 1)


class PostgresRecorder(EventRecorder):
    """Holds the table's lock from the first insert to the commit.

    So commit order is position order, and no reader sees a gap that is filled later.
    """

    def _place(self, tx: Tx, entries: Sequence[LogEntry]) -> None:
        super()._place(tx, entries)
        tx.execute(
            "SELECT setval(pg_get_serial_sequence('stored_events', 'position'), ?)",
            (entries[-1].position,),
        )

    def lock(self, tx: Tx) -> None:
        tx.execute("SET LOCAL lock_timeout = '30s'")
        tx.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")

    def _insert(self, tx: Tx, rows: Sequence[tuple[Any, ...]]) -> Sequence[int]:
        inserted = tx.fetchall(
            "INSERT INTO stored_events"
            " (committed_at, case_id, version, type, body, leaf)"
            " SELECT committed_at, case_id, version, type, body, leaf FROM"
            " unnest(?::bigint[], ?::uuid[], ?::bigint[], ?::text[], ?::bytea[],"
            " ?::bytea[]) WITH ORDINALITY"
            " AS t (committed_at, case_id, version, type, body, leaf, place)"
            " ORDER BY place RETURNING position",
            [list(column) for column in zip(*rows, strict=True)],
        )
        return sorted(position for (position,) in inserted)


def _conditions(*pairs: tuple[str, object]) -> tuple[str, list[object]]:
    """Join the conditions that have a value: `("x > ?", None)` is left out."""
    given = [(sql, value) for sql, value in pairs if value is not None]
    if not given:
        return "", []
    return "WHERE " + " AND ".join(sql for sql, _ in given), [v for _, v in given]
