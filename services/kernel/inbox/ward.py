"""All that waits for a person in one service: what it could not handle, or refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from uuid import UUID

    from services.kernel.inbox.door import Again, Door
    from services.kernel.inbox.following import Following
    from services.kernel.inbox.quarantine import (
        Discard,
        Discarded,
        Quarantined,
        Replay,
    )


class Ward:
    """What the interfaces of quarantine show and settle."""

    def __init__(
        self, following: Following, door: Door | None = None, again: Again | None = None
    ) -> None:
        """`again` takes in once more what the door refused."""
        self._following = following
        self._door = door
        self._again = again

    def quarantined(self) -> list[Quarantined]:
        """Give what waits for a person, the oldest first."""
        refused = self._door.quarantined() if self._door else []
        return sorted(
            [*self._following.quarantined(), *refused], key=lambda each: each.since
        )

    def message(self, document_id: UUID) -> Quarantined:
        """Give one that waits for a person; raises NotFoundError."""
        return self._refused(document_id) or self._following.message(document_id)

    def discardable(self, document_id: UUID) -> Quarantined:
        """Give a message that could be let go now; raises as `discard`."""
        return self._refused(document_id) or self._following.discardable(document_id)

    async def opened(
        self, document_id: UUID, *, actor: str, role: str, purpose: str
    ) -> tuple[Quarantined, bytes]:
        """Open a message, after noting who reads it and what for.

        Raises NotFoundError, and as `Vault.open`.
        """
        refused = await asyncio.to_thread(self._refused, document_id)
        if self._door and refused:
            return refused, await self._door.opened(
                refused, actor=actor, role=role, purpose=purpose
            )
        return await self._following.opened(
            document_id, actor=actor, role=role, purpose=purpose
        )

    async def replay(self, *, only: UUID | None = None, by: str) -> int:
        """Try one again, or all, and tell how many were handled; who asked is noted.

        Raises NotFoundError for one that is not there.
        """
        if only is not None:
            refused = await asyncio.to_thread(self._refused, only)
            if refused is None:
                return (await self._following.replay(only=only, by=by)).applied
            return await self._taken_in([refused], only=only, by=by)
        handled = (await self._following.replay(by=by)).applied
        if self._door and (waiting := await asyncio.to_thread(self._door.quarantined)):
            handled += await self._taken_in(waiting, only=None, by=by)
        return handled

    async def discard(self, document_id: UUID, how: Discard) -> int:
        """Let a message go for ever, and tell how many that waited behind it went on.

        Raises NotFoundError, and RefusedError while an earlier event is missing.
        """
        refused = await asyncio.to_thread(self._refused, document_id)
        if self._door and refused:
            await self._door.settle(refused, how)
            return 0
        return (await self._following.discard(document_id, how)).applied

    def settled(self, *, limit: int) -> tuple[list[Discarded], list[Replay]]:
        """Give what was let go and what was tried again, each the latest first."""
        return self._following.settled(limit=limit)

    def _refused(self, document_id: UUID) -> Quarantined | None:
        return self._door.message(document_id) if self._door else None

    async def _taken_in(
        self, messages: list[Quarantined], *, only: UUID | None, by: str
    ) -> int:
        assert self._door is not None  # noqa: S101 it gave the messages
        assert self._again is not None  # noqa: S101 whoever has a door can open it
        taken = 0
        for message in messages:
            try:
                if await self._again(message, await self._door.body(message)):
                    await self._door.settle(message)
                    taken += 1
            except NotFoundError:  # somebody else settled it meanwhile
                continue
        await self._door.note_replay(actor=by, document_id=only, applied=taken)
        return taken
