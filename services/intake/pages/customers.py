"""Intake's pages for customers: the complaint form, its receipt, where it stands.

They follow the rules of the JSON interface, because they call the same use cases. The
form needs no script; where one runs, it keeps the words and sends them until there is
a number.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from events.vocabulary import Demand, ReportedVia, State
from events.words import LOCALE, WORDS
from services.intake.application.inquiries import Inquiries
from services.intake.application.submitting import Intake
from services.intake.domain.receipt import spoken
from services.intake.domain.submission import ATTACHMENTS
from services.intake.domain.submission import WORDS as MOST_CHARACTERS
from services.intake.pages.import_words import REMEDIES as IMPORT_REMEDIES
from services.kernel.access import ANONYMOUS
from services.kernel.clock import Clock, rfc3339
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)
from services.kernel.i18n import msgid
from services.kernel.logs import correlation_id, new_correlation_id
from services.kernel.vault import Upload, Uploads
from services.kernel.web.limiter import Limiter
from services.kernel.web.pages import Form, FormFault, Pages, Viewers
from services.kernel.web.pages.forms import random_key
from services.kernel.web.pages.multipart import (
    FILES_LIMIT,
    SentFile,
    read_form_and_files,
)

FOLDER: Final = Path(__file__).parent.parent
CURRENCIES: Final = ("CNY", "EUR", "GBP", "HKD", "JPY", "TWD", "USD")
"""Offered for the price; the first is chosen for Chinese readers, the last for others."""

_ERASED: Final = "SubjectErased"
FILES: Final = "files"
"""The field that names uploads."""

_GROUPED: Final = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
_LONGEST_NUMBER: Final = 40  # characters, with anybody's spaces
_EAST: Final = dt.timedelta(hours=26)  # between the first and the last zone

_TONES: Final[Mapping[str, str]] = {
    State.RESOLVED: "good",
    State.CLOSED: "good",
    State.DECLINED: "warn",
    State.APPEALED: "warn",
    State.WITHDRAWN: "warn",
}
_MEANINGS: Final[Mapping[str, str]] = {
    State.RECEIVED: msgid("We have your complaint and will look at it."),
    State.DECLINED: msgid(
        "We cannot take this on as a complaint. You get the reasons, and may appeal."
    ),
    State.ACCEPTED: msgid("We have taken on your complaint and are passing it on."),
    State.ASSIGNED: msgid("The department that can help has been asked to take over."),
    State.INVESTIGATING: msgid("The department is finding out what happened."),
    State.INVESTIGATED: msgid("The cause is known. We are working out an answer."),
    State.PROPOSED: msgid("A settlement has been drawn up and is being checked."),
    State.APPROVED: msgid("A settlement has been approved. You will hear from us."),
    State.REPLIED: msgid("You have our decision. Tell us whether you agree."),
    State.IMPLEMENTING: msgid("We are doing what was agreed."),
    State.RESOLVED: msgid("What was agreed is done. We will ask whether it helped."),
    State.CLOSED: msgid("Your complaint is closed."),
    State.APPEALED: msgid("You have appealed. Somebody uninvolved looks at it again."),
    State.EXTERNAL: msgid("An outside body is dealing with it."),
    State.WITHDRAWN: msgid("You have withdrawn your complaint."),
    State.MERGED: msgid("It is handled together with another of your complaints."),
}
_REMEDIES: Final[Mapping[str, str]] = {
    "intake.too_many_questions": msgid("Please wait a minute, then ask again."),
    "intake.receipt_mistyped": msgid(
        "A digit is wrong, missing or swapped. Please read the 16 digits once more."
    ),
    "intake.receipt_unknown": msgid(
        "No complaint has this number. Please compare it with your receipt."
    ),
    "intake.key_reused": msgid(
        "This page had already sent a complaint, which is kept. If this is another"
        " one, send it now."
    ),
}
_UNCERTAIN: Final = msgid(
    "We are not certain that your complaint was kept. Please send it again: it will"
    " not be counted twice."
)
_WITHOUT_KEY: Final = msgid(
    "Your complaint is not yet sent: this page was incomplete. Please send it now."
)
_FAULTS: Final[Mapping[tuple[str, str], str]] = {
    ("statement", "is missing"): msgid("Please say what happened."),
    ("contact.email", "is missing"): msgid(
        "Please give an e-mail address or a telephone number, so that we can answer."
    ),
    ("contact.email", "has not the right form"): msgid(
        "Write the e-mail address as name@example.org."
    ),
    ("contact.phone", "has not the right form"): msgid(
        "Write the telephone number in digits, best as +86 10 1234 5678."
    ),
    ("product.price", "cannot be read"): msgid("Write the price as 1299.00."),
    ("purchase_date", "cannot be read"): msgid("Write the day as 2026-03-04."),
    ("event_on", "cannot be read"): msgid("Write the day as 2026-03-04."),
    ("files", "is no upload of yours"): msgid(
        "A file is not here any more. Please choose it again."
    ),
    ("files", "is named twice"): msgid(
        "A file is not here any more. Please choose it again."
    ),
    ("files", "is not wholly uploaded"): msgid(
        "A file is still on its way. Please send the complaint again in a moment."
    ),
    ("files", "is refused"): msgid(
        "A file is not taken: a check of files refuses it. The others are kept."
    ),
    ("files", "is too large"): msgid("A file is too large."),
    ("files", "is empty"): msgid("A file is empty. Please choose it again."),
    ("files", "is too long"): msgid("These are too many files."),
    ("dealer", "has not the right form"): msgid(
        "Write the dealer's code in letters and digits, without spaces."
    ),
}
_ANY_FAULTS: Final[Mapping[str, str]] = {
    "is too long": msgid("This is too long. Please shorten it."),
    "lies in the future": msgid("This day lies in the future."),
}
_OTHER_FAULT: Final = msgid("This could not be read. Please write it another way.")


def intake_pages(
    *,
    viewers: Viewers,
    secret: bytes,
    time_zone: str,
    demonstration: bool = False,
    staging: bool = False,
) -> Pages:
    return Pages(
        "intake",
        FOLDER,
        viewers=viewers,
        secret=secret,
        time_zone=time_zone,
        words=WORDS,
        remedies={**_REMEDIES, **IMPORT_REMEDIES},
        locales=[LOCALE],
        demonstration=demonstration,
        staging=staging,
    )


def router(
    intake: Intake,
    inquiries: Inquiries,
    uploads: Uploads,
    pages: Pages,
    *,
    now: Clock,
    limiter: Limiter,
    new_key: Callable[[], str] = random_key,
) -> APIRouter:
    routes = pages.router()
    complaint = _Complaint(intake, uploads, pages, now, new_key)
    routes.get("/")(complaint.form)
    routes.post("/")(complaint.submit)
    status = _Status(inquiries, pages, now, limiter)
    routes.get("/status")(status.ask)
    routes.get("/status/{receipt_no}")(status.answer)
    return routes


class _Complaint:
    """The form and what comes of it."""

    def __init__(
        self,
        intake: Intake,
        uploads: Uploads,
        pages: Pages,
        now: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._intake = intake
        self._uploads = uploads
        self._pages = pages
        self._now = now
        self._new_key = new_key

    async def form(self, request: Request) -> Response:
        chinese = self._pages.locale(request).startswith("zh")
        currency = CURRENCIES[0 if chinese else -1]
        given = Form({"key": [self._new_key()], "currency": [currency]})
        return await self._show(request, given)

    async def submit(self, request: Request) -> Response:
        """Answer with the receipt itself: asked for again, it is the same one."""
        given, files = await read_form_and_files(request)
        try:
            self._pages.require_csrf(request, given)
            given = await self._kept(given, files)
            receipt = await self._intake.submit(
                document_of(given, self._now().astimezone(self._pages.zone)),
                key=given.one("key"),
                # The form is the customer's, whoever holds the pen: a complaint that is
                # sent again after somebody's session ended must be the same one.
                caller=ANONYMOUS,
                correlation_id=correlation_id() or new_correlation_id(),
            )
        except AmendsError as error:
            return await self._refused(request, given, error)
        return self._pages.render(
            request,
            "receipt.html",
            status=200 if receipt.repeated else 201,
            receipt=receipt,
            number=spoken(receipt.receipt_no),
            files=len(set(given.many(FILES))),
            key=given.one("key"),
        )

    async def _kept(self, given: Form, files: Sequence[SentFile]) -> Form:
        """Keep the files that came in the form as uploads, which it then names.

        Raises MalformedError for what cannot be kept, UnavailableError.
        """
        if sum(len(each.content) for each in files) > FILES_LIMIT:
            raise _fault_of_files("is too large")
        if len(files) + len(given.many(FILES)) > ATTACHMENTS:
            raise _fault_of_files("is too long")
        if not all(each.content for each in files):
            raise _fault_of_files("is empty")
        for each in files:
            keep = partial(
                self._uploads.keep,
                owner=ANONYMOUS.actor,
                name=each.name,
                content=each.content,
            )
            try:
                upload = await run_in_threadpool(keep)
            except MalformedError:
                raise _fault_of_files("is refused") from None
            except TooLargeError:
                raise _fault_of_files("is too large") from None
            given = given.adding(FILES, str(upload.upload_id))
        return given

    async def _refused(
        self, request: Request, given: Form, error: AmendsError
    ) -> Response:
        """Show the form again, with every word that was typed and what is wrong."""
        renewed = given.having("key", self._new_key())
        if error.code == "intake.key_needed":
            told = FormFault("", self._pages.text(request, _WITHOUT_KEY))
            return await self._show(request, renewed, [told], status=422)
        if isinstance(error, MalformedError):
            faults = faults_of(request, self._pages, error)
            return await self._show(request, given, faults, status=422)
        told = FormFault("", self._pages.remedy(request, error))
        if isinstance(error, RefusedError):
            return await self._show(request, renewed, [told], status=409)
        if isinstance(error, UnavailableError):
            told = FormFault("", self._pages.text(request, _UNCERTAIN))
            return await self._show(request, given, [told], status=503)
        if error.code == "form.stale":
            return await self._show(request, given, [told], status=403)
        raise error

    def _known(self, given: Form) -> list[Upload]:
        """Find the uploads that the form names; what is gone is named no more."""
        found = []
        for upload_id in dict.fromkeys(given.many(FILES)):
            with suppress(ValueError, NotFoundError):
                found.append(self._uploads.find(UUID(upload_id), owner=ANONYMOUS.actor))
        return found

    async def _show(
        self,
        request: Request,
        given: Form,
        faults: Sequence[FormFault] = (),
        *,
        status: int = 200,
    ) -> Response:
        return self._pages.render(
            request,
            "form.html",
            status=status,
            form=given,
            faults=faults,
            errors={fault.field: fault.message for fault in faults},
            limit=MOST_CHARACTERS,
            demands=[each.value for each in Demand],
            currencies=CURRENCIES,
            kept=await run_in_threadpool(self._known, given),
            largest=self._uploads.limit,
            at_once=FILES_LIMIT,
            most_files=ATTACHMENTS,
            today=self._now().astimezone(self._pages.zone).date().isoformat(),
        )


class _Status:
    """Where a complaint stands, by its number alone."""

    def __init__(
        self, inquiries: Inquiries, pages: Pages, now: Clock, limiter: Limiter
    ) -> None:
        self._inquiries = inquiries
        self._pages = pages
        self._now = now
        self._limiter = limiter

    async def ask(
        self, request: Request, number: Annotated[str, Query()] = ""
    ) -> Response:
        if number.strip():
            return await self.answer(request, number)
        return self._pages.render(request, "ask.html", number="", error=None)

    async def answer(self, request: Request, receipt_no: str) -> Response:
        self._limiter.hit(request)
        try:
            progress = await run_in_threadpool(self._inquiries.progress, receipt_no)
        except NotFoundError as error:
            return self._pages.render(
                request,
                "ask.html",
                status=404,
                number=receipt_no[:_LONGEST_NUMBER],
                error=self._pages.remedy(request, error),
            )
        address = f"/status/{progress.receipt_no}"
        if request.url.path != address:
            return self._pages.redirect(address)
        state = progress.standing.state
        return self._pages.render(
            request,
            "status.html",
            erased=any(step.type == _ERASED for step in progress.steps),
            progress=progress,
            number=spoken(progress.receipt_no),
            tone=_TONES.get(state, "calm"),
            meaning=_MEANINGS[state],
            now=self._now(),
        )


def document_of(form: Form, now: dt.datetime) -> dict[str, Any]:
    """Turn the fields into what the JSON interface takes; empty ones are left out.

    `now` is in the zone in which days are meant. What cannot be turned is passed on as
    it is, so that it is refused there, with everything else that is wrong.
    """
    price = _amount(form.one("product.price"))
    contact = {
        name: value
        for name in ("name", "email", "phone")
        if (value := form.one(f"contact.{name}"))
    }
    product: dict[str, Any] = {
        name: value
        for name in ("model", "serial", "lot")
        if (value := form.one(f"product.{name}"))
    }
    if price:
        product["price"] = {"amount": price, "currency": form.one("currency")}
    dealer = form.one("dealer")
    document: dict[str, Any] = {
        "channel": "web",
        "statement": form.raw("statement"),
        "contact": contact,
        "product": product,
        "order_no": form.one("order_no"),
        "purchase_date": form.one("purchase_date"),
        "event_at": _beginning(form.one("event_on"), now),
        "demand": list(dict.fromkeys(form.many("demand"))),
        "desired_outcome": form.raw("desired_outcome"),
        "reported_via": ReportedVia.DEALER.value if dealer else "",
        "dealer": dealer,
        "attachments": [{"upload": each} for each in dict.fromkeys(form.many(FILES))],
    }
    return {name: value for name, value in document.items() if value}


def _amount(typed: str) -> str:
    """Take a price as people write it: `1,299.00`, with spaces or without."""
    close = re.sub(r"\s", "", typed)
    return close.replace(",", "") if _GROUPED.fullmatch(close) else close


def _beginning(day: str, now: dt.datetime) -> str:
    """Give the first moment of a day; what is no day is given back as it is.

    A day that has begun only where the customer lives, east of us, begins now.
    """
    try:
        first = dt.datetime.fromisoformat(day).replace(tzinfo=now.tzinfo)
        early = dt.timedelta() < first - now <= _EAST
        return rfc3339(now if early else first)
    except (ValueError, OverflowError):
        return day


def _fault_of_files(message: str) -> MalformedError:
    fault = FieldError(FILES, message, "Choose the files again.")
    return MalformedError("intake.invalid", "Choose the files again.", errors=[fault])


def faults_of(request: Request, pages: Pages, error: MalformedError) -> list[FormFault]:
    """Say each fault beside its field, in words for customers; one for each field."""
    told: dict[str, FormFault] = {}
    for fault in error.errors:
        field = _field_of(fault)
        known = (
            _FAULTS.get((field, fault.message))
            or _ANY_FAULTS.get(fault.message)
            or _OTHER_FAULT
        )
        told.setdefault(field, FormFault(field, pages.text(request, known)))
    return list(told.values())


def _field_of(fault: FieldError) -> str:
    """Give the field of the form that a path of the document came from."""
    path = fault.field
    if path.startswith("product.price"):
        return "product.price"
    if path.startswith("demand"):
        return "demand"
    if path.startswith("attachments"):
        return FILES
    return "event_on" if path == "event_at" else path
