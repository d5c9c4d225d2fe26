"""What intake answers: where a complaint stands, and what a document of it holds."""

import asyncio
import datetime as dt
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from events.catalogue import ComplaintReceived
from events.envelope import DocumentRef
from events.vocabulary import DocumentKind
from services.intake.application.receipt_number import as_receipt_no
from services.intake.domain.masking import masked
from services.intake.domain.receipt import access_code
from services.intake.domain.submission import canonical
from services.intake.ports import (
    WORDS,
    Belongings,
    CatchingUp,
    Progress,
    Record,
    Sought,
    TakenError,
)
from services.kernel.clock import Clock
from services.kernel.errors import (
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.store.writer import Writer
from services.kernel.vault import (
    Act,
    DamagedError,
    Document,
    File,
    Files,
    Reading,
    Vault,
    usual_purpose,
)
from services.kernel.vault.files import MANIFEST

ACCESS_CODE: Final = "access_code"
"""The kind of what is noted where an access code is made anew."""
CONTACTS: Final = ("name", "phone", "email")
"""What is told, masked, of whom to reach with a new code."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document of a complaint, who wants to read it, the code of what for, and how."""

    document_id: UUID
    case_id: UUID
    actor: str
    role: str
    department: str | None = None
    purpose: str | None = None
    act: Act = "read"


@dataclass(frozen=True, slots=True)
class Person:
    """Whose belongings are asked for."""

    subject_id: UUID


@dataclass(frozen=True, slots=True)
class Renewal:
    """Of which case the access code is to be made anew, and who wants it.

    The same `key` again makes no other; `verified` is the code of how the colleague
    made sure of the customer.
    """

    case_id: UUID
    actor: str
    role: str
    department: str | None = None
    key: str | None = None
    verified: str | None = None


@dataclass(frozen=True, slots=True)
class NewCode:
    """The code that opens a case from now on; `contact` says, masked, whose it is."""

    receipt_no: str
    access_code: str
    contact: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """What a document holds; `masked` tells that something of it was left out."""

    kind: str
    media_type: str
    content: bytes
    masked: bool


class Inquiries:
    """Answers customers and colleagues; notes who read which words."""

    def __init__(
        self,
        record: Record,
        vault: Vault,
        files: Files,
        words: CatchingUp,
        *,
        writer: Writer,
        now: Clock,
    ) -> None:
        self._record = record
        self._vault = vault
        self._files = files
        self._words = words
        self._writer = writer
        self._now = now

    def progress(self, typed: str) -> Progress:
        """Tell where the complaint of a receipt number stands, however it is typed.

        Raises `NotFoundError`, with a hint where the number is mistyped.
        """
        number = as_receipt_no(typed)
        if number is None:
            raise NotFoundError(
                "intake.receipt_mistyped",
                "A digit is wrong, missing or swapped: read the 16 digits once more.",
            )
        progress = self._record.progress(number)
        if progress is None:
            raise NotFoundError(
                "intake.receipt_unknown",
                "No complaint has this number: ask the one who gave it to you.",
            )
        return progress

    def opened(self, typed: str, code: str) -> Progress:
        """Tell where a complaint stands to somebody who shows its access code.

        Raises `UnauthenticatedError`, which does not tell a wrong number from a wrong
        code.
        """
        number = as_receipt_no(typed)
        progress = self._record.progress(number) if number else None
        case = progress.case_id if progress else UUID(int=0)
        renewals = self._record.renewals(case)
        wanted = access_code(self._record.access_secret, case, renewals)
        if not hmac.compare_digest(_letters(wanted), _letters(code)) or not progress:
            raise UnauthenticatedError(
                "intake.access_refused",
                "Number and access code do not belong together: read both once more.",
            )
        return progress

    async def new_code(self, wanted: Renewal) -> NewCode:
        """Make the access code of a case anew for a colleague; the old one ends.

        Who asked is noted with it. Raises NotFoundError, ErasedError, RefusedError
        where the key's code was replaced by a later one, UnavailableError; whether they may is for the service that has the case to say.
        """
        return await self._writer.run(partial(self._renewed, wanted))

    def _renewed(self, wanted: Renewal) -> NewCode:
        received = self._record.received(wanted.case_id)
        if received is None:
            raise NotFoundError("intake.no_case", "No such complaint was received.")
        contact: dict[str, str] = {}
        if received.particulars is not None:
            contact = self._contact(received.particulars.document_id)
        try:
            renewals = self._record.renew(
                Reading(
                    read_at=self._now(),
                    case_id=wanted.case_id,
                    document_id=UUID(int=0),
                    kind=ACCESS_CODE,
                    actor=wanted.actor,
                    role=wanted.role,
                    department=wanted.department,
                    purpose=wanted.verified or usual_purpose(wanted.role),
                    act="renew",
                ),
                wanted.key,
            )
        except TakenError:
            raise UnavailableError(
                "intake.contended", "Somebody else makes one now: look who, then ask."
            ) from None
        if renewals != self._record.renewals(wanted.case_id):
            raise RefusedError(
                "intake.code_replaced",
                "A newer code was made for this case: open the case again.",
            )
        code = access_code(self._record.access_secret, wanted.case_id, renewals)
        return NewCode(received.receipt_no, code, contact)

    def _contact(self, particulars: UUID) -> dict[str, str]:
        """Give the masked contact; none where a complaint came back without its words."""
        try:
            document = self._vault.open(particulars)
        except NotFoundError:
            return {}
        shown = masked(json.loads(document.plaintext)).get("contact", {})
        return {name: shown[name] for name in CONTACTS if shown.get(name)}

    async def search(
        self, clauses: Sequence[Sequence[Sought]]
    ) -> tuple[list[set[UUID]], dt.datetime | None]:
        """As `find`, with since when complaints were not searched for words yet."""
        by_words = any(each.kind == WORDS for clause in clauses for each in clause)
        since = await self._words.caught_up() if by_words else None
        return await asyncio.to_thread(self.find, clauses), since

    def find(self, clauses: Sequence[Sequence[Sought]]) -> list[set[UUID]]:
        """Give for each clause the cases that have one of its alternatives.

        Who looked for what is for the service to note that knows who they are. Raises
        RefusedError where they are too many, UnavailableError.
        """
        return [self._record.find(alternatives) for alternatives in clauses]

    def of_person(self, person: Person) -> Belongings:
        """Count what lies here of somebody; raises UnavailableError."""
        return self._record.of_person(person.subject_id)

    async def document(self, wanted: Wanted) -> Opened:
        """Open a document of a complaint for a colleague, and note that they read it.

        Particulars are masked until a purpose is given. Raises NotFoundError,
        ErasedError, UnavailableError; whether they may look at the case is for the
        service that has it to say.
        """
        return await self._writer.run(partial(self._open, wanted))

    async def file(self, wanted: Wanted) -> File:
        """Open a file that was handed in, for a colleague, and note what they see of it.

        Its pieces are given by `piece`. Raises as `document`.
        """
        return await self._writer.run(partial(self._open_file, wanted))

    def piece(self, wanted: Wanted, number: int) -> bytes:
        """Give a piece of a file to whoever opened it. Raises as `file`."""
        file = self._files.read(self._found(wanted, file=True))
        if not 0 <= number < file.pieces:
            raise _no_document()
        return file.piece(number)

    def _open_file(self, wanted: Wanted) -> File:
        document = self._found(wanted, file=True)
        file = self._files.read(document)
        self._note(wanted, document.kind)
        return file

    def _open(self, wanted: Wanted) -> Opened:
        document = self._found(wanted, file=False)
        content, hidden = document.plaintext, False
        if document.kind == DocumentKind.PARTICULARS and not wanted.purpose:
            content, hidden = canonical(masked(json.loads(content))), True
        self._note(wanted, document.kind, masked=hidden)
        return Opened(document.kind, document.media_type, content, hidden)

    def _found(self, wanted: Wanted, *, file: bool) -> Document:
        """Open the document if it is one of the complaint, whole, and of this sort.

        A manifest is nobody's to read, and particulars are no file: they are masked.
        """
        received = self._record.received(wanted.case_id)
        refs = documents_of(received) if received else ()
        ref = next((r for r in refs if r.document_id == wanted.document_id), None)
        if ref is None or (file and ref.kind is DocumentKind.PARTICULARS):
            raise _no_document()
        document = self._vault.open(ref.document_id)
        if document.digest != ref.digest:
            raise DamagedError(
                "vault.tampered",
                "This document is not what was sealed: look for it in a backup.",
            )
        if not file and document.media_type == MANIFEST:
            raise _no_document()
        return document

    def _note(self, wanted: Wanted, kind: str, *, masked: bool = False) -> None:
        self._record.note(
            Reading(
                read_at=self._now(),
                case_id=wanted.case_id,
                document_id=wanted.document_id,
                kind=kind,
                actor=wanted.actor,
                role=wanted.role,
                department=wanted.department,
                purpose=wanted.purpose or usual_purpose(wanted.role),
                masked=masked,
                act=wanted.act,
            )
        )


def documents_of(received: ComplaintReceived) -> tuple[DocumentRef, ...]:
    """Name every document that was handed in with a complaint."""
    single = (received.statement, received.particulars, received.desired_outcome)
    return (*(each for each in single if each is not None), *received.attachments)


def _no_document() -> NotFoundError:
    return NotFoundError("intake.no_document", "This complaint has no such document.")


def _letters(code: str) -> bytes:
    """Give a code as it is compared: hyphens and capitals are the writer's to choose."""
    return code.replace("-", "").upper().encode(errors="replace")
