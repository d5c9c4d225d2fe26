"""Intake's use cases: take a complaint and answer with its receipt; tell where it stands.

Complaints that wait together are committed together, and the result is the same as if
each had come alone. Nobody is answered before the commit.
"""

import datetime as dt
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final
from uuid import UUID

from stdnum import damm

from events.catalogue import ComplaintReceived, Product
from events.envelope import Actor, DocumentRef, envelop
from events.vocabulary import DocumentKind, Origin, Precision, Verification
from services.intake.domain.masking import masked
from services.intake.domain.receipt import (
    access_code,
    case_id,
    keyed,
    receipt_digits,
)
from services.intake.domain.submission import (
    Contact,
    Goods,
    Submission,
    as_code,
    canonical,
)
from services.intake.ports import (
    Filing,
    Kept,
    Key,
    Marks,
    Progress,
    Record,
    Refusal,
    TakenError,
)
from services.kernel.access import Credential
from services.kernel.clock import Clock, rfc3339
from services.kernel.errors import (
    AmendsError,
    FieldError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.store.writer import Writer
from services.kernel.vault import DamagedError, ErasedError, Reading, Sealed, Vault

RECEIPT_DIGITS: Final = 16
IMPORT_CLIENT: Final = "import"
"""Whoever imports a file: a file is the same one whoever imports it again."""

CASE_WORK: Final = "case_work"
"""What words are read for where nothing else is said: to handle the case."""

_LONGEST_KEY: Final = 200
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A submission that may be filed: read, allowed, with its case and its digest."""

    submission: Submission
    key: Key
    case_id: UUID
    digest: bytes
    actor: Actor
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a submission; `repeated` when it had been given before."""

    receipt_no: str
    access_code: str
    case_id: UUID
    received_at: dt.datetime
    repeated: bool

    def told(self) -> dict[str, str]:
        """Give the receipt as every interface tells it."""
        return {
            "receipt_no": self.receipt_no,
            "access_code": self.access_code,
            "case_id": str(self.case_id),
            "status_url": f"/api/intake/complaints/{self.receipt_no}",
            "received_at": rfc3339(self.received_at),
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document of a complaint, who wants to read it, and the code of what for."""

    document_id: UUID
    case_id: UUID
    actor: str
    role: str
    department: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a document holds; `masked` tells that something of it was left out."""

    kind: str
    media_type: str
    content: bytes
    masked: bool


class Intake:
    """The one door for complaints, whatever channel they come by."""

    def __init__(
        self,
        record: Record,
        vault: Vault,
        *,
        writer: Writer,
        tenant: str,
        now: Clock,
        new_id: Callable[[dt.datetime], UUID],
    ) -> None:
        self._record = record
        self._vault = vault
        self._writer = writer
        self._tenant = tenant
        self._now = now
        self._new_id = new_id

    async def submit(
        self,
        document: object,
        *,
        key: str | None,
        caller: Credential,
        correlation_id: str,
    ) -> Receipt:
        """Take one complaint; together with those that come at the same time.

        `document` is a JSON value that the edge has read strictly. Raises
        `MalformedError` with every fault, `ForbiddenError`, `RefusedError`
        (`intake.key_reused`), and `UnavailableError` where the complaint may or may
        not be kept: sending it again under its key is always right.
        """
        request = self.prepare(
            document, key=key, caller=caller, correlation_id=correlation_id
        )
        return await self._writer.call(self.file, request)

    def prepare(
        self,
        document: object,
        *,
        key: str | None,
        caller: Credential,
        correlation_id: str,
    ) -> Request:
        """Do all that needs no database: read, allow, derive. Raises as `submit`."""
        now = self._now()
        own = "web" if caller.anonymous else caller.channel
        submission = Submission.parse(document, own=own, now=now)
        _allow(submission, caller)
        migrated = submission.origin is Origin.MIGRATION
        scope = Key(
            channel=submission.channel,
            client=IMPORT_CLIENT if migrated else caller.actor,
            key=self._key(key, caller, now),
        )
        secret = self._record.secret
        return Request(
            submission=submission,
            key=scope,
            case_id=case_id(secret, scope.channel, scope.client, scope.key),
            digest=keyed(secret, "content", submission.content()),
            actor=Actor(
                id=caller.actor, role=caller.role, department=caller.department
            ),
            correlation_id=correlation_id,
        )

    def _key(self, key: str | None, caller: Credential, now: dt.datetime) -> str:
        """Check the caller's key, or make one where every request is a new complaint."""
        if key is None and not caller.anonymous:
            return str(self._new_id(now))
        if caller.anonymous and not _is_uuid(key):
            raise _bad_key("Send an Idempotency-Key with a UUID that you made for it.")
        if key is None or not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
            raise _bad_key(f"Send a key of 1 to {_LONGEST_KEY} printable characters.")
        return key

    def file(self, requests: Sequence[Request]) -> list[Receipt | Exception]:
        """Commit a batch in one transaction; runs in the writer's thread.

        Where another process was first with a key or a number, everything is decided
        anew on what is there then; a second time the batch is halved.
        """
        for _ in range(2):
            try:
                return self._file(requests)
            except TakenError:
                continue
        if len(requests) == 1:
            return [
                UnavailableError(
                    "intake.contended", "Send the same complaint again with its key."
                )
            ]
        half = len(requests) // 2
        return self.file(requests[:half]) + self.file(requests[half:])

    def _file(self, requests: Sequence[Request]) -> list[Receipt | Exception]:
        now = self._now()
        first: dict[UUID, Request] = {}
        for each in requests:
            first.setdefault(each.case_id, each)
        identities = {
            case: self._record.identity(marks_of(each.submission))
            for case, each in first.items()
        }
        numbers = {case: receipt_no(self._record.secret, case) for case in identities}
        seen = self._record.look(
            identities, numbers.values(), set(chain(*identities.values()))
        )
        kept = dict(seen.kept)
        new = {case: each for case, each in first.items() if case not in kept}
        numbers = self._free({case: numbers[case] for case in new}, seen.taken)
        subjects = self._subjects(
            {case: identities[case] for case in new}, seen.owners, now
        )
        filings = [
            self._filing(each, numbers[case], subjects[case], now)
            for case, each in new.items()
        ]
        if filings:
            self._record.keep(filings)
        kept |= {filing.kept.case_id: filing.kept for filing in filings}
        return [
            self._answer(each, kept[each.case_id], fresh=new.get(each.case_id) is each)
            for each in requests
        ]

    def _answer(
        self, request: Request, kept: Kept, *, fresh: bool
    ) -> Receipt | RefusedError:
        if request.digest != kept.digest:
            return RefusedError(
                "intake.key_reused",
                "This key was used for another complaint: send this one with a new key.",
            )
        return Receipt(
            receipt_no=kept.receipt_no,
            access_code=access_code(self._record.access_secret, kept.case_id),
            case_id=kept.case_id,
            received_at=kept.received_at,
            repeated=not fresh,
        )

    def _free(
        self, numbers: Mapping[UUID, str], taken: Collection[str]
    ) -> dict[UUID, str]:
        """Give each case the first of its numbers that no other case has."""
        free: dict[UUID, str] = {}
        used = set(taken)
        for case, first in numbers.items():
            number, attempt = first, 0
            while number in used:
                attempt += 1
                number = receipt_no(self._record.secret, case, attempt)
                used |= self._record.look((), (number,), ()).taken
            free[case] = number
            used.add(number)
        return free

    def _subjects(
        self,
        identities: Mapping[UUID, Sequence[bytes]],
        known: Mapping[bytes, UUID],
        now: dt.datetime,
    ) -> dict[UUID, UUID]:
        """Give each case its person, with a key: the known one, or a new one (B5).

        Among several that match, the surest mark decides. The batch's own new people
        are found as well, so that it ends as if each complaint had come alone. Whoever
        was erased is known no more: the same human being is a new person then.
        """
        owners = dict(known)
        subjects: dict[UUID, UUID] = {}
        for case, marks in identities.items():
            found = next((owners[mark] for mark in marks if mark in owners), None)
            subject = subjects[case] = found or self._new_id(now)
            for mark in marks:  # as the index decides: the person known for longest
                owners[mark] = min(subject, owners.get(mark, subject))
        try:
            self._vault.ensure_keys(subjects.values())
        except ErasedError as erased:
            left = {
                mark: subject
                for mark, subject in known.items()
                if subject != erased.subject_id
            }
            return self._subjects(identities, left, now)
        return subjects

    def _filing(
        self, request: Request, number: str, subject: UUID, now: dt.datetime
    ) -> Filing:
        given = request.submission
        sealed: list[Sealed] = []

        def seal(kind: DocumentKind, media_type: str, content: bytes) -> DocumentRef:
            document = self._vault.seal(
                document_id=self._new_id(now),
                subject_id=subject,
                kind=kind,
                media_type=media_type,
                plaintext=content,
            )
            sealed.append(document)
            return DocumentRef(
                document_id=document.document_id, digest=document.digest, kind=kind
            )

        particulars = given.particulars()
        goods = given.product
        data = ComplaintReceived(
            receipt_no=number,
            subject_id=subject,
            # A migrated complaint without words gets the empty document: nothing is
            # invented, and every case has a statement to look at.
            statement=seal(
                DocumentKind.STATEMENT, _TEXT, (given.statement or "").encode()
            ),
            particulars=seal(
                DocumentKind.PARTICULARS, "application/json", canonical(particulars)
            )
            if particulars
            else None,
            reported_via=given.reported_via,
            dealer=given.dealer,
            source=given.source,
            source_document_on=given.source_document_on,
            category=given.category,
            product=Product(
                model=as_code(goods.model or ""),
                lot=as_code(goods.lot or ""),
                supplier=goods.supplier,
                price=goods.price,
            )
            if goods
            else None,
            purchase_date=given.purchase_date,
            event_at=given.event_at,
            demand=given.demand,
            desired_outcome=seal(
                DocumentKind.DESIRED_OUTCOME, _TEXT, given.desired_outcome.encode()
            )
            if given.desired_outcome
            else None,
            attachments=tuple(
                seal(each.kind, each.media_type, each.content)
                for each in given.attachments
            ),
            verification=Verification.COMPLETE
            if given.verifiable()
            else Verification.PENDING,
        )
        event = envelop(
            data,
            event_id=self._new_id(now),
            case_id=request.case_id,
            version=1,
            occurred_at=min(given.occurred_at or now, now),
            occurred_precision=given.occurred_precision
            if given.occurred_at
            else Precision.INSTANT,
            recorded_at=now,
            origin=given.origin,
            tenant=self._tenant,
            actor=request.actor,
            channel=given.channel,
            correlation_id=request.correlation_id,
        )
        return Filing(
            key=request.key,
            kept=Kept(request.case_id, request.digest, number, now),
            event=event,
            documents=tuple(sealed),
            marks=marks_of(given),
        )

    async def refuse(
        self, body: bytes, error: AmendsError, *, message_id: str, channel: str
    ) -> None:
        """Keep what a channel sent and why it is no complaint, before it is let go.

        The words are sealed for nobody known. Raises `UnavailableError`.
        """

        def keep() -> None:
            now = self._now()
            nobody = self._new_id(now)
            self._vault.ensure_keys([nobody])
            document = self._vault.seal(
                document_id=self._new_id(now),
                subject_id=nobody,
                kind="refused_submission",
                media_type="application/octet-stream",
                plaintext=body,
            )
            self._record.refuse(
                Refusal(
                    message_id=message_id,
                    channel=channel,
                    code=error.code,
                    fields=tuple(each.field for each in error.errors),
                    refused_at=now,
                    document=document,
                )
            )

        await self._writer.run(keep)

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

    async def document(self, wanted: Wanted) -> Opened:
        """Open a document of a complaint for a colleague, and note that they read it.

        Particulars are masked until a purpose is given. Raises NotFoundError,
        ErasedError, UnavailableError; whether they may look at the case is for the
        service that has it to say.
        """
        return await self._writer.run(partial(self._open, wanted))

    def _open(self, wanted: Wanted) -> Opened:
        received = self._record.received(wanted.case_id)
        refs = documents_of(received) if received else ()
        ref = next((r for r in refs if r.document_id == wanted.document_id), None)
        if ref is None:
            raise NotFoundError(
                "intake.no_document", "This complaint has no such document."
            )
        document = self._vault.open(ref.document_id)
        if document.digest != ref.digest:
            raise DamagedError(
                "vault.tampered",
                "This document is not what was sealed: look for it in a backup.",
            )
        content, hidden = document.plaintext, False
        if document.kind == DocumentKind.PARTICULARS and not wanted.purpose:
            content, hidden = canonical(masked(json.loads(content))), True
        self._record.note(
            Reading(
                read_at=self._now(),
                case_id=wanted.case_id,
                document_id=wanted.document_id,
                kind=document.kind,
                actor=wanted.actor,
                role=wanted.role,
                department=wanted.department,
                purpose=wanted.purpose or CASE_WORK,
                masked=hidden,
            )
        )
        return Opened(document.kind, document.media_type, content, hidden)

    def opened(self, typed: str, code: str) -> Progress:
        """Tell where a complaint stands to somebody who shows its access code.

        Raises `UnauthenticatedError`, which does not tell a wrong number from a wrong
        code.
        """
        number = as_receipt_no(typed)
        progress = self._record.progress(number) if number else None
        case = progress.case_id if progress else UUID(int=0)
        wanted = access_code(self._record.access_secret, case)
        if not hmac.compare_digest(_letters(wanted), _letters(code)) or not progress:
            raise UnauthenticatedError(
                "intake.access_refused",
                "Number and access code do not belong together: read both once more.",
            )
        return progress


def documents_of(received: ComplaintReceived) -> tuple[DocumentRef, ...]:
    """Name every document that was handed in with a complaint."""
    single = (received.statement, received.particulars, received.desired_outcome)
    return (*(each for each in single if each is not None), *received.attachments)


def receipt_no(secret: bytes, case: UUID, attempt: int = 0) -> str:
    """Give 15 digits and their Damm check digit."""
    digits = receipt_digits(secret, case, attempt)
    return digits + damm.calc_check_digit(digits)


def as_receipt_no(typed: str) -> str | None:
    """Give the 16 digits of a number as people type it, or None where it is none.

    Spaces and hyphens are theirs to place. The check digit catches every single wrong
    digit and every swap of neighbours.
    """
    number = "".join(typed.replace("-", " ").split())
    if len(number) != RECEIPT_DIGITS or not (number.isascii() and number.isdigit()):
        return None
    return number if damm.is_valid(number) else None


def _letters(code: str) -> bytes:
    """Give a code as it is compared: hyphens and capitals are the writer's to choose."""
    return code.replace("-", "").upper().encode(errors="replace")


def marks_of(given: Submission) -> Marks:
    """Name what the complaint and its sender may be found by again."""
    contact, goods = given.contact or Contact(), given.product or Goods()
    marks = {
        "customer_no": contact.customer_no,
        "email": contact.email,
        "phone": contact.phone,
        "order_no": given.order_no,
        "serial": goods.serial,
        "lot": goods.lot,
    }
    return {kind: value for kind, value in marks.items() if value is not None}


def _allow(submission: Submission, caller: Credential) -> None:
    """Raise `ForbiddenError` for a channel, an origin or a time not theirs to give."""
    if not caller.may_submit_on(submission.channel):
        raise ForbiddenError(
            "intake.channel_not_yours",
            "Use the channel of your credential; without one, only web is open.",
        )
    if submission.origin is Origin.MIGRATION and not caller.service:
        raise ForbiddenError(
            "intake.origin_not_yours", "Only an import by the operator may say so."
        )
    if submission.occurred_at is not None and caller.anonymous:
        raise ForbiddenError(
            "intake.time_not_yours",
            "Leave out occurred_at; say in the statement when it happened.",
        )


def _is_uuid(key: str | None) -> bool:
    try:
        return key is not None and str(UUID(key)) == key.lower()
    except ValueError:
        return False


def _bad_key(remedy: str) -> MalformedError:
    return MalformedError(
        "intake.key_needed",
        remedy,
        errors=[FieldError("Idempotency-Key", "is missing or unfit", remedy)],
    )
