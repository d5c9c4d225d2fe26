"""`/insight`: how often and why people complain, and the complaints behind a number."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 FastAPI reads it from the signature
from starlette.responses import Response  # noqa: TC002 as above

from events.vocabulary import Channel, Origin, Severity, State
from events.words import LOCALE
from events.words import WORDS as EVENT_WORDS
from services.analytics.application.figures import BASES
from services.analytics.application.questions import Parameters, address
from services.analytics.domain.figures import (
    DEEPEST,
    DIMENSIONS,
    UNSTATED,
    counted_origins,
)
from services.analytics.domain.periods import PERIODS
from services.analytics.pages.asking import (
    CASES,
    INSIGHT,
    asked,
    given,
    without,
)
from services.analytics.pages.showing import Showing, answers
from services.analytics.pages.words import (
    ANY_FAULTS,
    FAULTS,
    OTHER_FAULT,
    REMEDIES,
    WORDS,
)
from services.kernel.errors import ForbiddenError, MalformedError
from services.kernel.i18n import msgid
from services.kernel.web.pages import FormFault, Pages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from enum import StrEnum

    from fastapi import APIRouter

    from services.analytics.application.figures import Figures
    from services.analytics.pages.asking import Asked, Pairs
    from services.kernel.access import Credential
    from services.kernel.clock import Clock
    from services.kernel.web.pages import Viewers

FOLDER: Final = Path(__file__).parent.parent

CODES: Final = ("category", "product", "supplier", "department")
"""Filters that are typed, with those that occur to choose from."""

VOCABULARIES: Final[Mapping[str, type[StrEnum]]] = {
    "channel": Channel,
    "state": State,
    "severity": Severity,
    "origin": Origin,
}
"""Filters that are chosen from a closed list."""

SPLITS: Final = tuple(
    name for name in DIMENSIONS if name not in {"lot", "reported_category"}
)
"""By what one may split with the form; the address takes every dimension."""

MOST_OFFERED: Final = 300
"""A field offers at most so many codes, the most frequent ones."""

_FIELDS: Final = (
    "period",
    "from",
    "to",
    "group_by",
    "level",
    "basis",
    "as_of",
    *CODES,
    *VOCABULARIES,
)


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
    )


def insight_router(
    figures: Figures, pages: Pages, *, readers: Readers, now: Clock
) -> APIRouter:
    routes = pages.router()
    insight = _Insight(figures, pages, readers, now)
    routes.get(INSIGHT)(insight.show)
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

    def _parameters(self, pairs: Pairs) -> Parameters:
        return Parameters(
            pairs, zone=self._pages.zone, now=self._now(), counted=self._counted
        )

    async def show(self, request: Request) -> Response:
        """Show both figures; a part of the page to a script that asks for it."""
        viewer = self._reader(request, self._readers.figures)
        part = _wants_part(request)
        sent = request.query_params.multi_items()
        pairs = given(sent)
        here = f"{INSIGHT}?{urlencode(pairs, safe=':,/')}" if pairs else INSIGHT
        if not part and any(not value.strip() for _, value in sent):
            return RedirectResponse(here, status_code=HTTPStatus.SEE_OTHER)
        context: dict[str, Any] = {"pairs": pairs, "chips": self._chips(request, pairs)}
        status = HTTPStatus.OK
        try:
            context |= await self._answered(request, viewer, pairs)
        except MalformedError as error:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            faults = faults_of(request, self._pages, error)
            context |= {"shown": None, "faults": faults}
        if not part:
            context |= await self._form(request, pairs)
        template = "insight/part.html" if part else "insight/page.html"
        answer = self._pages.render(request, template, status=status, **context)
        if part:
            answer.headers["HX-Push-Url"] = here
        return answer

    async def cases(self, request: Request) -> Response:
        """List the complaints that a number counts, as of the number's position."""
        self._reader(request, self._readers.cases)
        pairs = given(request.query_params.multi_items())
        question = self._parameters(pairs).cases()
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
            zone=self._pages.zone,
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

    async def _answered(
        self, request: Request, viewer: Credential, pairs: Pairs
    ) -> dict[str, Any]:
        question = asked(
            pairs, zone=self._pages.zone, now=self._now(), counted=self._counted
        )
        found = await run_in_threadpool(answers, self._figures, question)
        showing = Showing(
            question,
            pairs,
            zone=self._pages.zone,
            name=lambda kind, value: self._name(request, kind, value),
            others=self._pages.text(request, _OTHERS),
            total=self._pages.text(request, _COMPLAINTS),
            lists=viewer.role in self._readers.cases,
        )
        return {
            "faults": (),
            "question": question,
            "known": found.known,
            "shown": showing.show(found),
            "definition": self._definition(request, question),
        }

    def _definition(self, request: Request, question: Asked) -> dict[str, Any]:
        selection = question.frequency.selection
        origins = next(
            (values for name, values in selection.filters if name == "origin"), ()
        )
        return {
            "zone": self._pages.zone.key,
            "from": selection.received_from,
            "before": selection.received_to,
            "origins": [self._name(request, "origin", each) for each in origins],
        }

    async def _form(self, request: Request, pairs: Pairs) -> dict[str, Any]:
        """Fill in the form: the first value of each field; further ones stay hidden."""
        values: dict[str, str] = dict.fromkeys(_FIELDS, "")
        hidden: list[tuple[str, str]] = []
        for name, value in pairs:
            if values.get(name) == "":
                values[name] = value
            else:
                hidden.append((name, value))
        offered = await run_in_threadpool(self._offered)
        return {
            "values": values,
            "hidden": hidden,
            "offered": offered,
            "periods": PERIODS,
            "splits": SPLITS,
            "bases": tuple(BASES),
            "levels": range(1, DEEPEST + 1),
            "choices": {
                name: self._choices(request, name, values[name])
                for name in VOCABULARIES
            },
        }

    def _choices(
        self, request: Request, name: str, chosen: str
    ) -> list[tuple[str, str]]:
        """Give what a list offers, and what the address says beyond it."""
        codes = [str(code.value) for code in VOCABULARIES[name]]
        if name != "origin":
            codes.append(UNSTATED)
        if chosen and chosen not in codes:
            codes.append(chosen)
        return [(code, self._said(request, name, code)) for code in codes]

    def _offered(self) -> dict[str, list[str]]:
        """Give the codes that occur, the most frequent first."""
        found: dict[str, list[str]] = {}
        selection = self._parameters(()).cases()
        for name in CODES:
            rows = self._figures.frequency(selection.selection, dimensions=(name,)).rows
            codes = [code for row in rows if (code := row.values[name])]
            found[name] = codes[:MOST_OFFERED]
        return found

    def _chips(
        self, request: Request, pairs: Sequence[tuple[str, str]]
    ) -> list[tuple[str, str, str]]:
        """Give the filters in words: dimension, values, the address without it."""
        return [
            (
                name,
                self._said(request, name, value),
                without(tuple(pairs), (name, value)),
            )
            for name, value in pairs
            if name in DIMENSIONS
        ]

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
            words = EVENT_WORDS.get(kind) or WORDS.get(kind, {})
            word = words.get(value, "")
        return self._pages.text(request, word) if word else str(value)


_OTHERS: Final = msgid("Others")
_COMPLAINTS: Final = msgid("Complaints")


def faults_of(request: Request, pages: Pages, error: MalformedError) -> list[FormFault]:
    """Say each fault in the reader's words; the field is named where the form has it."""
    found = []
    for fault in error.errors:
        known = (
            FAULTS.get((fault.field, fault.message))
            or ANY_FAULTS.get(fault.message)
            or OTHER_FAULT
        )
        field = fault.field if fault.field in _FIELDS else ""
        found.append(FormFault(field, pages.text(request, known)))
    return found


def _wants_part(request: Request) -> bool:
    """Tell a script's request from the browser's; going back wants the whole page."""
    headers = request.headers
    restoring = headers.get("hx-history-restore-request") == "true"
    return headers.get("hx-request") == "true" and not restoring
