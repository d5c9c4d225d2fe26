"""Tokens of people and systems: issued, expired, revoked, each a fact of the record.

Only a digest of a token is ever stored.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.kernel.access import (
    ANONYMOUS,
    Credential,
    new_token,
    require_known,
)
from services.kernel.clock import from_micros, micros, new_uuid7
from services.kernel.errors import (
    ForbiddenError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)
from services.kernel.grants import TokenIssued, TokenRevoked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.grants import Fact
    from services.kernel.places import Places
    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Tx

REMEMBERED = 5.0
"""Seconds that a token is believed without looking again: a revoked one lives on so long."""

_TABLE = """CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, token_id UUID NOT NULL, version BIGINT NOT NULL,
    actor TEXT NOT NULL, role TEXT NOT NULL, department TEXT, channel TEXT,
    issued_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT)"""
_COLUMNS = (
    "token_id, version, actor, role, department, channel, issued_at, expires_at,"
    " revoked_at"
)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of one token; never the token itself."""

    token_id: UUID
    actor: str
    role: str
    department: str | None
    channel: str | None
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenRegister:
    """Issues, lists, revokes and recognises tokens."""

    def __init__(
        self,
        store: EventStore[Fact],
        *,
        places: Places,
        now: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._database = database = store.database
        self.places = places
        self._now = now
        self._monotonic = monotonic
        self._believed: dict[str, tuple[float, Credential]] = {}
        if not database.read_only:
            database.migrate((_TABLE,))

    def issue(
        self,
        *,
        by: str,
        role: str,
        actor: str | None = None,
        department: str | None = None,
        channel: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[str, Token]:
        """Give a new token, shown this once, and what is known of it.

        Raises RefusedError for a role, department or channel that does not exist, a
        department's role without a department, or an end that has passed.
        """
        now = self._now()
        self.places.check(role, department, channel)
        if expires_at is not None and expires_at <= now:
            raise RefusedError(
                "access.expired",
                "The token would have expired already: choose a later end.",
            )
        token = new_token()
        token_id = new_uuid7(now)
        fact = TokenIssued(
            token_id=token_id,
            version=1,
            at=now,
            by=by,
            actor=actor or f"{role}-{token_id.hex[-8:]}",
            role=role,
            department=department,
            channel=channel,
            expires_at=expires_at,
            digest=_digest(token),
        )
        with self._database.write() as tx:
            self.store.put(tx, [fact])
            tx.execute(
                f"INSERT INTO tokens (digest, {_COLUMNS})"  # noqa: S608 fixed words
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    fact.digest,
                    token_id,
                    1,
                    fact.actor,
                    role,
                    department,
                    channel,
                    micros(now),
                    None if expires_at is None else micros(expires_at),
                    None,
                ),
            )
            (known,) = self._select(tx, "token_id = ?", token_id)
        return token, known

    def revoke(self, token_id: UUID, *, by: str) -> Token:
        """End a token; ending it twice changes nothing. Raises NotFoundError."""
        now = self._now()
        with self._database.write() as tx:
            # Two who end it at once: the second waits here and finds it ended.
            tx.execute(
                "UPDATE tokens SET version = version WHERE token_id = ?", (token_id,)
            )
            found = tx.fetchone(
                "SELECT version, revoked_at FROM tokens WHERE token_id = ?", (token_id,)
            )
            if found is None:
                raise NotFoundError(
                    "access.no_token",
                    "There is no such token: `amends access token list` shows all.",
                )
            if found[1] is None:
                self._end(tx, token_id, found[0] + 1, now, by)
            (known,) = self._select(tx, "token_id = ?", token_id)
        return known

    def revoke_all_of(self, tx: Tx, actor: str, *, by: str) -> None:
        """End, in the caller's transaction, each token that somebody has.

        Before any fact is put: `revoke` takes the token first and the store after it.
        """
        now = self._now()
        tx.execute("UPDATE tokens SET version = version WHERE actor = ?", (actor,))
        found = tx.fetchall(
            "SELECT token_id, version FROM tokens"
            " WHERE actor = ? AND revoked_at IS NULL ORDER BY token_id",
            (actor,),
        )
        for token_id, version in found:
            self._end(tx, token_id, version + 1, now, by)

    def _end(
        self, tx: Tx, token_id: UUID, version: int, now: datetime, by: str
    ) -> None:
        fact = TokenRevoked(token_id=token_id, version=version, at=now, by=by)
        self.store.put(tx, [fact])
        tx.execute(
            "UPDATE tokens SET version = ?, revoked_at = ? WHERE token_id = ?",
            (version, micros(now), token_id),
        )
        tx.after_commit(self._believed.clear)

    def all(self) -> list[Token]:
        """Give every token that ever was, oldest first."""
        with self._database.read() as tx:
            return self._select(tx, "1 = ?", 1)

    def authenticate(self, header: str | None) -> Credential:
        """Turn the `Authorization` header into a caller; none at all is anonymous.

        Raises UnauthenticatedError for a token that is unknown, expired or revoked.
        """
        if header is None:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        digest = _digest(token.strip())
        believed = self._believed.get(digest)
        if believed and self._monotonic() - believed[0] < REMEMBERED:
            return believed[1]
        with self._database.read() as tx:
            found = self._select(tx, "digest = ?", digest)
        if scheme.lower() != "bearer" or not found or self._ended(found[0]):
            raise UnauthenticatedError(
                "access.unknown_token",
                "Send `Authorization: Bearer TOKEN` with a token that is still valid,"
                " or no such header at all.",
            )
        known = found[0]
        caller = Credential(
            actor=known.actor,
            role=known.role,
            department=known.department,
            channel=known.channel,
        )
        if len(self._believed) > 10_000:  # noqa: PLR2004 a bound, not a rule
            self._believed.clear()
        self._believed[digest] = (self._monotonic(), caller)
        return caller

    def _ended(self, token: Token) -> bool:
        expired = token.expires_at is not None and token.expires_at <= self._now()
        return expired or token.revoked_at is not None

    @staticmethod
    def _select(tx: Tx, where: str, value: object) -> list[Token]:
        rows = tx.fetchall(
            f"SELECT {_COLUMNS} FROM tokens WHERE {where} ORDER BY issued_at, token_id",  # noqa: S608 fixed words
            (value,),
        )
        return [
            Token(
                token_id=row[0],
                actor=row[2],
                role=row[3],
                department=row[4],
                channel=row[5],
                issued_at=from_micros(row[6]),
                expires_at=_instant(row[7]),
                revoked_at=_instant(row[8]),
            )
            for row in rows
        ]


def require_role(caller: Credential, *roles: str) -> None:
    """Raise ForbiddenError unless the caller has one of the roles.

    Raises UnauthenticatedError for a stranger.
    """
    require_known(caller)
    if caller.role not in roles:
        raise ForbiddenError(
            "access.role", f"This needs the role {' or '.join(roles)}."
        )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_micros(microseconds)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
