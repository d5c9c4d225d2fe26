"""`/desk/cases/…`: one case, its words, its history, and what may be done now."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from events.vocabulary import DocumentKind
from services.handling.application.asking import asked, carried_out
from services.handling.application.cases import AsOf, Handling, History
from services.handling.application.clocks import looked_at, timed
from services.handling.application.codes import RENEWING
from services.handling.application.commanding import Asked, Commanding
from services.handling.application.looking import look, sees, told
from services.handling.application.reading import Words, documents_of
from services.handling.application.turn import turn
from services.handling.domain.clocks import Clockwork
from services.handling.domain.commands import COMMANDS
from services.handling.pages.desk import HOME, QUEUE, TONES
from services.handling.pages.desk_adding import (
    ADDING,
    FILES,
    Given,
    faults_of_files,
    read_given,
)
from services.handling.pages.desk_clocks import told as clock_told
from services.handling.pages.desk_fields import (
    ROWS,
    faults_of,
    fields_of,
    read_moment,
)
from services.handling.pages.desk_history import entries
from services.handling.pages.desk_moments import Moments, moments, position_of
from services.handling.pages.desk_offers import CURRENCIES, Tried, currency_of, offers
from services.handling.pages.desk_papers import opened
from services.handling.pages.desk_words import WORDS
from services.handling.pages.kept_files import MOST_FILES, known_files
from services.kernel.access import Credential
from services.kernel.clock import Clock
from services.kernel.errors import (
    AmendsError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    RefusedError,
    StaleError,
    UnavailableError,
)
from services.kernel.i18n import msgid
from services.kernel.store.writer import Writer
from services.kernel.vault import Uploads
from services.kernel.web.pages import Form, FormFault, Pages
from services.kernel.web.pages.forms import random_key
from services.kernel.web.pages.multipart import FILES_LIMIT
from services.kernel.web.problems import status_of

NO_PURPOSE: Final = msgid("Choose what you need them for.")

_NUMBER: Final = 16
_FORM_REFUSALS: Final = (
    ForbiddenError,
    MalformedError,
    RefusedError,
    StaleError,
    UnavailableError,
)


def router(
    handling: Handling,
    commanding: Commanding,
    writer: Writer,
    words: Words,
    pages: Pages,
    *,
    uploads: Uploads,
    clockwork: Clockwork,
    names: Callable[[], Mapping[str, str]],
    now: Clock,
    new_key: Callable[[], str] = random_key,
) -> APIRouter:
    """Build the routes. `names` gives people's names by the ids that events have."""
    routes, policy = pages.router(), clockwork.policy
    _lead_back(routes, pages)
    page = _CasePage(
        handling,
        words,
        pages,
        uploads=uploads,
        clockwork=clockwork,
        names=names,
        now=now,
        new_key=new_key,
    )

    @routes.get(f"{QUEUE}/{{reference}}")
    async def case(request: Request, reference: str) -> Response:
        viewer = pages.require_known(request)
        step = request.query_params.get("step")
        if step is not None:
            return await page.led_to(request, reference, step)
        as_of = read_moment(request.query_params.get("as_of"), pages.zone)
        history = await page.history(viewer, reference, as_of)
        moment = as_of if isinstance(as_of, dt.datetime) else None
        return await page.show(request, history, moment=moment)

    @routes.post(f"{QUEUE}/{{case_id}}/do/{{command}}")
    async def do(request: Request, case_id: UUID, command: str) -> Response:
        viewer = pages.require_known(request)
        history = await page.history(viewer, str(case_id))
        if command not in COMMANDS:
            raise NotFoundError(
                "handling.no_command",
                "There is no such command: open the case again, and take one it offers.",
            )
        form, files = await pages.form_and_files(request)
        given = await read_given(
            command,
            fields_of(command, history.case, policy),
            form,
            files,
            uploads=uploads,
            owner=viewer.actor,
            zone=pages.zone,
        )
        form = given.form
        if given.faults:
            said = [
                FormFault(each.field, pages.text(request, each.message))
                for each in given.faults
            ]
            return await page.refused(request, history, Tried(command, form, said, 422))
        try:
            for wanted in _wanted(viewer, case_id, command, given):
                await carried_out(commanding, writer, wanted)
        except _FORM_REFUSALS as error:
            return await page.explained(request, case_id, command, form, error)
        after = await run_in_threadpool(handling.history, str(case_id))
        seen = sees(viewer, after.case, policy)
        return pages.redirect(f"{QUEUE}/{case_id}" if seen else HOME, done=command)

    @routes.post(f"{QUEUE}/{{case_id}}/particulars")
    async def particulars(request: Request, case_id: UUID) -> Response:
        viewer = pages.require_known(request)
        history = await page.history(viewer, str(case_id))
        purpose = (await pages.form(request)).one("purpose")
        if purpose not in WORDS["purpose"]:
            return await page.show(request, history, purpose_missing=True, status=422)
        return await page.show(request, history, purpose=purpose)

    return routes


def _wanted(
    viewer: Credential, case_id: UUID, command: str, given: Given
) -> Iterator[Asked]:
    """Give the commands of a form; what comes after the first is our own doing."""
    version, key = given.form.one("version"), given.form.one("key")
    seen: int | None = int(version) if version.isdecimal() else -1
    for suffix, payload in given.pieces:
        yield asked(
            viewer,
            case_id=case_id,
            name=command,
            payload=payload,
            key=f"{key}{suffix}" if key else None,
            version=seen,
        )
        seen = None


def _lead_back(routes: APIRouter, pages: Pages) -> None:
    """Lead from a form's address, opened from the history, say, to its page."""

    @routes.get(f"{QUEUE}/{{case_id}}/do/{{command}}")
    def command(case_id: UUID, command: str) -> Response:  # noqa: ARG001 in the path
        return pages.redirect(f"{QUEUE}/{case_id}")

    @routes.get(f"{QUEUE}/{{case_id}}/particulars")
    def particulars(case_id: UUID) -> Response:
        return pages.redirect(f"{QUEUE}/{case_id}")


class _CasePage:
    """What the page of a case is put together from."""

    def __init__(
        self,
        handling: Handling,
        words: Words,
        pages: Pages,
        *,
        uploads: Uploads,
        clockwork: Clockwork,
        names: Callable[[], Mapping[str, str]],
        now: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._handling = handling
        self._words = words
        self._pages = pages
        self._uploads = uploads
        self._clockwork = clockwork
        self._policy = clockwork.policy
        self._names = names
        self._now = now
        self._new_key = new_key

    async def history(
        self, viewer: Credential, reference: str, as_of: AsOf = None
    ) -> History:
        return await run_in_threadpool(
            look,
            self._handling,
            reference,
            as_of,
            sender=viewer,
            policy=self._policy,
        )

    async def led_to(self, request: Request, reference: str, step: str) -> Response:
        """Lead from a step of the slider to the address that it will always have."""
        viewer = self._pages.require_known(request)
        history = await self.history(viewer, reference)
        position = position_of(told(history, viewer, self._policy), step)
        here = f"{QUEUE}/{history.case.id}"
        return self._pages.redirect(
            here, **({} if position is None else {"as_of": str(position)})
        )

    async def _moments(
        self, history: History, viewer: Credential, moment: dt.datetime | None
    ) -> Moments:
        whole = history
        if history.past:
            whole = await run_in_threadpool(
                self._handling.history, str(history.case.id)
            )
        return moments(
            told(whole, viewer, self._policy),
            history.position,
            moment or history.events[-1].committed_at,
        )

    async def explained(
        self,
        request: Request,
        case_id: UUID,
        command: str,
        form: Form,
        error: AmendsError,
    ) -> Response:
        """Show the case as it is by now, with the refusal where it happened."""
        viewer = self._pages.require_known(request)
        history = await self.history(viewer, str(case_id))
        fields = fields_of(command, history.case, self._policy)
        if isinstance(error, MalformedError) and error.errors:
            faults = [
                FormFault(each.field, self._pages.text(request, each.message))
                for each in faults_of_files(error) or faults_of(fields, error)
            ]
        else:
            field = error.errors[0].field if error.errors else ""
            known = any(each.name == field for each in fields)
            told_ = self._pages.remedy(request, error)
            faults = [FormFault(field if known else "", told_)]
        if error.code == "handling.key_reused":
            form = form.having("key", self._new_key())
        tried = Tried(command, form, faults, status_of(error))
        return await self.refused(request, history, tried)

    async def refused(
        self, request: Request, history: History, tried: Tried
    ) -> Response:
        return await self.show(request, history, tried=tried, status=tried.status)

    async def show(
        self,
        request: Request,
        history: History,
        *,
        tried: Tried | None = None,
        purpose: str | None = None,
        purpose_missing: bool = False,
        moment: dt.datetime | None = None,
        status: int = 200,
    ) -> Response:
        viewer, case = self._pages.require_known(request), history.case
        events = told(history, viewer, self._policy)
        names = await run_in_threadpool(self._names)
        papers = documents_of(events)
        now = turn(history, viewer, self._policy, self._now())
        form = Form({"currency": [currency_of(case, self._policy)]})

        at = looked_at(history, moment, self._now())
        clocks = timed(
            history, self._clockwork, at, unit=viewer.role in self._policy.unit_roles
        )

        def said(error: AmendsError) -> str:
            return self._pages.remedy(request, error)

        return self._pages.render(
            request,
            "desk/case.html",
            status=status,
            case=case,
            received=history.events[0].event.data,
            number=grouped(case.receipt_no),
            past=history.past,
            stood_at=history.events[-1].committed_at,
            moments=await self._moments(history, viewer, moment),
            clocks=clocks,
            clock_told=lambda clock: clock_told(clock, self._clockwork, at),
            policy_version=self._policy.version,
            turn=now,
            offers=now
            and offers(
                now,
                case,
                self._policy,
                tried=tried,
                fresh=lambda: form.having("key", self._new_key()),
            ),
            hindered=now and now.hindered and (now.hindered[0], said(now.hindered[1])),
            entries=entries(events, names),
            zone=self._pages.zone,
            words=await opened(
                self._words, papers, reader=viewer, purpose=purpose, remedy=said
            ),
            purposes=tuple(WORDS["purpose"]),
            purpose=purpose,
            purpose_missing=self._pages.text(request, NO_PURPOSE)
            if purpose_missing
            else None,
            renewing=self._new_key()
            if not history.past and viewer.role in RENEWING
            else None,
            verifying=tuple(WORDS["verified"]),
            evidence=[
                each for each in papers if each.ref.kind is not DocumentKind.PARTICULARS
            ],
            front_office=self._policy.front_office,
            adding=ADDING,
            files_field=FILES,
            kept=known_files(tried.form, self._uploads, owner=viewer.actor, field=FILES)
            if tried and tried.command == ADDING
            else (),
            largest=self._uploads.limit,
            at_once=FILES_LIMIT,
            most_files=MOST_FILES,
            currencies=CURRENCIES,
            rows=range(ROWS),
            tones=TONES,
            done=request.query_params.get("done", "") if tried is None else "",
        )


def grouped(number: str) -> str:
    """Give a receipt number in fours, as it is read out."""
    return " ".join(number[at : at + 4] for at in range(0, _NUMBER, 4))
