"""`/desk/cases/…`: one case, its words, its history, and what may be done now."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from events.envelope import Actor
from events.vocabulary import DocumentKind
from services.handling.application.asking import asked
from services.handling.application.cases import AsOf, Handling, History
from services.handling.application.commanding import Commanding
from services.handling.application.looking import look, read_as_of, sees, told
from services.handling.application.reading import Words, Written, documents_of
from services.handling.domain.case import Case
from services.handling.domain.commands import COMMANDS
from services.handling.domain.decisions import available, hindrance
from services.handling.domain.policy import Policy
from services.handling.pages.desk import HOME, QUEUE, TONES
from services.handling.pages.desk_fields import (
    NEXT,
    ROWS,
    Field,
    Sent,
    by_field,
    faults_of,
    fields_of,
    local_instant,
    main_command,
)
from services.handling.pages.desk_history import entries
from services.handling.pages.desk_refusals import FIELDS
from services.handling.pages.desk_words import WORDS
from services.handling.ports import Paper
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
from services.kernel.web.pages import Form, FormFault, Pages
from services.kernel.web.pages.forms import random_key
from services.kernel.web.problems import status_of

CURRENCIES: Final = ("CNY", "EUR", "GBP", "HKD", "JPY", "TWD", "USD")
NO_PURPOSE: Final = msgid("Choose what you need them for.")

_TEXT: Final = "text/"
_NUMBER: Final = 16
_FORM_REFUSALS: Final = (
    ForbiddenError,
    MalformedError,
    RefusedError,
    StaleError,
    UnavailableError,
)


@dataclass(frozen=True, slots=True)
class Tried:
    """A command that was not carried out: what was sent, and what is wrong with it."""

    command: str
    form: Form
    faults: list[FormFault]
    status: int

    @property
    def errors(self) -> Mapping[str, str]:
        return by_field(self.faults)


@dataclass(frozen=True, slots=True)
class Offer:
    """A command with its form."""

    command: str
    fields: tuple[Field, ...]
    form: Form
    faults: list[FormFault]
    next: bool
    """It brings the case on, or it was tried just now."""

    @property
    def open(self) -> bool:
        """Whether it is shown unfolded: long forms would hide the words below."""
        return self.next and (bool(self.faults) or not self.fields)

    @property
    def errors(self) -> Mapping[str, str]:
        return by_field(self.faults)


@dataclass(frozen=True, slots=True)
class Word:
    """A document as the page shows it: its text, its particulars, or why neither."""

    written: Written
    text: str | None = None
    particulars: tuple[tuple[str, str], ...] = ()
    masked: bool = False
    file: bool = False
    fault: str | None = None


def router(
    handling: Handling,
    commanding: Commanding,
    writer: Writer,
    words: Words,
    pages: Pages,
    *,
    policy: Policy,
    names: Callable[[], Mapping[str, str]],
    now: Clock,
    new_key: Callable[[], str] = random_key,
) -> APIRouter:
    """Build the routes. `names` gives people's names by the ids that events have."""
    routes = pages.router()
    _lead_back(routes, pages)
    page = _CasePage(
        handling, words, pages, policy=policy, names=names, now=now, new_key=new_key
    )

    @routes.get(f"{QUEUE}/{{reference}}")
    async def case(request: Request, reference: str) -> Response:
        viewer = pages.require_known(request)
        when = request.query_params.get("as_of") or None
        instant = local_instant(when, pages.zone) if when and "T" in when else None
        history = await page.history(
            viewer, reference, _zoned(when, instant) if when else None
        )
        return await page.show(request, history, past=when is not None)

    @routes.post(f"{QUEUE}/{{case_id}}/do/{{command}}")
    async def do(request: Request, case_id: UUID, command: str) -> Response:
        viewer = pages.require_known(request)
        history = await page.history(viewer, str(case_id))
        if command not in COMMANDS:
            raise NotFoundError("handling.no_command", "Open the case again.")
        form = await pages.form(request)
        sent = Sent(fields_of(command, history.case, policy), form, pages.zone)
        if sent.faults:
            said = [
                FormFault(each.field, pages.text(request, each.message))
                for each in sent.faults
            ]
            return await page.refused(request, history, Tried(command, form, said, 422))
        version = form.one("version")
        try:
            wanted = asked(
                viewer,
                case_id=case_id,
                name=command,
                payload=sent.payload,
                key=form.one("key") or None,
                version=int(version) if version.isdecimal() else -1,
            )
            commanding.check(wanted)
            await writer.call(commanding.carry_out, wanted)
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

    @routes.get(f"{QUEUE}/{{case_id}}/documents/{{document_id}}")
    async def document(request: Request, case_id: UUID, document_id: UUID) -> Response:
        viewer = pages.require_known(request)
        history = await page.history(viewer, str(case_id))
        wanted = next(
            (
                each
                for each in documents_of(told(history, viewer, policy))
                if each.ref.document_id == document_id
                and each.ref.kind is not DocumentKind.PARTICULARS
            ),
            None,
        )
        if wanted is None:
            raise NotFoundError("vault.unknown", "No such document is kept here.")
        paper = await words.one(wanted, reader=viewer)
        name = f"{history.case.receipt_no}-{paper.kind}-{str(document_id)[-4:]}"
        return Response(
            paper.content,
            media_type=paper.media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    return routes


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
        policy: Policy,
        names: Callable[[], Mapping[str, str]],
        now: Clock,
        new_key: Callable[[], str],
    ) -> None:
        self._handling = handling
        self._words = words
        self._pages = pages
        self._policy = policy
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
                for each in faults_of(fields, error)
            ]
        else:
            field = FIELDS.get(error.code, "")
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
        past: bool = False,
        tried: Tried | None = None,
        purpose: str | None = None,
        purpose_missing: bool = False,
        status: int = 200,
    ) -> Response:
        viewer = self._pages.require_known(request)
        events = told(history, viewer, self._policy)
        names = await run_in_threadpool(self._names)
        papers = documents_of(events)
        return self._pages.render(
            request,
            "desk/case.html",
            status=status,
            case=history.case,
            received=history.events[0].event.data,
            number=grouped(history.case.receipt_no),
            position=history.position,
            past=past,
            stood_at=history.events[-1].committed_at,
            offers=() if past else self._offers(history, viewer, tried),
            hindered=None if past else self._hindered(request, history, viewer),
            entries=entries(events, names),
            words=await self._read(request, papers, viewer, purpose),
            purposes=tuple(WORDS["purpose"]),
            purpose=purpose,
            purpose_missing=self._pages.text(request, NO_PURPOSE)
            if purpose_missing
            else None,
            evidence=[
                each for each in papers if each.ref.kind is not DocumentKind.PARTICULARS
            ],
            departments=tuple(self._policy.departments),
            front_office=self._policy.front_office,
            categories=_categories(self._policy, history),
            currencies=CURRENCIES,
            rows=range(ROWS),
            tones=TONES,
            done=request.query_params.get("done", "") if tried is None else "",
        )

    def _hindered(
        self, request: Request, history: History, viewer: Credential
    ) -> tuple[str, str] | None:
        """Say why somebody whose role it is may not bring the case on."""
        case = history.case
        command = NEXT.get(case.state)
        if command is None or viewer.role not in self._policy.roles[command]:
            return None
        why = hindrance(
            case,
            command,
            actor=_actor(viewer),
            policy=self._policy,
            now=self._now(),
        )
        return None if why is None else (command, self._pages.remedy(request, why))

    def _offers(
        self,
        history: History,
        viewer: Credential,
        tried: Tried | None,
    ) -> Sequence[Offer]:
        """Give the forms of what this viewer may do now, the one that was tried open.

        What was tried and may no longer be done comes along: its words are not lost.
        """
        case = history.case
        may = available(case, _actor(viewer), self._policy, self._now())
        best = None if tried else main_command(may, case)
        commands = [best, *(name for name in may if name != best)] if best else [*may]
        if tried is not None:
            commands = [
                tried.command,
                *(name for name in commands if name != tried.command),
            ]
        fresh = Form({"currency": [_currency(case, self._policy)]})
        return [
            Offer(
                name,
                fields_of(name, case, self._policy),
                tried.form if tried and tried.command == name else self._keyed(fresh),
                tried.faults if tried and tried.command == name else [],
                next=name in (best, tried and tried.command),
            )
            for name in commands
        ]

    def _keyed(self, form: Form) -> Form:
        return form.having("key", self._new_key())

    async def _read(
        self,
        request: Request,
        papers: Sequence[Written],
        viewer: Credential,
        purpose: str | None,
    ) -> list[Word]:
        """Open what is text and the particulars, these masked without a purpose."""
        shown = [
            each
            for each in papers
            if not (each.received and each.ref.kind in _files(papers))
        ]
        sealed = [each for each in shown if each.ref.kind is DocumentKind.PARTICULARS]
        plain = [each for each in shown if each not in sealed]
        try:
            found = await self._words.read(plain, reader=viewer)
            found |= await self._words.read(sealed, reader=viewer, purpose=purpose)
        except AmendsError as error:  # no look without its note
            found = {each.ref.document_id: error for each in shown}
        return [
            self._word(request, each, found.get(each.ref.document_id))
            for each in papers
        ]

    def _word(
        self, request: Request, written: Written, paper: Paper | AmendsError | None
    ) -> Word:
        if paper is None:
            return Word(written, file=True)
        if isinstance(paper, AmendsError):
            return Word(written, fault=self._pages.remedy(request, paper))
        if written.ref.kind is DocumentKind.PARTICULARS:
            known = tuple(_flat(json.loads(paper.content)))
            return Word(written, particulars=known, masked=paper.masked)
        if paper.media_type.startswith(_TEXT):
            return Word(written, text=paper.content.decode(errors="replace"))
        return Word(written, file=True)


def grouped(number: str) -> str:
    """Give a receipt number in fours, as it is read out."""
    return " ".join(number[at : at + 4] for at in range(0, _NUMBER, 4))


def _actor(viewer: Credential) -> Actor:
    return Actor(id=viewer.actor, role=viewer.role, department=viewer.department)


def _currency(case: Case, policy: Policy) -> str:
    """Offer the currency of the price, else that of the limits of authority."""
    if case.price is not None:
        return case.price.currency
    limits = (row.limit for row in policy.authority)
    return next((limit.currency for limit in limits if limit), CURRENCIES[0])


def _zoned(when: str, instant: Any) -> AsOf:
    """Read `as_of`; a browser's day and time without a zone are the organisation's."""
    try:
        return read_as_of(when)
    except MalformedError:
        if instant is None:
            raise
        found: AsOf = instant
        return found


def _files(papers: Sequence[Written]) -> frozenset[DocumentKind]:
    """Name the kinds that are handed in as files; they are opened one by one."""
    words = {
        DocumentKind.STATEMENT,
        DocumentKind.DESIRED_OUTCOME,
        DocumentKind.PARTICULARS,
    }
    return frozenset(each.ref.kind for each in papers) - words


def _flat(value: Any, above: str = "") -> Iterable[tuple[str, str]]:
    """Give each particular with its path."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _flat(each, f"{above}.{name}" if above else str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _flat(each, above)
    else:
        yield above, str(value)


def _categories(policy: Policy, history: History) -> list[str]:
    """Offer the categories that the rules or the case name."""
    named = {rule.category for rule in (*policy.routes, *policy.severities)}
    return sorted(each for each in named | {history.case.category} if each)
