"""What a service refused at its door: its sender knows why, and nothing of it is lost.

Such a message is sealed and listed with what else waits in quarantine. It holds nothing
up and makes no service unready: whoever sent it was told.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from services.kernel.clock import from_micros, micros, new_uuid7
from services.kernel.inbox.quarantine import (
    KIND,
    MEDIA_TYPE,
    UNKNOWN_CASE,
    Quarantined,
    unknown,
)
from services.kernel.vault import Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.errors import AmendsError
    from services.kernel.inbox.quarantine import Discard, Quarantine
    from services.kernel.store.database import Database, Tx
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Readings, Vault

TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS refused_at_door (
        document_id UUID NOT NULL PRIMARY KEY, message_id TEXT NOT NULL UNIQUE,
        key_id UUID NOT NULL, subject TEXT NOT NULL, code TEXT NOT NULL,
        fields TEXT NOT NULL, digest TEXT NOT NULL, size BIGINT NOT NULL,
        refused_at BIGINT NOT NULL)""",
)
_COLUMNS: Final = "document_id, subject, code, fields, digest, size, refused_at"
_PLACES: Final = re.compile(r"\[[0-9]+\]")

Again = Callable[[Quarantined, bytes], Awaitable[bool]]
"""Has a message taken in again; tells whether it was."""


class Door:
    """What one service refused, from the refusal until somebody settles it."""

    def __init__(
        self,
        service: str,
        *,
        database: Database,
        vault: Vault,
        readings: Readings,
        quarantine: Quarantine,
        writer: Writer,
        now: Clock,
        names: Collection[str],
    ) -> None:
        """`quarantine` keeps who settled what, beside its own.

        `names` are those that a field may have: any other is a stranger's word, and is
        not kept.
        """
        database.migrate(TABLES)
        self._service = service
        self._database = database
        self._vault = vault
        self._readings = readings
        self._quarantine = quarantine
        self._writer = writer
        self._now = now
        self._names = frozenset(names)

    async def refuse(
        self, body: bytes, error: AmendsError, *, message_id: str, subject: str
    ) -> Quarantined:
        """Keep a message that is refused, before it is let go; again, the same one.

        `message_id` names it for ever. Raises `UnavailableError`.
        """

        def work() -> Quarantined:
            now = self._now()
            fields = " ".join(self._known(each.field for each in error.errors))
            key = new_uuid7(now)
            self._vault.ensure_keys([key])
            document = self._vault.seal(
                document_id=new_uuid7(now),
                subject_id=key,
                kind=KIND,
                media_type=MEDIA_TYPE,
                plaintext=body,
            )
            with self._database.write() as tx:
                known = tx.fetchone(
                    f"SELECT {_COLUMNS} FROM refused_at_door WHERE message_id = ?",  # noqa: S608 fixed words
                    (message_id,),
                )
                if known is not None:
                    return self._message(known)
                self._vault.put(tx, [document])
                told = (document.digest, document.size, micros(now))
                tx.execute(
                    "INSERT INTO refused_at_door (document_id, message_id, key_id,"
                    " subject, code, fields, digest, size, refused_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        document.document_id,
                        message_id,
                        key,
                        subject,
                        error.code,
                        fields,
                        *told,
                    ),
                )
            return self._message(
                (document.document_id, subject, error.code, fields, *told)
            )

        return await self._writer.run(work)

    def quarantined(self) -> list[Quarantined]:
        """Give what was refused and is not settled, the oldest first."""
        with self._database.read() as tx:
            rows = tx.fetchall(
                f"SELECT {_COLUMNS} FROM refused_at_door ORDER BY refused_at, document_id"  # noqa: S608 fixed words
            )
        return [self._message(row) for row in rows]

    def message(self, document_id: UUID) -> Quarantined | None:
        with self._database.read() as tx:
            return self._one(tx, document_id)

    async def opened(
        self, message: Quarantined, *, actor: str, role: str, purpose: str
    ) -> bytes:
        """Open a message, after noting who reads it and what for."""

        def work() -> bytes:
            document = self._vault.open(message.document_id)
            self._readings.note(
                [
                    Reading(
                        read_at=self._now(),
                        case_id=UNKNOWN_CASE,
                        document_id=message.document_id,
                        kind=KIND,
                        actor=actor,
                        role=role,
                        department=None,
                        purpose=purpose,
                    )
                ]
            )
            return document.plaintext

        return await self._writer.run(work)

    def counted(self, tx: Tx) -> dict[str, int]:
        """Count what waits for a person, by the code of its refusal."""
        return dict(
            tx.fetchall("SELECT code, COUNT(*) FROM refused_at_door GROUP BY code")
        )

    async def body(self, message: Quarantined) -> bytes:
        """Give a message's bytes to be taken in again: no person sees them."""
        return await self._writer.run(
            lambda: self._vault.open(message.document_id).plaintext
        )

    async def settle(
        self, message: Quarantined, discarded: Discard | None = None
    ) -> None:
        """Let a message go, with its key: it was taken in, or somebody gave it up.

        Raises NotFoundError where somebody else was faster.
        """

        def work() -> None:
            with self._database.write() as tx:
                if self._one(tx, message.document_id) is None:
                    raise unknown()
                if discarded is not None:
                    self._quarantine.note_discarded(tx, message, discarded)
                row = tx.fetchone(
                    "SELECT key_id FROM refused_at_door WHERE document_id = ?",
                    (message.document_id,),
                )
                tx.execute(
                    "DELETE FROM refused_at_door WHERE document_id = ?",
                    (message.document_id,),
                )
                self._vault.remove(tx, message.document_id)
                if row is not None:
                    tx.after_commit(partial(self._destroy, row[0]))

        await self._writer.run(work)

    async def note_replay(
        self, *, actor: str, document_id: UUID | None, applied: int
    ) -> None:
        """Keep that somebody had it tried again."""

        def work() -> None:
            with self._database.write() as tx:
                self._quarantine.note_replay(
                    tx, actor=actor, document_id=document_id, applied=applied
                )

        await self._writer.run(work)

    def _known(self, fields: Iterable[str]) -> tuple[str, ...]:
        """Name the fields, none twice, whose every part is a name of ours."""
        return tuple(
            field
            for field in dict.fromkeys(fields)
            if self._names.issuperset(_PLACES.sub("", field).split("."))
        )

    def _destroy(self, key_id: UUID) -> None:
        self._vault.destroy_key(key_id, self._now())

    def _one(self, tx: Tx, document_id: UUID) -> Quarantined | None:
        row = tx.fetchone(
            f"SELECT {_COLUMNS} FROM refused_at_door WHERE document_id = ?",  # noqa: S608 fixed words
            (document_id,),
        )
        return None if row is None else self._message(row)

    def _message(self, row: tuple[Any, ...]) -> Quarantined:
        document_id, subject, code, fields, digest, size, refused_at = row
        return Quarantined(
            document_id=document_id,
            consumer=self._service,
            case_id=None,
            version=0,
            position=0,
            reason=code,
            subject=subject,
            digest=digest,
            size=size,
            since=from_micros(refused_at),
            behind=0,
            fields=self._known(fields.split()),
        )
