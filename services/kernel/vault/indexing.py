"""Takes into an index what a record held before: once for each form of the index.

What comes while this runs is indexed by those who store it; to take it in twice changes
nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from services.kernel.errors import AmendsError
from services.kernel.tasks import end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.kernel.store.database import Database, Tx
    from services.kernel.store.recorder import LogEntry
    from services.kernel.store.writer import Writer

AT_ONCE = 100
"""Events in hand; others write between two such lots."""

_TABLES = (
    """CREATE TABLE IF NOT EXISTS taken_in (
        id BIGINT PRIMARY KEY, form TEXT NOT NULL, position BIGINT NOT NULL,
        whole BOOLEAN NOT NULL)""",
)

_log = structlog.get_logger(__name__)


class _Log(Protocol):
    def log(self, after: int, limit: int) -> Sequence[LogEntry]: ...


class Indexing:
    """`take` indexes stored events, and does in the same transaction what it is given."""

    def __init__(
        self,
        name: str,
        log: _Log,
        database: Database,
        writer: Writer,
        *,
        form: str,
        take: Callable[[Sequence[LogEntry], Callable[[Tx], None]], None],
    ) -> None:
        """`form` names how the index is made; with another one all is taken in anew."""
        database.migrate(_TABLES)
        self._name = name
        self._log = log
        self._database = database
        self._writer = writer
        self._form = form
        self._take = take
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self._task = asyncio.create_task(self.run())

    async def stop(self) -> None:
        """Leave off; the next start goes on."""
        if self._task is not None:
            await end(self._task)

    async def run(self) -> None:
        """Take in all that is not; what fails is tried again at the next start."""
        try:
            events = 0
            while some := await self._writer.run(self._some):
                events += some
        except AmendsError as error:  # the service ends, or its database is away
            _log.info("index.left_off", service=self._name, reason=error.code)
        except Exception:  # noqa: BLE001 nothing else depends on it
            _log.exception("index.failed", service=self._name)
        else:
            if events:
                _log.info("index.taken_in", service=self._name, events=events)

    def _some(self) -> int:
        """Take in the next lot, and say how many events it had."""
        with self._database.read() as tx:
            row = tx.fetchone("SELECT form, position, whole FROM taken_in WHERE id = 1")
        after, whole = (
            (row[1], bool(row[2])) if row and row[0] == self._form else (0, 0)
        )
        if whole:
            return 0
        entries = self._log.log(after, AT_ONCE)

        def mark(tx: Tx) -> None:
            tx.execute(
                "INSERT INTO taken_in (id, form, position, whole) VALUES (1, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET form = excluded.form,"
                " position = excluded.position, whole = excluded.whole",
                (
                    self._form,
                    entries[-1].position if entries else after,
                    not entries,
                ),
            )

        self._take(entries, mark)
        return len(entries)
