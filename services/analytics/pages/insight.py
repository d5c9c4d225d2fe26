"""`/insight`: the pages of figures, and the complaints behind a number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it from the signature
from starlette.responses import Response  # noqa: TC002 as above

from events.words import LOCALE
from events.words import WORDS as EVENT_WORDS
from services.analytics.application.questions import Parameters, address
from services.analytics.domain.comparison import earlier_span
from services.analytics.domain.figures import UNSTATED, counted_origins
from services.analytics.pages import asking, form
from services.analytics.pages.answering import answers
from services.analytics.pages.asking import CASES, given
from services.analytics.pages.contents import COMPARE, VIEWS
from services.analytics.pages.showing import Reader
from services.analytics.pages.words import (
    ALLOWED,
    ANY_FAULTS,
    FAULTS,
    OTHER_FAULT,
    REMEDIES,
    WORDS,
)
from services.kernel.errors import ForbiddenError, MalformedError
from services.kernel.web.pages import FormFault, Pages
from services.kernel.web.spreadsheets import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from fastapi import APIRouter

    from services.analytics.application.figures import Figures
    from services.analytics.domain.comparison import Compare
    from services.analytics.domain.figures import Selection
    from services.analytics.pages.asking import Pairs
    from services.analytics.pages.contents import View
    from services.kernel.access import Credential
    from services.kernel.clock import Clock
    from services.kernel.web.pages import Viewers

FOLDER: Final = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Readers:
    """Roles that may look at figures, and those of them that may list every case."""

    figures: frozenset[str]
    cases: frozenset[str]


def insight_pages(
    *,
    viewers: Viewers,
    secret: bytes,
    time_zone: str,
    demonstration: bool = False,
    staging: bool = False,
) -> Pages:
    return Pages(
        "analytics",
        FOLDER,
        viewers=viewers,
        secret=secret,
        time_zone=time_zone,
        words={**EVENT_WORDS, **WORDS},
        remedies=REMEDIES,
        locales=[LOCALE],
        demonstration=demonstration,
        staging=staging,
    )


def insight_router(
    figures: Figures, pages: Pages, *, readers: Readers, now: Clock
) -> APIRouter:
    routes = pages.router()
    insight = _Insight(figures, pages, readers, now)
    for view in VIEWS:
        routes.get(view.path, name=view.name)(insight.showing(view))
    routes.get(CASES)(insight.cases)
    return routes


class _Insight:
    def __init__(
        self, figures: Figures, pages: Pages, readers: Readers, now: Clock
    ) -> None:
        self._figures = figures
        self._pages = pages
        self._readers = readers
        self._now = now
        self._counted = counted_origins(demonstration=pages.demonstration)

    def _parameters(self, pairs: Iterable[tuple[str, str]]) -> Parameters:
        return Parameters(
            pairs, zone=self._pages.zone, now=self._now(), counted=self._counted
        )

    def showing(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        """Show one page; the part of it that changes to a script that asks for it."""

        async def show(request: Request) -> Response:
            return await self._show(view, request)

        return show

    async def _show(self, view: View, request: Request) -> Response:
        viewer = self._reader(request, self._readers.figures)
        part = _wants_part(request)
        sent = request.query_params.multi_items()
        pairs = given(sent)
        here = asking.address(view.path, pairs)
        if not part and any(not value.strip() for _, value in sent):
            return RedirectResponse(here, status_code=HTTPStatus.SEE_OTHER)
        context = self._frame(request, view, pairs)
        status = HTTPStatus.OK
        try:
            context |= await self._answered(request, viewer, view, pairs)
        except MalformedError as error:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            faults = faults_of(request, self._pages, error)
            context |= {"figures": (), "counted": None, "faults": faults}
        if not part:
            codes = await run_in_threadpool(
                form.offered, self._figures, self._parameters(()).cases().selection
            )
            context |= form.form(
                view, pairs, codes, lambda *of: self._said(request, *of)
            )
        template = "insight/part.html" if part else "insight/page.html"
        answer = self._pages.render(request, template, status=status, **context)
        if part:
            answer.headers["HX-Push-Url"] = here
        return answer

    async def cases(self, request: Request) -> Response:
        """List the complaints that a number counts, as of the number's position."""
        self._reader(request, self._readers.cases)
        pairs = given(request.query_params.multi_items())
        try:
            question = self._parameters(pairs).cases()
        except MalformedError as error:
            return told_of(request, self._pages, error)
        answer = await run_in_threadpool(
            self._figures.cases,
            question.selection,
            as_of=question.as_of,
            after=question.after,
            limit=question.limit,
        )
        following = None
        if answer.more:
            here = address(CASES, question.selection, answer.known.position)
            last = {"after": answer.rows[-1].case_id, "limit": question.limit}
            following = f"{here}&{urlencode(last)}"
        return self._pages.render(
            request,
            "insight/cases.html",
            rows=answer.rows,
            known=answer.known,
            following=following,
            filters=[
                (name, [self._name(request, name, value) for value in values])
                for name, values in question.selection.filters
            ],
            received=(question.selection.received_from, question.selection.received_to),
        )

    def _reader(self, request: Request, roles: frozenset[str]) -> Credential:
        viewer = self._pages.require_known(request)
        if viewer.role not in roles:
            raise ForbiddenError("analytics.who", "Ask for a role that sees figures.")
        return viewer

    def _frame(self, request: Request, view: View, pairs: Pairs) -> dict[str, Any]:
        """Give what stands around the figures: the other pages, days, filters."""
        return {
            "view": view,
            "pairs": pairs,
            "opened": {
                each.name: asking.elsewhere(each.path, pairs, each.asks)
                for each in VIEWS
            },
            "spans": form.choices_of_days(view, pairs, self._now(), self._pages.zone),
            "chips": form.chips(view, pairs, lambda *of: self._said(request, *of)),
        }

    async def _answered(
        self, request: Request, viewer: Credential, view: View, pairs: Pairs
    ) -> dict[str, Any]:
        meant = view.meant(pairs)
        selection, known, count, found = await run_in_threadpool(
            answers, view, meant, self._figures, self._parameters, self._now()
        )
        reader = Reader(
            view,
            pairs,
            known,
            zone=self._pages.zone,
            say=lambda message, **values: self._pages.text(request, message, **values),
            name=lambda kind, code: self._name(request, kind, code),
            word=lambda kind, code: self._word(request, kind, code or ""),
            lists=viewer.role in self._readers.cases,
        )
        return {
            "faults": (),
            "known": known,
            "counted": count,
            "figures": [each.show(reader) for each in found],
            "files": {
                section.key: [
                    (ending, section.file(ending, meant, view.asks, now=self._now()))
                    for ending in ENDINGS
                ]
                for section in view.sections
            },
            "definition": self._definition(request, selection),
            "compared": self._compared(meant, selection),
        }

    def _compared(self, pairs: Pairs, selection: Selection) -> dict[str, Any] | None:
        """Say with what is compared: with `before`, or only each period with another."""
        compare = next((value for name, value in pairs if name == COMPARE), None)
        if compare is None:
            return None
        start, stop = selection.received_from, selection.received_to
        if start is None or stop is None:
            return {"with": compare, "before": None}
        first, after = earlier_span(
            start, stop, cast("Compare", compare), self._pages.zone
        )
        last = max(first, after - timedelta(microseconds=1))
        days = [each.astimezone(self._pages.zone).date() for each in (first, last)]
        return {"with": compare, "before": days}

    def _definition(self, request: Request, selection: Selection) -> dict[str, Any]:
        origins = next(
            (values for name, values in selection.filters if name == "origin"), ()
        )
        return {
            "zone": self._pages.zone.key,
            "from": selection.received_from,
            "before": selection.received_to,
            "origins": [self._name(request, "origin", each) for each in origins],
        }

    def _said(self, request: Request, kind: str, values: str) -> str:
        return " · ".join(
            self._name(request, kind, value) for value in values.split(",")
        )

    def _name(self, request: Request, kind: str, value: str | None) -> str:
        """Say a value of a dimension, or a cause by its basis; codes say themselves."""
        if value is None or value == UNSTATED:
            unstated = WORDS["unstated"]
            word = unstated.get(kind, unstated["reported"])
        else:
            kind = _SAID_AS.get(kind, kind)
            words = WORDS.get(kind) or EVENT_WORDS.get(kind, {})
            word = words.get(value, "")
        return self._pages.text(request, word) if word else str(value)

    def _word(self, request: Request, kind: str, code: str) -> str:
        """Say a word of these pages; one may be said otherwise for one figure alone."""
        words = WORDS[kind]
        word = words.get(code) or words[code.rpartition(".")[2]]
        return self._pages.text(request, word)


_SAID_AS: Final = {
    "in_state": "state",
    "was_in": "state",
    "holder": "department",
    "had_by": "department",
    "held_by": "department",
    "returned_by": "department",
}
"""Whose words the values of another name have."""


def faults_of(request: Request, pages: Pages, error: MalformedError) -> list[FormFault]:
    """Say each fault in the reader's words, with the name that the address has for it."""
    found = []
    for fault in error.errors:
        known = (
            FAULTS.get((fault.field, fault.message))
            or ANY_FAULTS.get(fault.message)
            or OTHER_FAULT
        )
        told = pages.text(request, known)
        if fault.allowed:
            told = pages.text(request, ALLOWED, values=", ".join(fault.allowed))
        field = fault.field if fault.field in form.FIELDS else ""
        found.append(FormFault(field, told if field else f"{fault.field}: {told}"))
    return found


def told_of(request: Request, pages: Pages, error: MalformedError) -> Response:
    """Refuse an address on a page that names each fault."""
    faults = [
        f"{each.field}: {each.message}" if each.field else each.message
        for each in faults_of(request, pages, error)
    ]
    return pages.refusal(request, error, faults=faults)


def _wants_part(request: Request) -> bool:
    """Tell a script's request from the browser's; going back wants the whole page."""
    headers = request.headers
    restoring = headers.get("hx-history-restore-request") == "true"
    return headers.get("hx-request") == "true" and not restoring
