"""`/answer`: what customers say to a decision, by the access code of their receipt.

Nothing is kept between two requests: each form carries number and code, and each is
checked anew. Only what may be said now is offered.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it

from events.vocabulary import (
    AppealGround,
    EvidenceSource,
    Medium,
    RefusalReason,
    WithdrawalReason,
)
from services.handling.application.asking import actor_of, asked, carried_out
from services.handling.application.commanding import UPLOAD, WORDS_LIMIT
from services.handling.domain.case import COMPLAINANT
from services.handling.domain.decisions import available
from services.handling.pages.customer_statement import read_statement, shown_since
from services.handling.pages.kept_files import FAULTS as FILE_FAULTS
from services.handling.pages.kept_files import (
    FILE_GONE,
    MOST_FILES,
    NOTHING,
    keep_files,
    known_files,
    wrong_files,
)
from services.kernel.access import Credential
from services.kernel.errors import (
    AmendsError,
    MalformedError,
    NotFoundError,
    StaleError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.i18n import msgid
from services.kernel.web.pages import Form, FormFault
from services.kernel.web.pages.forms import random_key
from services.kernel.web.pages.multipart import FILES_LIMIT
from services.kernel.web.problems import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from fastapi import APIRouter
    from fastapi.responses import Response

    from services.handling.application.cases import Handling, History
    from services.handling.application.commanding import Asked, Commanding
    from services.handling.application.reading import Words
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.handling.ports import Receipts
    from services.kernel.clock import Clock
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Uploads
    from services.kernel.web.limiter import Limiter
    from services.kernel.web.pages import Pages

CONFIRMING: Final = "confirm-statement"
OFFERED: Final = (
    "agree",
    "refuse",
    "rate",
    "appeal",
    CONFIRMING,
    "add-evidence",
    "withdraw",
)
"""What a customer may do here, in the order in which it is shown."""
ADDING: Final = "add-evidence"
FILES: Final = f"{ADDING}.files"
"""The field that names uploads."""

_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "agree": (),
    "refuse": ("reason", "note"),
    "rate": ("comment",),
    "appeal": ("statement", "expected_outcome"),
    CONFIRMING: (),
    "add-evidence": ("words",),
    "withdraw": ("reason", "note"),
}
_DONE: Final[Mapping[str, str]] = {
    "agree": msgid("Thank you. We have your agreement and do what we promised."),
    "refuse": msgid("We have noted that you do not agree, and look for another way."),
    "rate": msgid("Thank you for telling us."),
    "appeal": msgid("We have your appeal. Somebody uninvolved looks at it again."),
    CONFIRMING: msgid("Thank you. We have noted that this is right."),
    "add-evidence": msgid("Thank you. We have what you added."),
    "withdraw": msgid("Your complaint is withdrawn."),
}
_FAULTS: Final[Mapping[str, str]] = {
    "reason": msgid("Please choose a reason."),
    "grounds": msgid("Please tick what you contest."),
    "score": msgid("Please choose one of the five."),
}
_PAPERS: Final = {"desired_outcome": "expected_outcome", "record": "words"}
_WORDS: Final = "words"
_TOO_LONG: Final = msgid("This is too long. Please shorten it.")
_WRONG: Final = msgid(
    "Number and access code do not belong together. Please read both once more."
)
_TOO_OFTEN: Final = msgid("Too many attempts. Please try again in a minute.")
_AWAY: Final = msgid("This cannot be checked at the moment. Please try again.")
_NOT_YET: Final = msgid(
    "Your complaint is just being passed on. Please try again in a minute."
)
_MOVED_ON: Final = msgid(
    "This is no longer possible: your complaint has moved on. See what you can do now."
)
_CHANGED: Final = msgid(
    "Something was added to your complaint meanwhile. Please read it once more."
)


def router(
    pages: Pages,
    handling: Handling,
    commanding: Commanding,
    writer: Writer,
    receipts: Receipts,
    *,
    words: Words,
    uploads: Uploads,
    policy: Policy,
    now: Clock,
    limiter: Limiter,
    new_key: Callable[[], str] = random_key,
) -> APIRouter:
    routes = pages.router()
    customer = _Customer(
        pages,
        handling,
        commanding,
        writer,
        receipts,
        words=words,
        uploads=uploads,
        policy=policy,
        now=now,
        limiter=limiter,
        new_key=new_key,
    )
    routes.get("/answer")(customer.ask)
    routes.post("/answer")(customer.open)
    routes.post("/answer/{command}")(customer.give)
    routes.get("/answer/{command}")(customer.back)
    return routes


class _Customer:
    def __init__(
        self,
        pages: Pages,
        handling: Handling,
        commanding: Commanding,
        writer: Writer,
        receipts: Receipts,
        *,
        words: Words,
        uploads: Uploads,
        policy: Policy,
        now: Clock,
        limiter: Limiter,
        new_key: Callable[[], str],
    ) -> None:
        self._words = words
        self._uploads = uploads
        self._pages = pages
        self._handling = handling
        self._commanding = commanding
        self._writer = writer
        self._receipts = receipts
        self._policy = policy
        self._now = now
        self._limiter = limiter
        self._new_key = new_key

    async def ask(self, request: Request) -> Response:
        number = request.query_params.get("number", "")[:40]
        return self._door(request, Form({"number": [number]}))

    async def open(self, request: Request) -> Response:
        """Show what may be said now. The code stays out of the address."""
        form = await self._pages.form(request)
        try:
            self._limiter.hit(request)
            history = await self._history(form)
        except AmendsError as error:
            return self._door(request, form, error)
        return await self._room(request, form, history)

    async def give(self, request: Request, command: str) -> Response:
        """Carry out one act, and show what may be said after it."""
        form, files = await self._pages.form_and_files(request)
        if command not in OFFERED:
            raise NotFoundError(
                "handling.no_command",
                f"There is no such command: use one of {', '.join(OFFERED)}.",
            )
        try:
            self._limiter.hit(request)
            history = await self._history(form)
        except AmendsError as error:
            return self._door(request, form, error)
        case = history.case
        try:
            form = await keep_files(
                form,
                files,
                self._uploads,
                owner=_complainant(case).actor,
                field=FILES,
            )
            for wanted in self._wanted(command, form, history):
                await carried_out(self._commanding, self._writer, wanted)
        except MalformedError as error:
            faults = self._faults(request, command, error)
            return await self._room(
                request, form, history, command=command, faults=faults
            )
        except AmendsError as error:
            families = ((UnavailableError, _AWAY), (StaleError, _CHANGED))
            text = next((t for kind, t in families if isinstance(error, kind)), None)
            return await self._room(
                request,
                form,
                await self._present(case.id),
                command=command,
                faults=[FormFault("", self._pages.text(request, text or _MOVED_ON))],
                status=status_of(error),
            )
        after = await self._present(case.id)
        return await self._room(request, form, after, done=_DONE[command])

    def _wanted(self, command: str, form: Form, history: History) -> list[Asked]:
        """Give the commands of one act: what is added is one piece after the other.

        Each has a key of its own, made of the form's, so that all may be sent again.
        """
        if command == ADDING:
            payloads = _added(form)
            if not payloads:
                raise wrong_files(NOTHING, _WORDS)
        else:
            payloads = [("", _payload(command, form))]
        key = form.one("key")
        return [
            asked(
                _complainant(history.case),
                case_id=history.case.id,
                name=command,
                payload=payload,
                key=f"{key}{suffix}" if key else None,
                version=_seen(form, history) if command == CONFIRMING else None,
            )
            for suffix, payload in payloads
        ]

    async def back(self, command: str) -> Response:  # noqa: ARG002 it is in the path
        """Lead to the door: opened as an address, there is no code to go by."""
        return self._pages.redirect("/answer")

    async def _history(self, form: Form) -> History:
        """Give the case that number and code open. Raises what `_door` tells."""
        code = form.one("code").replace(" ", "")  # theirs to place
        own = await self._receipts.opened(form.one("number"), code)
        return await self._present(own.case_id)

    async def _present(self, case_id: UUID) -> History:
        return await run_in_threadpool(self._handling.history, str(case_id))

    def _door(
        self, request: Request, form: Form, error: AmendsError | None = None
    ) -> Response:
        told = None
        if error is not None:
            families: Sequence[tuple[type[AmendsError], str]] = (
                (UnauthenticatedError, _WRONG),
                (TooManyError, _TOO_OFTEN),
                (NotFoundError, _NOT_YET),
            )
            text = next((t for kind, t in families if isinstance(error, kind)), _AWAY)
            told = self._pages.text(request, text)
        return self._pages.render(
            request,
            "customer/door.html",
            status=HTTPStatus.OK if error is None else _door_status(error),
            form=form,
            error=told,
        )

    async def _room(
        self,
        request: Request,
        form: Form,
        history: History,
        *,
        command: str = "",
        faults: Sequence[FormFault] = (),
        status: int = 0,
        done: str = "",
    ) -> Response:
        """Show the acts; the one in `command` as it was typed, with its faults."""
        case = history.case
        sender = _complainant(case)
        open_now = available(case, actor_of(sender), self._policy, self._now())
        statement = (
            await read_statement(self._words, history, reader=sender)
            if CONFIRMING in open_now
            else None
        )
        return self._pages.render(
            request,
            "customer/room.html",
            status=status or (422 if faults else 200),
            case=case,
            number=form.one("number"),
            code=form.one("code"),
            acts=[
                (act, form if act == command else Form(), self._new_key())
                for act in OFFERED
                if act in open_now
            ],
            statement=statement,
            tried=command,
            faults=faults,
            errors={fault.field: fault.message for fault in faults},
            done=done,
            limit=WORDS_LIMIT,
            kept=known_files(form, self._uploads, owner=sender.actor, field=FILES)
            if command == ADDING and not done
            else (),
            largest=self._uploads.limit,
            at_once=FILES_LIMIT,
            most_files=MOST_FILES,
            grounds=list(AppealGround),
            refusals=list(RefusalReason),
            withdrawals=list(WithdrawalReason),
        )

    def _faults(
        self, request: Request, command: str, error: MalformedError
    ) -> list[FormFault]:
        """Say each fault at its field; texts are named by what kind of paper they are."""
        told: dict[str, FormFault] = {}
        for fault in error.errors:
            name = fault.field.partition("[")[0]
            known = (
                fault.message
                if fault.message in FILE_FAULTS
                else _FAULTS.get(name, _TOO_LONG)
            )
            if name == UPLOAD:
                name, known = "files", FILE_GONE
            text = self._pages.text(request, known)
            field = f"{command}.{_PAPERS.get(name, name)}"
            told.setdefault(field, FormFault(field, text))
        return list(told.values())


def _added(form: Form) -> list[tuple[str, dict[str, Any]]]:
    """Give what is added, words first, each with what tells its key from the others'."""
    added: list[tuple[str, Any]] = []
    words = form.raw(f"{ADDING}.words")
    if words.strip():
        added.append((".words", words))
    added += [
        (f".{upload}", {"upload": upload}) for upload in dict.fromkeys(form.many(FILES))
    ]
    return [
        (suffix, {"document": document, "source": EvidenceSource.CUSTOMER.value})
        for suffix, document in added
    ]


def _complainant(case: Case) -> Credential:
    return Credential(actor=f"receipt-{case.receipt_no}", role=COMPLAINANT)


def _payload(command: str, form: Form) -> dict[str, Any]:
    """Turn the fields into the command's; what was left empty is left out.

    On the page each name has the command before it, as several have a reason.
    """
    payload: dict[str, Any] = {
        name: form.raw(f"{command}.{name}")
        for name in _TEXTS[command]
        if form.one(f"{command}.{name}")
    }
    if command == CONFIRMING:
        payload["medium"] = Medium.WEB.value
    if command == "appeal":
        payload["grounds"] = list(dict.fromkeys(form.many("appeal.grounds")))
    if command == "rate" and form.one("rate.score") in set("12345"):
        payload["score"] = int(form.one("rate.score"))
    return payload


def _seen(form: Form, history: History) -> int:
    """Give the version up to which what is confirmed was read.

    What happened since and is not shown, as the work of the staff, changes nothing.
    """
    typed = form.one(f"{CONFIRMING}.version")
    version = int(typed) if typed.isdecimal() else -1
    now = history.case.version
    return now if shown_since(history) <= version <= now else -1


def _door_status(error: AmendsError) -> int:
    """Give 403 for a wrong code: 401 would be a missing session."""
    wrong = isinstance(error, UnauthenticatedError)
    return HTTPStatus.FORBIDDEN if wrong else status_of(error)
