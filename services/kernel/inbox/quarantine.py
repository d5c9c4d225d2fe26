"""What a consumer cannot handle: its bytes sealed, its reason open, until it is settled.

Such bytes may be anything, words of people too. So they lie in the vault, each under a
key of its own, which is destroyed when they are replayed or discarded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.kernel.clock import from_micros, micros, new_uuid7, rfc3339
from services.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from services.kernel.clock import Clock
    from services.kernel.store.database import Tx
    from services.kernel.vault import Vault

UNKNOWN_CASE: Final = UUID(int=0)
"""Messages that do not even tell their case wait under this one."""

Place = tuple[UUID, int]
"""A case and a version in it."""

QUARANTINE_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS quarantine (
        consumer TEXT NOT NULL, case_id UUID NOT NULL, version BIGINT NOT NULL,
        document_id UUID NOT NULL UNIQUE, key_id UUID NOT NULL, digest TEXT NOT NULL,
        size BIGINT NOT NULL, subject TEXT NOT NULL, announced BOOLEAN NOT NULL,
        PRIMARY KEY (consumer, case_id, version))""",
    """CREATE TABLE IF NOT EXISTS quarantine_discarded (
        document_id UUID PRIMARY KEY, consumer TEXT NOT NULL, case_id UUID NOT NULL,
        version BIGINT NOT NULL, position BIGINT NOT NULL, reason TEXT NOT NULL,
        digest TEXT NOT NULL, actor TEXT NOT NULL, cause TEXT NOT NULL,
        discarded_at BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS quarantine_discarded_by_time
        ON quarantine_discarded (consumer, discarded_at)""",
    """CREATE TABLE IF NOT EXISTS quarantine_replay (
        consumer TEXT NOT NULL, replayed_at BIGINT NOT NULL, actor TEXT NOT NULL,
        document_id UUID, applied BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS quarantine_replay_by_time
        ON quarantine_replay (consumer, replayed_at)""",
)
KIND: Final = "quarantined_message"
MEDIA_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One message that waits for a person; `behind` counts what waits for it.

    `digest` is salted, as every document's; `case_id` is None where the message did
    not tell its case, and `version` its place in the stream then. `fields` are those
    at fault of a message that was refused.
    """

    document_id: UUID
    consumer: str
    case_id: UUID | None
    version: int
    position: int
    reason: str
    subject: str
    digest: str
    size: int
    since: datetime
    behind: int
    fields: tuple[str, ...] = ()

    @property
    def place(self) -> Place:
        return self.case_id or UNKNOWN_CASE, self.version


def told_of(message: Quarantined) -> dict[str, object]:
    """Give a message as every interface tells it, without a byte of what it held."""
    return {
        "document_id": str(message.document_id),
        "consumer": message.consumer,
        "case_id": str(message.case_id) if message.case_id else None,
        "version": message.version,
        "position": message.position,
        "reason": message.reason,
        "fields": list(message.fields),
        "subject": message.subject,
        "digest": message.digest,
        "size": message.size,
        "since": rfc3339(message.since),
        "behind": message.behind,
    }


@dataclass(frozen=True, slots=True)
class Discard:
    """Who let a message go for ever, and the code of why."""

    actor: str
    cause: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """A message that was passed over, and who decided so."""

    case_id: UUID | None
    version: int
    reason: str
    digest: str
    actor: str
    cause: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """Somebody had one message, or all where `document_id` is None, tried again."""

    document_id: UUID | None
    actor: str
    applied: int
    at: datetime


class Quarantine:
    """The quarantine of one consumer; every method works in the caller's transaction."""

    def __init__(self, consumer: str, vault: Vault, *, now: Clock) -> None:
        self._consumer = consumer
        self._vault = vault
        self._now = now

    def keep(self, tx: Tx, messages: Sequence[tuple[Place, bytes, str]]) -> None:
        """Seal messages, each with its place and the subject that it came under."""
        now = self._now()
        keys = [new_uuid7(now) for _ in messages]
        self._vault.ensure_keys(keys)
        sealed = [
            self._vault.seal(
                document_id=new_uuid7(now),
                subject_id=key,
                kind=KIND,
                media_type=MEDIA_TYPE,
                plaintext=body,
            )
            for key, (_, body, _) in zip(keys, messages, strict=True)
        ]
        self._vault.put(tx, sealed)
        tx.executemany(
            "INSERT INTO quarantine (consumer, case_id, version, document_id, key_id,"
            " digest, size, subject, announced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._consumer,
                    *place,
                    document.document_id,
                    document.subject_id,
                    document.digest,
                    document.size,
                    subject,
                    False,
                )
                for document, (place, _, subject) in zip(sealed, messages, strict=True)
            ],
        )

    def body(self, tx: Tx, place: Place) -> bytes:
        """Open what waits at a place. Raises as `Vault.open`."""
        row = tx.fetchone(
            "SELECT document_id FROM quarantine"
            " WHERE consumer = ? AND case_id = ? AND version = ?",
            (self._consumer, *place),
        )
        if row is None:
            raise unknown()
        return self._vault.open(row[0]).plaintext

    def let_go(self, tx: Tx, places: Iterable[Place]) -> None:
        """Remove what was settled; its keys are destroyed after the commit."""
        for place in places:
            row = tx.fetchone(
                "SELECT document_id, key_id FROM quarantine"
                " WHERE consumer = ? AND case_id = ? AND version = ?",
                (self._consumer, *place),
            )
            if row is None:
                continue
            document_id, key_id = row
            tx.execute("DELETE FROM quarantine WHERE document_id = ?", (document_id,))
            self._vault.remove(tx, document_id)
            tx.after_commit(partial(self._destroy, key_id))

    def _destroy(self, key_id: UUID) -> None:
        self._vault.destroy_key(key_id, self._now())

    def all(self, tx: Tx) -> list[Quarantined]:
        """Give what waits, the oldest first."""
        rows = tx.fetchall(
            "SELECT q.document_id, q.case_id, q.version, w.position, w.detail,"
            " q.subject, q.digest, q.size, w.since, (SELECT COUNT(*)"
            " FROM inbox_waiting b WHERE b.consumer = q.consumer"
            " AND b.case_id = q.case_id AND b.version > q.version)"
            " FROM quarantine q JOIN inbox_waiting w ON w.consumer = q.consumer"
            " AND w.case_id = q.case_id AND w.version = q.version"
            " WHERE q.consumer = ? ORDER BY w.since, q.case_id, q.version",
            (self._consumer,),
        )
        return [
            Quarantined(
                document_id=document_id,
                consumer=self._consumer,
                case_id=_told_case(case_id),
                version=version,
                position=position,
                reason=reason or "",
                subject=subject,
                digest=digest,
                size=size,
                since=from_micros(since),
                behind=0 if case_id == UNKNOWN_CASE else behind,
            )
            for (
                document_id,
                case_id,
                version,
                position,
                reason,
                subject,
                digest,
                size,
                since,
                behind,
            ) in rows
        ]

    def counted(self, tx: Tx) -> list[tuple[str, int]]:
        """Count what waits, by its reason."""
        rows = tx.fetchall(
            "SELECT detail, COUNT(*) FROM inbox_waiting"
            " WHERE consumer = ? AND reason = 'poison' GROUP BY detail",
            (self._consumer,),
        )
        return [(reason or "", count) for reason, count in rows]

    def one(self, tx: Tx, document_id: UUID) -> Quarantined:
        """Give one of them; raises NotFoundError."""
        for each in self.all(tx):
            if each.document_id == document_id:
                return each
        raise unknown()

    def note_discarded(self, tx: Tx, message: Quarantined, how: Discard) -> None:
        """Keep for ever that a message was discarded, by whom and why."""
        tx.execute(
            "INSERT INTO quarantine_discarded (document_id, consumer, case_id, version,"
            " position, reason, digest, actor, cause, discarded_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.document_id,
                message.consumer,
                *message.place,
                message.position,
                message.reason,
                message.digest,
                how.actor,
                how.cause,
                micros(self._now()),
            ),
        )

    def note_replay(
        self, tx: Tx, *, actor: str, document_id: UUID | None, applied: int
    ) -> None:
        """Keep for ever that somebody had messages tried again."""
        tx.execute(
            "INSERT INTO quarantine_replay"
            " (consumer, replayed_at, actor, document_id, applied)"
            " VALUES (?, ?, ?, ?, ?)",
            (self._consumer, micros(self._now()), actor, document_id, applied),
        )

    def discarded(self, tx: Tx, *, limit: int) -> list[Discarded]:
        """Give what was let go, the latest first."""
        rows = tx.fetchall(
            "SELECT case_id, version, reason, digest, actor, cause, discarded_at"
            " FROM quarantine_discarded WHERE consumer = ?"
            " ORDER BY discarded_at DESC LIMIT ?",
            (self._consumer, limit),
        )
        return [
            Discarded(
                _told_case(case_id),
                version,
                reason,
                digest,
                actor,
                cause,
                from_micros(at),
            )
            for case_id, version, reason, digest, actor, cause, at in rows
        ]

    def replays(self, tx: Tx, *, limit: int) -> list[Replay]:
        """Give who had what tried again, the latest first."""
        rows = tx.fetchall(
            "SELECT document_id, actor, applied, replayed_at FROM quarantine_replay"
            " WHERE consumer = ? ORDER BY replayed_at DESC LIMIT ?",
            (self._consumer, limit),
        )
        return [
            Replay(document_id, actor, applied, from_micros(at))
            for document_id, actor, applied, at in rows
        ]

    def unannounced(self, tx: Tx) -> list[UUID]:
        rows = tx.fetchall(
            "SELECT document_id FROM quarantine WHERE consumer = ? AND announced = ?",
            (self._consumer, False),
        )
        return [document_id for (document_id,) in rows]

    def announced(self, tx: Tx, document_ids: Sequence[UUID]) -> None:
        tx.executemany(
            "UPDATE quarantine SET announced = ? WHERE document_id = ?",
            [(True, document_id) for document_id in document_ids],
        )


def _told_case(case_id: UUID) -> UUID | None:
    return None if case_id == UNKNOWN_CASE else case_id


def unknown() -> NotFoundError:
    return NotFoundError(
        "quarantine.unknown",
        "Nothing in quarantine has this id (any more): see `amends quarantine list`.",
    )
