"""One consumer's inbox with its database, its writer and the effect of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kernel.clock import system_clock
from services.kernel.inbox.cases import Applied, Inbox
from services.kernel.inbox.quarantine import KIND, UNKNOWN_CASE
from services.kernel.inbox.rows import INBOX_TABLES, Gap
from services.kernel.vault import Reading, Readings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.inbox.effects import Arrived, Effect
    from services.kernel.inbox.quarantine import (
        Discard,
        Discarded,
        Quarantined,
        Replay,
    )
    from services.kernel.store.database import Database
    from services.kernel.store.writer import Writer


class Following:
    """What a service does with the events of another; all writing in its one thread."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        database: Database,
        writer: Writer,
        effect: Effect,
        now: Clock = system_clock,
    ) -> None:
        database.migrate(INBOX_TABLES)
        self.inbox, self.database, self.effect = inbox, database, effect
        self._writer = writer
        self._readings = Readings(database)
        self._now = now

    async def take(self, arrived: Sequence[Arrived]) -> Applied:
        """Apply events in one transaction with whatever else waits for the writer."""
        return await self._writer.call(self._take, arrived, ours=True)

    def take_at_once(self, arrived: Sequence[Arrived]) -> Applied:
        """Apply events in this thread: for whoever writes here alone.

        However long it takes: nobody waits, and nothing is a culprit for being slow.
        """
        with self.database.write() as tx:
            return self.inbox.apply(tx, arrived, self.effect, watched=False)

    def _take(self, batches: Sequence[Sequence[Arrived]]) -> list[Applied]:
        """Apply batches in one transaction; only the first reports the numbers."""
        together = [event for batch in batches for event in batch]
        with self.database.write() as tx:
            outcome = self.inbox.apply(tx, together, self.effect)
        return [outcome] + [Applied()] * (len(batches) - 1)

    async def replay(
        self, *, only: UUID | None = None, by: str | None = None
    ) -> Applied:
        """Read again what could not be handled, and apply what can be by now.

        `only` names a message in quarantine, whose whole case is tried: its later
        events follow in order. `by` is whoever asked for it, which is noted; a start
        asks for nobody. Raises NotFoundError for one that is not there.
        """

        def work() -> Applied:
            with self.database.write() as tx:
                if only is None:
                    cases = None
                else:
                    message = self.inbox.quarantine.one(tx, only)
                    cases = [message.case_id or UNKNOWN_CASE]
                outcome = self.inbox.replay(tx, self.effect, case_ids=cases)
                if by is not None:
                    self.inbox.quarantine.note_replay(
                        tx, actor=by, document_id=only, applied=outcome.applied
                    )
                return outcome

        return await self._writer.run(work)

    async def opened(
        self, document_id: UUID, *, actor: str, role: str, purpose: str
    ) -> tuple[Quarantined, bytes]:
        """Open a message in quarantine, after noting who reads it and what for.

        Raises NotFoundError, and as `Vault.open`.
        """

        def work() -> tuple[Quarantined, bytes]:
            quarantine = self.inbox.quarantine
            with self.database.write() as tx:
                message = quarantine.one(tx, document_id)
                body = quarantine.body(tx, message.place)
            self._readings.note(
                [
                    Reading(
                        read_at=self._now(),
                        case_id=message.case_id or UNKNOWN_CASE,
                        document_id=document_id,
                        kind=KIND,
                        actor=actor,
                        role=role,
                        department=None,
                        purpose=purpose,
                    )
                ]
            )
            return message, body

        return await self._writer.run(work)

    async def discard(self, document_id: UUID, how: Discard) -> Applied:
        """Let a message go for ever, and apply what waited behind it.

        Raises NotFoundError, and RefusedError while an earlier event is missing.
        """

        def work() -> Applied:
            with self.database.write() as tx:
                return self.inbox.discard(tx, self.effect, document_id, how)

        return await self._writer.run(work)

    async def give_up(self, gap: Gap) -> None:
        """Put what waits behind a gap in quarantine: its source lacks it too."""

        def work() -> None:
            with self.database.write() as tx:
                self.inbox.give_up(tx, gap)

        await self._writer.run(work)

    async def note_position(self, position: int) -> None:
        """Keep how far nothing is missing."""

        def work() -> None:
            with self.database.write() as tx:
                self.inbox.rows.note_position(tx, position)

        await self._writer.run(work)

    async def note_announced(self, document_ids: Sequence[UUID]) -> None:
        """Keep that messages were told on the stream QUARANTINE."""

        def work() -> None:
            with self.database.write() as tx:
                self.inbox.quarantine.announced(tx, document_ids)

        await self._writer.run(work)

    def quarantined(self) -> list[Quarantined]:
        """Give what waits for a person, the oldest first."""
        with self.database.read() as tx:
            return self.inbox.quarantine.all(tx)

    def message(self, document_id: UUID) -> Quarantined:
        """Give one that waits for a person; raises NotFoundError."""
        with self.database.read() as tx:
            return self.inbox.quarantine.one(tx, document_id)

    def discardable(self, document_id: UUID) -> Quarantined:
        """Give a message that could be let go now; raises as `discard`."""
        with self.database.read() as tx:
            return self.inbox.discardable(tx, document_id)

    def settled(self, *, limit: int) -> tuple[list[Discarded], list[Replay]]:
        """Give what was let go and what was tried again, each the latest first."""
        with self.database.read() as tx:
            quarantine = self.inbox.quarantine
            return (
                quarantine.discarded(tx, limit=limit),
                quarantine.replays(tx, limit=limit),
            )

    def unannounced(self) -> list[Quarantined]:
        """Give what the stream QUARANTINE was not told yet."""
        with self.database.read() as tx:
            if not (new := set(self.inbox.quarantine.unannounced(tx))):
                return []
            held = self.inbox.quarantine.all(tx)
        return [each for each in held if each.document_id in new]
