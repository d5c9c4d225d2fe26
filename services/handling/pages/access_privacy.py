"""`/access/privacy`: a person's own data before the privacy officer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003 FastAPI reads it from the signature

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it from the signature
from starlette.responses import (
    Response,
    StreamingResponse,
)

from events.vocabulary import ErasureBasis
from services.handling.application.personal import (
    HOLD_TEXT,
    LOOKING,
    ZIP,
    erase_now,
    export_headers,
    overview,
)
from services.handling.application.privacy import HOLD_REASON
from services.handling.domain.privacy import WHILE_OPEN, HoldReason
from services.handling.domain.visibility import OFFICER
from services.kernel.errors import AmendsError, NotFoundError, RefusedError
from services.kernel.i18n import msgid
from services.kernel.tokens import require_role
from services.kernel.web.pages import FormFault
from services.kernel.web.problems import status_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import APIRouter

    from services.handling.application.exporting import Exporting
    from services.handling.application.privacy import Privacy
    from services.handling.ports import PeopleAtIntake
    from services.kernel.access import Credential
    from services.kernel.store.writer import Writer
    from services.kernel.web.pages import Form, Pages

PRIVACY: Final = "/access/privacy"
SHOWN: Final = 100
"""As many holds and erasures stand on the page; the command line lists all."""
CONFIRMING: Final = msgid("erase")
"""What is typed to have it done, in the reader's language."""

HOLD_REASONS: Final = {
    HoldReason.LEGAL_CLAIM: msgid("A legal claim"),
    HoldReason.AUTHORITY: msgid("An authority asks for it"),
    HoldReason.INTERNAL_INQUIRY: msgid("An inquiry in the house"),
    HoldReason.OTHER: msgid("Another reason"),
}
KINDS: Final = {HOLD_REASON: msgid("Reason of a hold")}
"""Kinds of documents that no event names."""
REMEDIES: Final[Mapping[str, str]] = {
    "privacy.erased": msgid("This person's data was erased. Nothing is left of it."),
    "privacy.held": msgid(
        "This data must be kept. End the hold if its reason is gone, or wait."
    ),
    "privacy.hold_over": msgid("Choose a day that is still to come."),
    "privacy.no_hold": msgid("There is no such hold."),
    "privacy.nobody": msgid(
        "No complaint is known of this person. Check the number, or ask for another."
    ),
    "privacy.open_cases": msgid(
        "A case of this person is still open. End it first, or have the complaint"
        " withdrawn."
    ),
}
_DONE: Final = {
    "erased": msgid("The data was erased. Intake follows within moments."),
    "held": msgid("Nothing of this person is erased until that day is over."),
    "ended": msgid("The hold has ended. That it was there stays on record."),
}
_NOT_TYPED: Final = msgid("Type the word to confirm.")
_NO_BASIS: Final = msgid("Choose on what basis.")
_NO_REASON: Final = msgid("Choose a reason.")
_NO_DAY: Final = msgid("Give a day.")
_TOO_LONG: Final = msgid("Write at most 2,000 characters.")


@dataclass(frozen=True, slots=True)
class Office:
    """What the officer's pages are made of."""

    privacy: Privacy
    exporting: Exporting
    intake: PeopleAtIntake
    writer: Writer
    pages: Pages

    def require(self, request: Request, *roles: str) -> Credential:
        by = self.pages.require_known(request)
        require_role(by, *roles)
        return by

    async def show(
        self,
        request: Request,
        subject_id: UUID,
        template: str = "access/privacy_person.html",
        *,
        form: Form | None = None,
        found: list[FormFault] | None = None,
        status: int = 200,
    ) -> Response:
        """Show a page about somebody, with what was typed and what is wrong with it."""
        person = await run_in_threadpool(self.privacy.person, str(subject_id))
        faults = found or []
        now = self.privacy.now()
        names = ("basis", "confirm", "reason", "until", "text")
        return self.pages.render(
            request,
            template,
            status=status,
            person=person,
            held_until=person.held_until(now),
            holds=[(hold, hold.in_force(now)) for hold in person.holds],
            told=await overview(self.privacy, self.intake, person),
            home=f"{PRIVACY}/people/{person.subject_id}",
            bases=[(each.value, each in WHILE_OPEN) for each in ErasureBasis],
            reasons=HOLD_REASONS,
            kinds=KINDS,
            confirming=CONFIRMING,
            longest=HOLD_TEXT,
            given={name: form.raw(name) if form else "" for name in names},
            found=faults,
            errors={fault.field: fault.message for fault in faults},
            done=_DONE.get(request.query_params.get("done", ""))
            if not faults
            else None,
        )

    def fault(self, request: Request, field: str, words: str) -> FormFault:
        return FormFault(field, self.pages.text(request, words))


def router(office: Office) -> APIRouter:
    """Build the routes: the officer acts, auditors see the lists."""
    routes = office.pages.router()
    _lists(routes, office)
    _erasing(routes, office)
    _holding(routes, office)

    @routes.get(f"{PRIVACY}/people/{{subject_id}}")
    async def look(request: Request, subject_id: UUID) -> Response:
        office.require(request, OFFICER)
        return await office.show(request, subject_id)

    @routes.post(f"{PRIVACY}/people/{{subject_id}}/export")
    async def export(request: Request, subject_id: UUID) -> Response:
        by = office.require(request, OFFICER)
        form = await office.pages.form(request)
        person = await run_in_threadpool(office.privacy.person, str(subject_id))
        try:
            content = await office.exporting.begin(person, by=by)
        except AmendsError as error:
            told = FormFault("", office.pages.remedy(request, error))
            return await office.show(
                request, subject_id, form=form, found=[told], status=status_of(error)
            )
        headers = export_headers(person)
        return StreamingResponse(content, media_type=ZIP, headers=headers)

    # Opened from the history, say, the address of a form leads to its page.
    @routes.get(f"{PRIVACY}/people/{{subject_id}}/{{form}}")
    def back(subject_id: UUID, form: str) -> Response:  # noqa: ARG001 it is in the path
        return office.pages.redirect(f"{PRIVACY}/people/{subject_id}")

    return routes


def _lists(routes: APIRouter, office: Office) -> None:
    @routes.get(PRIVACY)
    async def home(request: Request, person: str = "") -> Response:
        by = office.require(request, *LOOKING)
        wrong: str | None = None
        if person.strip() and by.role == OFFICER:
            try:
                found = await run_in_threadpool(office.privacy.person, person.strip())
            except NotFoundError as error:
                wrong = office.pages.remedy(request, error)
            else:
                address = f"{PRIVACY}/people/{found.subject_id}"
                return office.pages.redirect(address)
        now = office.privacy.now()
        holds = await run_in_threadpool(office.privacy.holds)
        register = await run_in_threadpool(office.privacy.register)
        return office.pages.render(
            request,
            "access/privacy.html",
            status=404 if wrong else 200,
            officer=by.role == OFFICER,
            typed=person,
            wrong=wrong,
            holds=[(hold, hold.in_force(now)) for hold in holds[:SHOWN]],
            erasures=register[::-1][:SHOWN],
            reasons=HOLD_REASONS,
            done=_DONE.get(request.query_params.get("done", "")),
        )


def _erasing(routes: APIRouter, office: Office) -> None:
    address, template = (
        f"{PRIVACY}/people/{{subject_id}}/erase",
        "access/privacy_erase.html",
    )

    @routes.get(address)
    async def ask(request: Request, subject_id: UUID) -> Response:
        office.require(request, OFFICER)
        return await office.show(request, subject_id, template)

    @routes.post(address)
    async def erase(request: Request, subject_id: UUID) -> Response:
        by = office.require(request, OFFICER)
        form = await office.pages.form(request)
        person = await run_in_threadpool(office.privacy.person, str(subject_id))
        found = []
        basis = form.one("basis")
        if basis not in set(ErasureBasis):
            found.append(office.fault(request, "basis", _NO_BASIS))
        word = office.pages.text(request, CONFIRMING)
        if form.one("confirm").casefold() != word.casefold():
            found.append(office.fault(request, "confirm", _NOT_TYPED))
        status = 422
        if not found:
            try:
                await erase_now(
                    office.privacy, office.writer, person, ErasureBasis(basis), by=by
                )
            except RefusedError as error:
                found = [FormFault("", office.pages.remedy(request, error))]
                status = status_of(error)
            else:
                home = f"{PRIVACY}/people/{subject_id}"
                return office.pages.redirect(home, done="erased")
        return await office.show(
            request, subject_id, template, form=form, found=found, status=status
        )


def _holding(routes: APIRouter, office: Office) -> None:
    @routes.post(f"{PRIVACY}/people/{{subject_id}}/hold")
    async def place(request: Request, subject_id: UUID) -> Response:
        by = office.require(request, OFFICER)
        form = await office.pages.form(request)
        found, until = _faults_of(office, request, form)
        status = 422
        if until is not None and not found:
            try:
                await office.writer.run(
                    lambda: office.privacy.place(
                        subject_id,
                        HoldReason(form.one("reason")),
                        until=until,
                        text=form.one("text") or None,
                        by=by.actor,
                    )
                )
            except RefusedError as error:
                name = "until" if error.code == "privacy.hold_over" else ""
                found = [FormFault(name, office.pages.remedy(request, error))]
                status = status_of(error)
            else:
                home = f"{PRIVACY}/people/{subject_id}"
                return office.pages.redirect(home, done="held")
        return await office.show(
            request, subject_id, form=form, found=found, status=status
        )

    @routes.post(f"{PRIVACY}/holds/{{hold_id}}/end")
    async def end(request: Request, hold_id: UUID) -> Response:
        by = office.require(request, OFFICER)
        await office.pages.form(request)
        await office.writer.run(lambda: office.privacy.end(hold_id, by=by.actor))
        return office.pages.redirect(PRIVACY, done="ended")

    @routes.get(f"{PRIVACY}/holds/{{hold_id}}/{{form}}")
    def back(hold_id: UUID, form: str) -> Response:  # noqa: ARG001 it is in the path
        return office.pages.redirect(PRIVACY)


def _faults_of(
    office: Office, request: Request, form: Form
) -> tuple[list[FormFault], dt.date | None]:
    found, until = [], None
    if form.one("reason") not in set(HoldReason):
        found.append(office.fault(request, "reason", _NO_REASON))
    try:
        until = dt.date.fromisoformat(form.one("until"))
    except ValueError:
        found.append(office.fault(request, "until", _NO_DAY))
    if len(form.one("text")) > HOLD_TEXT:
        found.append(office.fault(request, "text", _TOO_LONG))
    return found, until
