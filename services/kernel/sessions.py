"""Sessions of browsers: an id that only the cookie holds, and when it ends."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from services.kernel.clock import from_micros, micros

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.store.database import Database, Tx

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)

_NOTED: Final = timedelta(minutes=1)  # how exactly the last sight is kept
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS sessions (
        digest TEXT PRIMARY KEY, user_id UUID NOT NULL, created_at BIGINT NOT NULL,
        seen_at BIGINT NOT NULL, ends_at BIGINT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user_id)",
)


class Sessions:
    """Opens, finds and ends sessions; only a digest of an id is stored."""

    def __init__(self, database: Database, *, now: Clock) -> None:
        self._database = database
        self._now = now
        if not database.read_only:
            database.migrate(_TABLES)

    def open(self, tx: Tx, user_id: UUID) -> str:
        """Begin a session in the caller's transaction and give its id.

        The id is always new: one that somebody planted before the login is worthless.
        """
        now = self._now()
        self._clear(tx, now)
        session = secrets.token_urlsafe(32)
        ends = micros(now + LONGEST)
        tx.execute(
            "INSERT INTO sessions (digest, user_id, created_at, seen_at, ends_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (_digest(session), user_id, micros(now), micros(now), ends),
        )
        return session

    def find(self, session: str) -> UUID | None:
        """Give whose session this is; None for an unknown or ended one."""
        now = self._now()
        digest = _digest(session)
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT user_id, seen_at, ends_at FROM sessions WHERE digest = ?",
                (digest,),
            )
        if row is None:
            return None
        user_id, seen_at, ends_at = row[0], from_micros(row[1]), from_micros(row[2])
        if now >= ends_at or now >= seen_at + IDLE:
            return None
        if now >= seen_at + _NOTED and not self._database.read_only:
            with self._database.write() as tx:
                tx.execute(
                    "UPDATE sessions SET seen_at = ? WHERE digest = ?",
                    (micros(now), digest),
                )
        found: UUID = user_id
        return found

    def end(self, session: str) -> None:
        with self._database.write() as tx:
            self.end_in(tx, session)

    def end_in(self, tx: Tx, session: str) -> None:
        tx.execute("DELETE FROM sessions WHERE digest = ?", (_digest(session),))

    def end_all_of(self, tx: Tx, user_id: UUID) -> None:
        tx.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))

    @staticmethod
    def _clear(tx: Tx, now: datetime) -> None:
        """Forget what has ended; whoever signs in pays for it."""
        tx.execute(
            "DELETE FROM sessions WHERE ends_at <= ? OR seen_at <= ?",
            (micros(now), micros(now - IDLE)),
        )


def csrf_of(session: str) -> str:
    """Give the token that this session's forms carry; it does not tell the id."""
    return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest()


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode("utf-8", "surrogateescape")).hexdigest()
