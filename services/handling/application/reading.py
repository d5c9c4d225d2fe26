"""The words of a case, from wherever they lie; every look at them is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from events.catalogue import ComplaintReceived
from events.envelope import DocumentRef
from events.vocabulary import DocumentKind
from services.handling.ports import Look, Paper, Sheet
from services.kernel.errors import AmendsError, NotFoundError
from services.kernel.vault import DamagedError, Reading, usual_purpose
from services.kernel.vault.files import MANIFEST
from services.kernel.vault.pieces import count_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from uuid import UUID

    from services.handling.application.cases import Known
    from services.handling.ports import IntakeDocuments
    from services.kernel.access import Credential
    from services.kernel.clock import Clock
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Act, Document, File, Files, Readings, Vault

_WORDS = frozenset(
    {DocumentKind.STATEMENT, DocumentKind.DESIRED_OUTCOME, DocumentKind.PARTICULARS}
)
"""What of all that was handed in is words; the rest are files."""


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
        files: Files,
        readings: Readings,
        intake: IntakeDocuments,
        *,
        writer: Writer,
        now: Clock,
    ) -> None:
        self._vault = vault
        self._files = files
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
    ) -> dict[UUID, Paper | Sheet | AmendsError]:
        """Give each document by its id, of a file what it is, or why it cannot be given.

        Words are noted as read, files as listed: what is in them was not shown.
        Raises UnavailableError where the look cannot be noted.
        """
        looks = [_look(each, reader, purpose) for each in wanted]
        handed_in = [
            (look, each.ref)
            for look, each in zip(looks, wanted, strict=True)
            if each.received
        ]
        ours = [
            (look, each.ref)
            for look, each in zip(looks, wanted, strict=True)
            if not each.received
        ]
        found: dict[UUID, Paper | Sheet | AmendsError] = {}
        async with asyncio.TaskGroup() as together:
            asked = {
                look.document_id: together.create_task(self._handed_in(look, ref))
                for look, ref in handed_in
            }
            if ours:
                found |= await self._writer.run(lambda: self._own(ours))
        return found | {name: task.result() for name, task in asked.items()}

    async def file(
        self,
        wanted: Written,
        *,
        reader: Credential,
        purpose: str | None = None,
        act: Act = "download",
    ) -> tuple[Sheet, AsyncIterator[bytes]]:
        """Give any document but the particulars as a file: what it is, and its bytes.

        The act is noted once, whatever the size. Raises NotFoundError,
        UnavailableError, DamagedError, while the bytes come too.
        """
        look = _look(wanted, reader, purpose)._replace(act=act)
        if wanted.received:
            sheet = await self._intake.file(look)
            pieces: _Pieces = partial(self._intake.piece, look)
        else:
            file = await self._writer.run(partial(self._own_file, look, wanted.ref))
            sheet, pieces = _sheet(file), _pieces_of(file)
        # What cannot be given is told before the first byte is.
        first = await pieces(0) if sheet.size else b""
        return sheet, _following(first, pieces, count_of(sheet.size))

    async def _handed_in(
        self, look: Look, ref: DocumentRef
    ) -> Paper | Sheet | AmendsError:
        try:
            if ref.kind in _WORDS:
                return await self._intake.open(look)
            return await self._intake.file(_listing(look))
        except AmendsError as refusal:
            return refusal

    def _own(
        self, looks: Sequence[tuple[Look, DocumentRef]]
    ) -> dict[UUID, Paper | Sheet | AmendsError]:
        found = {look.document_id: self._paper(ref) for look, ref in looks}
        self._note(
            (_listing(look) if isinstance(shown, Sheet) else look, ref)
            for look, ref in looks
            if not isinstance(shown := found[look.document_id], AmendsError)
        )
        return found

    def _own_file(self, look: Look, ref: DocumentRef) -> File:
        file = self._files.read(self._opened(ref))
        self._note([(look, ref)])
        return file

    def _note(self, looks: Iterable[tuple[Look, DocumentRef]]) -> None:
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
                    purpose=look.purpose or usual_purpose(look.role),
                    act=look.act,
                )
                for look, ref in looks
            ]
        )

    def _paper(self, ref: DocumentRef) -> Paper | Sheet | AmendsError:
        try:
            document = self._opened(ref)
            if document.media_type == MANIFEST:
                return _sheet(self._files.read(document))
        except (NotFoundError, DamagedError) as refusal:
            return refusal
        return Paper(document.kind, document.media_type, document.plaintext)

    def _opened(self, ref: DocumentRef) -> Document:
        document = self._vault.open(ref.document_id)
        if document.digest != ref.digest:
            raise DamagedError(
                "vault.tampered",
                "This document is not what was sealed: look for it in a backup.",
            )
        return document


def _look(wanted: Written, reader: Credential, purpose: str | None) -> Look:
    return Look(
        wanted.case_id,
        wanted.ref.document_id,
        reader.actor,
        reader.role,
        reader.department,
        purpose,
    )


def _listing(look: Look) -> Look:
    return look._replace(act="list")


def _sheet(file: File) -> Sheet:
    return Sheet(file.kind, file.name, file.media_type, file.size, file.sha256)


_Pieces = Callable[[int], Awaitable[bytes]]


def _pieces_of(file: File) -> _Pieces:
    async def piece(number: int) -> bytes:
        return await asyncio.to_thread(file.piece, number)

    return piece


async def _following(first: bytes, piece: _Pieces, pieces: int) -> AsyncIterator[bytes]:
    yield first
    for number in range(1, pieces):
        yield await piece(number)
