"""Registering: a batch of complaints becomes cases in one transaction.

Each gets its number, its person and its sealed words. The result is the same as if each
had come alone.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final
from uuid import UUID

from events.catalogue import ComplaintReceived, Product
from events.envelope import Actor, DocumentRef, envelop
from events.vocabulary import DocumentKind, Origin, Precision, Verification
from services.intake.application.receipt_number import receipt_no
from services.intake.domain.receipt import access_code
from services.intake.domain.submission import (
    Attachment,
    Contact,
    Goods,
    Submission,
    UploadedFile,
    as_code,
    canonical,
)
from services.intake.ports import (
    IMPORT_CLIENT,
    Filing,
    Kept,
    Key,
    Record,
    Seen,
    TakenError,
)
from services.kernel.clock import Clock, rfc3339
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    RefusedError,
    UnavailableError,
)
from services.kernel.vault import (
    ErasedError,
    Files,
    Sealed,
    SealedFile,
    Uploaded,
    Uploads,
    Vault,
)
from services.kernel.vault.labels import SNIFFED, sniff
from services.kernel.vault.uploads import used_twice

_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A submission that may be filed: read, allowed, with its case and its digest."""

    submission: Submission
    origin: Origin
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


class Registrar:
    """Gives complaints their cases; its methods run in the writer's thread."""

    def __init__(
        self,
        record: Record,
        vault: Vault,
        files: Files,
        uploads: Uploads,
        *,
        tenant: str,
        now: Clock,
        new_id: Callable[[dt.datetime], UUID],
    ) -> None:
        self._record = record
        self._vault = vault
        self._files = files
        self._uploads = uploads
        self._tenant = tenant
        self._now = now
        self._new_id = new_id

    def register(self, requests: Sequence[Request]) -> list[Receipt | Exception]:
        """Commit a batch in one transaction.

        Where another process was first with a key or a number, everything is decided
        anew on what is there then; a second time the batch is halved.
        """
        for _ in range(2):
            try:
                return self._register(requests)
            except TakenError:
                continue
        if len(requests) == 1:
            return [
                UnavailableError(
                    "intake.contended", "Send the same complaint again with its key."
                )
            ]
        half = len(requests) // 2
        return self.register(requests[:half]) + self.register(requests[half:])

    def foresee(self, requests: Sequence[Request]) -> list[bool | Exception]:
        """Tell of each whether it was received before; nothing is kept.

        One that was received with other contents is refused as `register` would.
        """
        cases = {each.case_id for each in requests}
        seen = self._record.look(cases, (), (), _imported(requests))
        elsewhere = _elsewhere(requests, seen)
        found: list[bool | Exception] = []
        for each in requests:
            before = seen.kept.get(each.case_id)
            found.append(
                elsewhere.get(each.case_id)
                or (before and _reused(each, before))
                or before is not None
            )
        return found

    def _register(self, requests: Sequence[Request]) -> list[Receipt | Exception]:
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
            identities,
            numbers.values(),
            set(chain(*identities.values())),
            _imported(requests),
        )
        kept = dict(seen.kept)
        unfit: dict[UUID, AmendsError] = {**_elsewhere(first.values(), seen)}
        new = {
            case: each
            for case, each in first.items()
            if case not in kept and case not in unfit
        }
        numbers = self._free({case: numbers[case] for case in new}, seen.taken)
        subjects = self._subjects(
            {case: identities[case] for case in new}, seen.owners, now
        )
        filings: list[Filing] = []
        used: set[UUID] = set()
        for case, each in new.items():
            try:
                files = self._uploaded(each, used)
            except MalformedError as error:
                unfit[case] = error
            else:
                used |= {file.upload_id for file in files.values()}
                filings.append(
                    self._filing(each, files, numbers[case], subjects[case], now)
                )
        if filings:
            self._record.keep(filings)
        kept |= {filing.kept.case_id: filing.kept for filing in filings}
        return [
            unfit.get(each.case_id)
            or self._answer(
                each, kept[each.case_id], fresh=new.get(each.case_id) is each
            )
            for each in requests
        ]

    def _uploaded(
        self, request: Request, used: Collection[UUID]
    ) -> dict[UUID, Uploaded]:
        """Give the uploads that the complaint names. Raises MalformedError.

        `used` are those that complaints of the same batch use.
        """
        found: dict[UUID, Uploaded] = {}
        for number, each in enumerate(request.submission.attachments):
            if not isinstance(each, UploadedFile):
                continue
            field = f"attachments[{number}].upload"
            if each.upload in found or each.upload in used:
                raise used_twice(field)
            found[each.upload] = self._uploads.ready(
                each.upload, owner=request.actor.id, field=field
            )
        return found

    def _answer(
        self, request: Request, kept: Kept, *, fresh: bool
    ) -> Receipt | RefusedError:
        if reused := _reused(request, kept):
            return reused
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
        self,
        request: Request,
        uploaded: Mapping[UUID, Uploaded],
        number: str,
        subject: UUID,
        now: dt.datetime,
    ) -> Filing:
        given = request.submission
        sealed: list[Sealed] = []
        files: list[SealedFile] = []

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

        def attach(each: Attachment | UploadedFile) -> DocumentRef:
            if isinstance(each, Attachment):
                # What it claims to be is not believed.
                return seal(each.kind, sniff(each.content[:SNIFFED]), each.content)
            file = self._files.seal(
                uploaded[each.upload],
                document_id=self._new_id(now),
                subject_id=subject,
                kind=each.kind,
            )
            files.append(file)
            return DocumentRef(
                document_id=file.manifest.document_id,
                digest=file.manifest.digest,
                kind=each.kind,
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
            attachments=tuple(attach(each) for each in given.attachments),
            verification=Verification.COMPLETE
            if given.verifiable()
            else Verification.PENDING,
            imported_from=given.imported_from,
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
            origin=request.origin,
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
            marks=named_as_before(request.key.key, request.origin) | marks_of(given),
            files=tuple(files),
        )


def _reused(request: Request, kept: Kept) -> RefusedError | None:
    """Refuse another complaint under a key that was used."""
    if request.digest == kept.digest:
        return None
    return RefusedError(
        "intake.key_reused",
        "This key was used for another complaint: send this one with a new key.",
    )


def _imported(requests: Iterable[Request]) -> set[str]:
    """Give the keys of those that come by an import."""
    return {each.key.key for each in requests if each.key.client == IMPORT_CLIENT}


def _elsewhere(requests: Iterable[Request], seen: Seen) -> dict[UUID, RefusedError]:
    """Refuse what an import brought under the same key on another channel.

    A table's number tells a complaint from all others, whatever its row says of the
    channel; the case's id alone would not show it.
    """
    channels = dict(seen.imported)
    refused: dict[UUID, RefusedError] = {}
    for each in requests:
        if each.key.client != IMPORT_CLIENT or each.case_id in seen.kept:
            continue
        known = channels.setdefault(each.key.key, each.key.channel)
        if known != each.key.channel:
            refused[each.case_id] = RefusedError(
                "intake.key_reused",
                "This key was used for another complaint: send this one with a new key.",
                errors=[
                    FieldError(
                        "idempotency_key",
                        f"was received before on the channel {known}",
                        "What was received stays; give another complaint an identifier"
                        " of its own.",
                    )
                ],
            )
    return refused


def named_as_before(key: str, origin: str) -> dict[str, str]:
    """Name the number that an imported complaint had before: the end of `cfpb:8729`."""
    _, _, number = key.rpartition(":")
    return {"upstream_no": number} if origin == Origin.MIGRATION else {}


def marks_of(given: Submission) -> dict[str, str]:
    """Name what the complaint and its sender may be found by again."""
    contact, goods = given.contact or Contact(), given.product or Goods()
    marks = {
        "customer_no": contact.customer_no,
        "email": contact.email,
        "phone": contact.phone,
        "order_no": given.order_no,
        "upstream_no": given.upstream_no,
        "serial": goods.serial,
        "lot": goods.lot,
    }
    return {kind: value for kind, value in marks.items() if value is not None}
