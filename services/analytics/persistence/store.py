"""Live rows, rebuilt rows and the standing of both in one database."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from eventsourcing import persistence

from services.analytics.persistence.bi import SEEN, drop_views, lock_views, make_views
from services.analytics.persistence.rows import SqlRows
from services.analytics.persistence.snapshot import SqlSnapshot
from services.analytics.persistence.tables import (
    BESIDE,
    LIVE,
    REPLACED,
    SELECTED,
    SHAPE,
    STATE,
    TABLES,
    shape,
    tables,
)
from services.kernel.errors import RefusedError
from services.kernel.inbox import INBOX_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from services.analytics.ports import Snapshot
    from services.kernel.store.database import Database, Tx

DIGEST_PAGE: Final = 2_000
SETTLE_PAGE: Final = 5_000
SWAP_PATIENCE: Final = 2_000  # ms that a swap waits for those who read the rows


class SqlFactStore:
    """Live rows, rebuilt rows and the standing of both in one database."""

    def __init__(self, database: Database, *, consumer: str = "analytics") -> None:
        """Open or make the tables; `consumer` names the inbox that lies beside them."""
        self._database = database
        self._consumer = consumer
        self.live = SqlRows(LIVE)
        self.beside = SqlRows(BESIDE)
        self._rebuilding: int | None = None  # generation of the rebuild begun here
        database.migrate((*INBOX_TABLES, STATE, SHAPE, SEEN))
        with database.write() as tx:
            self._found(tx)
            make_views(tx)

    def _found(self, tx: Tx) -> None:
        """Make the tables, anew where their columns are those of another release.

        Then nothing is left of the old rows: the log is read again from its beginning.
        What waits or is in quarantine stays, and comes in behind its predecessors.
        """
        if tx.dialect == "postgres":  # two services may start at once
            tx.execute("LOCK TABLE analytics_state IN EXCLUSIVE MODE")
        if tx.fetchone("SELECT digest FROM analytics_shape") == (shape(),):
            return
        row = tx.fetchone("SELECT generation FROM analytics_state")
        generation = 0 if row is None else row[0] + 1
        drop_views(tx)
        for suffix in (LIVE, BESIDE, REPLACED):
            _drop(tx, suffix)
        for statement in tables(LIVE, generation):
            tx.execute(statement)
        for table in ("inbox_case", "inbox_position"):
            tx.execute(f"DELETE FROM {table} WHERE consumer = ?", (self._consumer,))  # noqa: S608 our own names
        tx.execute("DELETE FROM analytics_state")
        tx.execute("INSERT INTO analytics_state VALUES (1, 0, 0, ?)", (generation,))
        tx.execute("DELETE FROM analytics_shape")
        tx.execute("INSERT INTO analytics_shape VALUES (?)", (shape(),))

    def transaction(self) -> AbstractContextManager[Tx]:
        return self._database.write()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._database.read() as tx:
            yield SqlSnapshot(tx, self._consumer)

    def settle(
        self, tx: Tx, *, unfit: int = 0, following: Mapping[int, int] | None = None
    ) -> None:
        # The lock makes a second worker see what the first has committed.
        lock = " FOR UPDATE" if tx.dialect == "postgres" else ""
        row = tx.fetchone(f"SELECT complete_to FROM analytics_state{lock}")  # noqa: S608 our own words
        before = reached = row[0] if row else 0
        told = following or {}
        full = True
        while full:
            arrived, full = self._arrived(tx, reached)
            for position in arrived:
                if position != told.get(reached, reached + 1):
                    full = False
                    break
                reached = position
        if reached != before or unfit:
            tx.execute(
                "UPDATE analytics_state SET complete_to = ?, unfit = unfit + ?",
                (reached, unfit),
            )

    def _arrived(self, tx: Tx, after: int) -> tuple[list[int], bool]:
        """Give positions behind `after` that are in the rows or held; and if more are."""
        rows = tx.fetchall(
            "SELECT position FROM log_position WHERE position > ?"
            " ORDER BY position LIMIT ?",
            (after, SETTLE_PAGE),
        )
        full = len(rows) == SETTLE_PAGE
        held = tx.fetchall(
            "SELECT position FROM inbox_waiting WHERE consumer = ? AND position > ?",
            (self._consumer, after),
        )
        found = {position for (position,) in rows}
        last = max(found, default=0)
        found.update(position for (position,) in held if not full or position < last)
        return sorted(found), full

    def begin_rebuild(self) -> None:
        with self._database.write() as tx:
            tx.execute("UPDATE analytics_state SET generation = generation + 1")
            row = tx.fetchone("SELECT generation FROM analytics_state")
            generation = row[0] if row else 0
            for suffix in (BESIDE, REPLACED):
                _drop(tx, suffix)
            for statement in tables(BESIDE, generation):
                tx.execute(statement)
        self._rebuilding = generation

    def require_rebuild(self, tx: Tx) -> None:
        # The lock keeps another from beginning until this transaction ends.
        lock = " FOR SHARE" if tx.dialect == "postgres" else ""
        row = tx.fetchone(f"SELECT generation FROM analytics_state{lock}")  # noqa: S608 our own words
        if row is None or row[0] != self._rebuilding:
            raise RefusedError(
                "analytics.rebuild_elsewhere",
                "Another process has begun a rebuild since: wait for that one.",
            )

    def digest(self, position: int, *, beside: bool) -> str:
        suffix = BESIDE if beside else LIVE
        digest = hashlib.sha256()
        for rows in self._pages(
            f"SELECT {SELECTED} FROM complaint_row{suffix}"  # noqa: S608 our own names
            " WHERE (case_id, from_position) > (?, ?) AND from_position <= ?"
            " ORDER BY case_id, from_position LIMIT ?",
            (UUID(int=0), -1),
            position,
        ):
            digest.update(_lines([_as_of(row, position) for row in rows]))
        for rows in self._pages(
            f"SELECT position, committed_at FROM log_position{suffix}"  # noqa: S608 our own names
            " WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
            (-1,),
            position,
        ):
            digest.update(_lines(rows))
        return digest.hexdigest()

    def _pages(
        self, sql: str, start: tuple[Any, ...], position: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Read in pages, each its own short transaction: closed history cannot change."""
        key = start
        while True:
            with self._database.read() as tx:
                rows = tx.fetchall(sql, (*key, position, DIGEST_PAGE))
            if not rows:
                return
            yield rows
            key = rows[-1][: len(start)]

    def swap(self, position: int) -> bool:
        try:
            with self._database.write() as tx:
                return self._swapped(tx, position)
        except persistence.OperationalError:
            if self._database.dialect == "postgres":
                return False  # a reader held the rows for too long, or in a circle
            raise

    def _swapped(self, tx: Tx, position: int) -> bool:
        if tx.dialect == "postgres":
            # Nobody waits behind us for longer than this.
            tx.execute(f"SET LOCAL lock_timeout = '{SWAP_PATIENCE}ms'")
            lock_views(tx)
            # Before the state row: a batch takes its locks in this order too.
            tx.execute(
                "LOCK TABLE complaint_row, log_position IN ACCESS EXCLUSIVE MODE"
            )
        self.require_rebuild(tx)
        last = tx.fetchone("SELECT MAX(position) FROM log_position")
        if last is not None and (last[0] or 0) > position:
            return False
        for table in TABLES:
            for old, new in ((LIVE, REPLACED), (BESIDE, LIVE)):
                tx.execute(f"ALTER TABLE {table}{old} RENAME TO {table}{new}")
        tx.execute("UPDATE analytics_state SET complete_to = ?, unfit = 0", (position,))
        make_views(
            tx, anew=True
        )  # a view stays with its table, whatever that is called
        return True

    def drop_replaced(self) -> None:
        with self._database.write() as tx:
            _drop(tx, REPLACED)


def _as_of(row: Sequence[Any], position: int) -> Sequence[Any]:
    """Give one row as it stood at `position`, when later events had not changed it."""
    case_id, from_position, to_position, _, *facts = row
    if to_position is None or to_position > position:
        return (case_id, from_position, None, None, *facts)
    return row


def _lines(rows: Sequence[Sequence[Any]]) -> bytes:
    """Write rows as JSON, each followed by a comma, so that pages leave no trace."""
    return msgspec.json.encode(rows)[1:-1] + b","


def _drop(tx: Tx, suffix: str) -> None:
    for table in TABLES:
        tx.execute(f"DROP TABLE IF EXISTS {table}{suffix}")
