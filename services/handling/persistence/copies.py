"""Which events were for which department, in SQL: so that no feed reads another's events.

The rows follow from the events and are written in their transaction. What an amends
without this table committed is made up for at start.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from events import codec
from services.handling.domain.visibility import told_departments
from services.handling.ports import Copy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Tx

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS department_copy (
        department TEXT NOT NULL, position BIGINT NOT NULL,
        PRIMARY KEY (department, position))""",
    """CREATE TABLE IF NOT EXISTS department_copies_upto (
        id BIGINT PRIMARY KEY, position BIGINT NOT NULL)""",
)
_AT_ONCE: Final = 1_000  # events in hand while rows are made up for

_log = structlog.get_logger(__name__)


class _Stored(Protocol):
    @property
    def position(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class DepartmentCopies:
    """`ports.Copies` beside the events of a store, from now on kept with them."""

    def __init__(self, store: EventStore[Any]) -> None:
        self._database = store.database
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._make_up()
        store.alongside(self._keep)

    @property
    def shared(self) -> bool:
        return self._database.dialect == "postgres"

    def page(self, department: str, after: int, *, limit: int) -> list[Copy]:
        with self._database.read() as tx:
            rows = tx.fetchall(
                "SELECT position, body FROM department_copy"
                " JOIN stored_events USING (position)"
                " WHERE department = ? AND position > ? ORDER BY position LIMIT ?",
                (department, after, limit),
            )
        return [Copy._make(row) for row in rows]

    def on_commit(self, callback: Callable[[frozenset[str]], None]) -> None:
        self._listeners.append(callback)

    def _keep(self, tx: Tx, entries: Sequence[_Stored]) -> None:
        rows = [
            (department, entry.position)
            for entry in entries
            for department in told_departments(codec.hearing(entry.body))
        ]
        # First of all: whoever makes up for rows at its start waits for this one.
        tx.execute(
            "UPDATE department_copies_upto SET position = ?",
            (entries[-1].position,),
        )
        if rows:
            tx.executemany(
                "INSERT INTO department_copy (department, position) VALUES (?, ?)"
                " ON CONFLICT (department, position) DO NOTHING",
                rows,
            )
            tx.after_commit(partial(self._tell, frozenset(name for name, _ in rows)))

    def _tell(self, departments: frozenset[str]) -> None:
        for callback in self._listeners:
            callback(departments)

    def _make_up(self) -> None:
        """Write the rows of what was committed without them; of nothing, mostly."""
        self._database.migrate(_TABLES)
        made = 0
        with self._database.write() as tx:
            tx.execute(
                "INSERT INTO department_copies_upto (id, position) VALUES (1, 0)"
                " ON CONFLICT (id) DO NOTHING"
            )
            # On PostgreSQL another process that writes or starts now waits here.
            tx.execute("UPDATE department_copies_upto SET position = position")
            kept = tx.fetchone("SELECT position FROM department_copies_upto")
            after: int = kept[0] if kept else 0
            while rows := tx.fetchall(
                "SELECT position, body FROM stored_events WHERE position > ?"
                " ORDER BY position LIMIT ?",
                (after, _AT_ONCE),
            ):
                some = [Copy._make(row) for row in rows]
                self._keep(tx, some)
                after = some[-1].position
                made += len(some)
        if made:
            _log.info("handling.copies_made_up", events=made)
