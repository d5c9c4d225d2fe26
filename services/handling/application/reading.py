"""The words of a case, from wherever they lie; every look at them is noted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from events.catalogue import ComplaintReceived
from events.envelope import DocumentRef
from services.handling.ports import Look, Paper
from services.kernel.errors import AmendsError, NotFoundError
from services.kernel.vault import DamagedError, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from services.handling.application.cases import Known
    from services.handling.ports import IntakeDocuments
    from services.kernel.access import Credential
    from services.kernel.clock import Clock
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Readings, Vault

CASE_WORK = "case_work"
"""What words are read for where nothing else is said: to handle the case."""


@dataclass(frozen=True, slots=True)
class Written:
    """A document that an event of a case names; `received`: handed in at intake."""

    ref: DocumentRef
    case_id: UUID
    event: Known
    received: bool


def documents_of(events: Iterable[Known]) -> list[Written]:
    """Name the documents of these events, in their order."""
    return [
        Written(
            ref,
            known.event.case_id,
            known,
            received=isinstance(known.event.data, ComplaintReceived),
        )
        for known in events
        for ref in _refs(known.event.data)
    ]


def _refs(part: Any) -> Iterator[DocumentRef]:
    if isinstance(part, DocumentRef):
        yield part
    elif isinstance(part, tuple):
        for each in part:
            yield from _refs(each)
    else:
        for name in getattr(type(part), "model_fields", ()):
            yield from _refs(getattr(part, name))


class Words:
    """Opens documents for people who may see their case: ask `looking` first."""

    def __init__(
        self,
        vault: Vault,
        readings: Readings,
        intake: IntakeDocuments,
        *,
        writer: Writer,
        now: Clock,
    ) -> None:
        self._vault = vault
        self._readings = readings
        self._intake = intake
        self._writer = writer
        self._now = now

    async def read(
        self,
        wanted: Sequence[Written],
        *,
        reader: Credential,
        purpose: str | None = None,
    ) -> dict[UUID, Paper | AmendsError]:
        """Give each document by its id, or why it cannot be given.

        Raises UnavailableError where the look cannot be noted.
        """
        looks = [
            Look(
                each.case_id,
                each.ref.document_id,
                reader.actor,
                reader.role,
                reader.department,
                purpose,
            )
            for each in wanted
        ]
        handed_in = [
            look for look, each in zip(looks, wanted, strict=True) if each.received
        ]
        ours = [
            (look, each.ref)
            for look, each in zip(looks, wanted, strict=True)
            if not each.received
        ]
        found: dict[UUID, Paper | AmendsError] = {}
        async with asyncio.TaskGroup() as together:
            asked = {
                look.document_id: together.create_task(self._handed_in(look))
                for look in handed_in
            }
            if ours:
                found |= await self._writer.run(lambda: self._own(ours))
        return found | {name: task.result() for name, task in asked.items()}

    async def one(
        self, wanted: Written, *, reader: Credential, purpose: str | None = None
    ) -> Paper:
        """Give one document. Raises NotFoundError, UnavailableError, DamagedError."""
        found = await self.read([wanted], reader=reader, purpose=purpose)
        paper = found[wanted.ref.document_id]
        if isinstance(paper, AmendsError):
            raise paper
        return paper

    async def _handed_in(self, look: Look) -> Paper | AmendsError:
        try:
            return await self._intake.open(look)
        except AmendsError as refusal:
            return refusal

    def _own(
        self, looks: Sequence[tuple[Look, DocumentRef]]
    ) -> dict[UUID, Paper | AmendsError]:
        found = {look.document_id: self._opened(ref) for look, ref in looks}
        self._readings.note(
            [
                Reading(
                    read_at=self._now(),
                    case_id=look.case_id,
                    document_id=look.document_id,
                    kind=ref.kind,
                    actor=look.actor,
                    role=look.role,
                    department=look.department,
                    purpose=look.purpose or CASE_WORK,
                )
                for look, ref in looks
                if isinstance(found[look.document_id], Paper)
            ]
        )
        return found

    def _opened(self, ref: DocumentRef) -> Paper | AmendsError:
        try:
            document = self._vault.open(ref.document_id)
        except (NotFoundError, DamagedError) as refusal:
            return refusal
        if document.digest != ref.digest:
            return DamagedError(
                "vault.tampered",
                "This document is not what was sealed: look for it in a backup.",
            )
        return Paper(document.kind, document.media_type, document.plaintext)
