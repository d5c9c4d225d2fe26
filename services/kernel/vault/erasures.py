"""Erases a person's words in one service: the rows at once, the bytes a moment later.

The transaction that records the erasure overwrites documents. Behind it the key is
destroyed and the files are cleaned, which a crash only puts off: it is done at the next
start.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel.clock import from_micros, micros, system_clock
from services.kernel.store.database import IN_LIST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.store.database import Database, Tx
    from services.kernel.vault.documents import Vault

ERASURE_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS erased_subject (
        subject_id UUID NOT NULL PRIMARY KEY, erased_at BIGINT NOT NULL,
        rounds BIGINT NOT NULL, cleaned_at BIGINT)""",
)
AGAIN: Final = 1.0
"""Seconds until files that could not be cleaned are tried once more."""
SWEPT: Final = ("vault_document",)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Erased:
    """That a person was erased here; `cleaned_at` when nothing was left in the files."""

    subject_id: UUID
    erased_at: datetime
    cleaned_at: datetime | None


class Erasures:
    """The erasures of one service's vault; `also` erases what lies beside the rows.

    It is called for a person after the commit and before the erasure counts as done,
    at least once. `swept` names further tables that lost rows, `secrets` those among
    the keys.
    """

    def __init__(
        self,
        vault: Vault,
        keys: Database,
        documents: Database,
        *,
        now: Clock = system_clock,
        also: Callable[[UUID], None] | None = None,
        swept: Sequence[str] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        documents.migrate(ERASURE_TABLES)
        self._vault = vault
        self._keys = keys
        self._documents = documents
        self._now = now
        self._also = also
        self._swept = (*SWEPT, *swept)
        self._secrets = ("vault_key", *secrets)
        self._listeners: list[Callable[[], None]] = []

    def on_erased(self, callback: Callable[[], None]) -> None:
        """Have `callback` called after each commit that erased, in its thread."""
        self._listeners.append(callback)

    def erase(self, tx: Tx, subject_id: UUID, *, at: datetime) -> None:
        """Overwrite what is there of a person; again, with what has come since."""
        tx.execute(
            "INSERT INTO erased_subject (subject_id, erased_at, rounds)"
            " VALUES (?, ?, 1) ON CONFLICT (subject_id) DO UPDATE SET"
            " rounds = erased_subject.rounds + 1, cleaned_at = NULL",
            (subject_id, micros(at)),
        )
        self._vault.blank(tx, subject_id)
        tx.after_commit(self._told)

    def among(self, tx: Tx, subject_ids: Collection[UUID]) -> set[UUID]:
        """Name those of these people who were erased."""
        found: set[UUID] = set()
        wanted = list(subject_ids)
        for start in range(0, len(wanted), IN_LIST_LIMIT):
            some = wanted[start : start + IN_LIST_LIMIT]
            rows = tx.fetchall(
                "SELECT subject_id FROM erased_subject WHERE subject_id IN"  # noqa: S608 only placeholders
                f" ({', '.join('?' * len(some))})",
                some,
            )
            found |= {subject for (subject,) in rows}
        return found

    def of(self, tx: Tx, subject_id: UUID) -> Erased | None:
        """Tell whether a person was erased, and how far that is."""
        row = tx.fetchone(
            "SELECT erased_at, cleaned_at FROM erased_subject WHERE subject_id = ?",
            (subject_id,),
        )
        if row is None:
            return None
        erased_at, cleaned_at = row
        return Erased(
            subject_id,
            from_micros(erased_at),
            None if cleaned_at is None else from_micros(cleaned_at),
        )

    def finish(self) -> bool:
        """Destroy the keys of those who were erased and clean the files.

        False where a reader still holds old bytes: try again.
        """
        with self._documents.read() as tx:
            due = tx.fetchall(
                "SELECT subject_id, rounds FROM erased_subject WHERE cleaned_at IS NULL"
            )
        if not due:
            return True
        now = self._now()
        for subject, _ in due:
            self._vault.destroy_key(subject, now)
            if self._also is not None:
                self._also(subject)
        clean = [
            self._keys.scrub(whole=self._secrets),
            self._documents.scrub(swept=self._swept),
        ]
        if not all(clean):
            return False
        with self._documents.write() as tx:
            tx.executemany(
                "UPDATE erased_subject SET cleaned_at = ?"
                " WHERE subject_id = ? AND rounds = ?",
                [(micros(now), *round_) for round_ in due],
            )
        _log.info("vault.cleaned", subjects=len(due))
        return True

    def _told(self) -> None:
        for callback in self._listeners:
            callback()


class Cleaner:
    """Finishes erasures behind the commits, outside the way of all else."""

    def __init__(self, erasures: Erasures) -> None:
        self._erasures = erasures
        self._due = asyncio.Event()
        self._due.set()  # what a crash left behind
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self._at_it = asyncio.Lock()
        erasures.on_erased(self.wake)

    def wake(self) -> None:
        """Tell that something was erased; from any thread, after the commit."""
        self._loop.call_soon_threadsafe(self._due.set)

    async def run(self) -> None:
        while True:
            await self._due.wait()
            if self._stopping:
                return
            self._due.clear()
            async with self._at_it:
                done = await self._finished()
            if not done and not self._stopping:
                await asyncio.sleep(AGAIN)
                self._due.set()

    async def stop(self) -> None:
        self._stopping = True
        self._due.set()
        async with self._at_it:  # the databases close after this
            return

    async def _finished(self) -> bool:
        try:
            return await asyncio.to_thread(self._erasures.finish)
        except Exception:  # noqa: BLE001 whatever it is, it is tried until it works
            _log.warning("vault.not_cleaned", exc_info=True)
            return False
