"""The sealer of a PostgreSQL store: extends the ledger a moment behind the writers."""

from __future__ import annotations

import threading
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from services.kernel.ledger.tree import sealed

if TYPE_CHECKING:
    from services.kernel.ledger.tree import Ledger
    from services.kernel.store.database import Database

BATCH = 2_000  # leaves in one transaction
GATHER = (
    0.1  # seconds that a wake-up waits for more, so that a busy store seals in batches
)
INTERVAL = 1.0  # seconds between looks when nobody wakes us: other processes write too

_log = structlog.get_logger(__name__)


class Sealer:
    """Seals what other transactions committed, at most one process at a time.

    Several writers append under the event table's lock, so positions are visible in
    order and the rows behind the last sealed one are all there is to seal. Every
    process runs a sealer; an advisory lock, which dies with its holder's transaction,
    picks the one that works. SQLite needs none: its writer extends as it appends.
    """

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger
        digest = sha256(f"amends-ledger\n{ledger.origin}".encode()).digest()
        self._lock = int.from_bytes(digest[:8], "big", signed=True)
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing = False

    def seal(self) -> int:
        """Seal what is committed; gives the number of leaves added.

        0 also means that another sealer is at it.
        """
        total = 0
        while added := self._seal_batch():
            total += added
            if added < BATCH:
                break
        return total

    def _seal_batch(self) -> int:
        with self._database.write() as tx:
            locked = tx.fetchone("SELECT pg_try_advisory_xact_lock(?)", (self._lock,))
            if not (locked and locked[0]):
                return 0
            leaves = tx.fetchall(
                "SELECT position, leaf FROM stored_events WHERE position > ?"
                " ORDER BY position LIMIT ?",
                (sealed(tx).position, BATCH),
            )
            self._ledger.extend(tx, leaves)
        return len(leaves)

    def wake(self) -> None:
        """Say that something was committed; give this to `EventStore.on_commit`."""
        self._woken.set()

    def start(self) -> None:
        self._thread = threading.Thread(
            target=self._run, name=f"sealer {self._ledger.origin}", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Seal once more and end; call it after the writers have ended."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.wait(INTERVAL)
            self._stopping.wait(GATHER)
            self._woken.clear()
            self._attempt()
        self._attempt()

    def _attempt(self) -> None:
        try:
            self.seal()
        except Exception:  # noqa: BLE001 whatever it is, the next look tries again
            if not self._failing:  # said once, not at every look
                _log.exception("ledger.seal_failed", origin=self._ledger.origin)
            self._failing = True
        else:
            self._failing = False
