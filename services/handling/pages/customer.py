"""`/answer`: what customers say to a decision, by the access code of their receipt.

Nothing is kept between two requests: each form carries number and code, and each is
checked anew. Only what may be said now is offered.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it

from events.vocabulary import AppealGround, RefusalReason, WithdrawalReason
from services.handling.application.asking import actor_of, asked, carried_out
from services.handling.application.commanding import WORDS_LIMIT
from services.handling.domain.decisions import available
from services.kernel.access import Credential
from services.kernel.errors import (
    AmendsError,
    MalformedError,
    NotFoundError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.i18n import msgid
from services.kernel.web.pages import Form, FormFault
from services.kernel.web.pages.forms import random_key
from services.kernel.web.problems import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastapi import APIRouter
    from fastapi.responses import Response

    from services.handling.application.cases import Handling
    from services.handling.application.commanding import Commanding
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.handling.ports import Receipts
    from services.kernel.clock import Clock
    from services.kernel.store.writer import Writer
    from services.kernel.web.pages import Pages

ROLE: Final = "complainant"
OFFERED: Final = ("agree", "refuse", "rate", "appeal", "withdraw")
"""What a customer may do here, in the order in which it is shown."""

_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "agree": (),
    "refuse": ("reason", "note"),
    "rate": ("comment",),
    "appeal": ("statement", "expected_outcome"),
    "withdraw": ("reason", "note"),
}
_DONE: Final[Mapping[str, str]] = {
    "agree": msgid("Thank you. We have your agreement and do what we promised."),
    "refuse": msgid("We have noted that you do not agree, and look for another way."),
    "rate": msgid("Thank you for telling us."),
    "appeal": msgid("We have your appeal. Somebody uninvolved looks at it again."),
    "withdraw": msgid("Your complaint is withdrawn."),
}
_FAULTS: Final[Mapping[str, str]] = {
    "reason": msgid("Please choose a reason."),
    "grounds": msgid("Please tick what you contest."),
    "score": msgid("Please choose one of the five."),
}
_PAPERS: Final = {"desired_outcome": "expected_outcome"}
_TOO_LONG: Final = msgid("This is too long. Please shorten it.")
_WRONG: Final = msgid(
    "Number and access code do not belong together. Please read both once more."
)
_TOO_OFTEN: Final = msgid("Too many wrong codes. Please try again in a minute.")
_AWAY: Final = msgid("This cannot be checked at the moment. Please try again.")
_NOT_YET: Final = msgid(
    "Your complaint is just being passed on. Please try again in a minute."
)
_MOVED_ON: Final = msgid(
    "This is no longer possible: your complaint has moved on. See what you can do now."
)


def router(
    pages: Pages,
    handling: Handling,
    commanding: Commanding,
    writer: Writer,
    receipts: Receipts,
    *,
    policy: Policy,
    now: Clock,
    new_key: Callable[[], str] = random_key,
) -> APIRouter:
    routes = pages.router()
    customer = _Customer(
        pages,
        handling,
        commanding,
        writer,
        receipts,
        policy=policy,
        now=now,
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
        policy: Policy,
        now: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._pages = pages
        self._handling = handling
        self._commanding = commanding
        self._writer = writer
        self._receipts = receipts
        self._policy = policy
        self._now = now
        self._new_key = new_key

    async def ask(self, request: Request) -> Response:
        number = request.query_params.get("number", "")[:40]
        return self._door(request, Form({"number": [number]}))

    async def open(self, request: Request) -> Response:
        """Show what may be said now. The code stays out of the address."""
        form = await self._pages.form(request)
        try:
            case = await self._case(form)
        except AmendsError as error:
            return self._door(request, form, error)
        return self._room(request, form, case)

    async def give(self, request: Request, command: str) -> Response:
        """Carry out one act, and show what may be said after it."""
        form = await self._pages.form(request)
        if command not in OFFERED:
            raise NotFoundError(
                "handling.no_command",
                f"There is no such command: use one of {', '.join(OFFERED)}.",
            )
        try:
            case = await self._case(form)
        except AmendsError as error:
            return self._door(request, form, error)
        wanted = asked(
            _complainant(case),
            case_id=case.id,
            name=command,
            payload=_payload(command, form),
            key=form.one("key") or None,
            version=None,
        )
        try:
            await carried_out(self._commanding, self._writer, wanted)
        except MalformedError as error:
            faults = self._faults(request, command, error)
            return self._room(request, form, case, command=command, faults=faults)
        except AmendsError as error:
            away = isinstance(error, UnavailableError)
            told = FormFault(
                "", self._pages.text(request, _AWAY if away else _MOVED_ON)
            )
            return self._room(
                request,
                form,
                case,
                command=command,
                faults=[told],
                status=status_of(error),
            )
        after = await self._case(form)
        return self._room(request, form, after, done=_DONE[command])

    async def back(self, command: str) -> Response:  # noqa: ARG002 it is in the path
        """Lead to the door: opened as an address, there is no code to go by."""
        return self._pages.redirect("/answer")

    async def _case(self, form: Form) -> Case:
        """Give the case that number and code open. Raises what `_door` tells."""
        code = form.one("code").replace(" ", "")  # theirs to place
        own = await self._receipts.opened(form.one("number"), code)
        found = await run_in_threadpool(self._handling.history, str(own.case_id))
        return found.case

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

    def _room(
        self,
        request: Request,
        form: Form,
        case: Case,
        *,
        command: str = "",
        faults: Sequence[FormFault] = (),
        status: int = 0,
        done: str = "",
    ) -> Response:
        """Show the acts; the one in `command` as it was typed, with its faults."""
        sender = _complainant(case)
        open_now = available(case, actor_of(sender), self._policy, self._now())
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
            tried=command,
            faults=faults,
            errors={fault.field: fault.message for fault in faults},
            done=done,
            limit=WORDS_LIMIT,
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
            text = self._pages.text(request, _FAULTS.get(name, _TOO_LONG))
            field = f"{command}.{_PAPERS.get(name, name)}"
            told.setdefault(field, FormFault(field, text))
        return list(told.values())


def _complainant(case: Case) -> Credential:
    return Credential(actor=f"receipt-{case.receipt_no}", role=ROLE)


def _payload(command: str, form: Form) -> dict[str, Any]:
    """Turn the fields into the command's; what was left empty is left out.

    On the page each name has the command before it, as several have a reason.
    """
    payload: dict[str, Any] = {
        name: form.raw(f"{command}.{name}")
        for name in _TEXTS[command]
        if form.one(f"{command}.{name}")
    }
    if command == "appeal":
        payload["grounds"] = list(dict.fromkeys(form.many("appeal.grounds")))
    if command == "rate" and form.one("rate.score") in set("12345"):
        payload["score"] = int(form.one("rate.score"))
    return payload


def _door_status(error: AmendsError) -> int:
    """Give 403 for a wrong code: 401 would be a missing session."""
    wrong = isinstance(error, UnauthenticatedError)
    return HTTPStatus.FORBIDDEN if wrong else status_of(error)
