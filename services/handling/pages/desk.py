"""`/desk`: counters that open their lists, and the queue with its filters."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from events.vocabulary import Channel, Origin, Severity, State
from services.handling.application.cases import AsOf, Handling
from services.handling.application.finding import LONGEST, SOUGHT, Finding, Found
from services.handling.application.looking import (
    cursor_behind,
    cursor_of,
    own_past,
    own_queue,
    read_cursor,
)
from services.handling.application.turn import NEXT
from services.handling.domain.decisions.rules import OPEN
from services.handling.domain.policy import Policy
from services.handling.pages.desk_clocks import DUES, due_filter, urgency
from services.handling.pages.desk_fields import moment_field, read_moment
from services.handling.pages.desk_refusals import REMEDIES
from services.handling.ports import Clause, Listed, QueueFilter
from services.kernel.access import Credential
from services.kernel.clock import Clock
from services.kernel.errors import MalformedError, RefusedError, UnavailableError
from services.kernel.i18n import msgid
from services.kernel.web.pages import Pages

HOME: Final = "/desk"
QUEUE: Final = "/desk/cases"
PAGE: Final = 50
ANY_OPEN: Final = "open"

TONES: Final[Mapping[str, str]] = {
    State.RESOLVED: "good",
    State.CLOSED: "good",
    State.DECLINED: "warn",
    State.APPEALED: "warn",
    State.WITHDRAWN: "warn",
    "serious": "warn",
    "critical": "bad",
}
NO_DAY: Final = msgid("Write the day as 2026-03-04.")
NO_CHOICE: Final = msgid("There is no such choice: take one of the list.")
NO_SEARCH_THEN: Final = msgid(
    "Nothing is searched as of an earlier time: find the case now, and open it as of then."
)
NOTHING_DUE_THEN: Final = msgid(
    "What was due at an earlier time is not listed: open a case as of then, and see."
)
NOT_TO_FIND: Final = msgid(
    "Nothing can be found by this as it is: give the whole number or address."
)

_FILTERS: Final = ("state", "department", "channel", "category", "severity")
_DAYS: Final = ("received_from", "received_to", "closed_from", "closed_to")

LIVE: Final = "live"
ORIGINS: Final[Mapping[str, tuple[str, ...]]] = {
    LIVE: (Origin.LIVE, Origin.DEMO),  # no folder holds both
    "imported": (Origin.MIGRATION,),
    "all": (),
}
"""Whose cases are shown, as the address bar says; without a word the live ones."""

_CHOICES: Final[Mapping[str, Collection[str]]] = {
    "state": {ANY_OPEN, *State},
    "severity": set(Severity),
    "channel": set(Channel),
    "origin": ORIGINS,
    "due": set(DUES),
}


@dataclass(frozen=True, slots=True)
class Counter:
    """A number, and the parameters of the list of exactly these cases."""

    code: str
    cases: int
    query: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of the address bar, as typed and as meant."""

    typed: Mapping[str, str]
    wanted: QueueFilter
    faults: Mapping[str, str]
    as_of: AsOf = None


@dataclass(frozen=True, slots=True)
class Shown:
    """The rows of a list, and what is said of it; `total` is None where nobody counted.

    `position`: the list is of the past, as the record stood there, since `known_at`.
    `undated`: open cases that fit and are not there, since nothing is due of them.
    """

    rows: tuple[Listed, ...]
    total: int | None = 0
    next: str | None = None
    missing: tuple[str, ...] = ()
    elsewhere: int = 0
    undated: int = 0
    position: int | None = None
    known_at: dt.datetime | None = None
    unsearched_since: dt.datetime | None = None


def router(
    handling: Handling,
    finding: Finding,
    pages: Pages,
    *,
    policy: Policy,
    now: Clock,
) -> APIRouter:
    routes = pages.router()

    @routes.get(HOME)
    async def home(request: Request) -> Response:
        viewer = pages.require_known(request)
        origin = read_origin(request.query_params)
        mine, others, whole = await run_in_threadpool(
            board,
            handling,
            viewer,
            origin,
            policy=policy,
            zone=pages.zone,
            now=now(),
        )
        return pages.render(
            request,
            "desk/home.html",
            mine=mine,
            others=others,
            whole=whole,
            origin=origin,
            origins=tuple(ORIGINS),
            wrong=(request.query_params.get("origin") or origin) != origin,
            done=request.query_params.get("done", ""),
        )

    @routes.get(QUEUE)
    async def queue(request: Request) -> Response:
        viewer = pages.require_known(request)
        at = now()
        asked = read_filters(request.query_params, pages.zone, policy, at)
        wanted = own_queue(asked.wanted, viewer, policy)
        clause = _clause(finding, asked)
        hindered = None
        found = Shown(())
        if (fault := _hindrance(asked, clause)) is not None:
            hindered = pages.text(request, fault)
        elif asked.as_of is not None:
            found = await run_in_threadpool(
                _stood, handling, asked, viewer=viewer, policy=policy
            )
        elif clause is not None:
            try:
                result = await finding.find([clause], wanted, by=viewer, limit=PAGE)
                found = _shown(result, wanted)
            except (RefusedError, UnavailableError) as error:
                hindered = pages.remedy(request, error)
        else:
            found = await run_in_threadpool(_listed, handling, wanted)
        response = pages.render(
            request,
            "desk/queue.html",
            asked=asked,
            errors={
                name: pages.text(request, fault) for name, fault in asked.faults.items()
            },
            found=found,
            hindered=hindered,
            sought=SOUGHT,
            tried=[each.kind for each in clause or ()],
            tones=TONES,
            states=[each.value for each in State],
            any_open=ANY_OPEN,
            departments=()
            if viewer.role in policy.unit_roles
            else tuple(policy.departments),
            channels=[each.value for each in Channel],
            severities=[each.value for each in Severity],
            origins=tuple(ORIGINS),
            categories=policy.categories,
            filtered=any(asked.typed.values()),
            front_office=policy.front_office,
            moment_field=moment_field(asked.typed["as_of"]),
            dues=DUES,
            by_due=wanted.by_due,
            urgency=urgency,
            at=at,
        )
        if request.headers.get("hx-request") == "true":
            response.headers["HX-Push-Url"] = address(asked.typed)
        return response

    return routes


def _hindrance(asked: Asked, clause: Clause | None) -> str | None:
    """Say why nothing can be listed; a list of something else is not shown instead."""
    if "as_of" in asked.faults:
        return asked.faults["as_of"]
    if asked.as_of is None:
        return NOT_TO_FIND if clause == () else None
    if clause is not None:
        return NO_SEARCH_THEN
    return NOTHING_DUE_THEN if asked.wanted.by_due else None


def _listed(handling: Handling, wanted: QueueFilter) -> Shown:
    page, elsewhere = handling.queue(wanted, limit=PAGE), 0
    if not page.total and wanted.origins:
        elsewhere = handling.count(wanted._replace(origins=()))
    shown = _shown(Found(page, elsewhere=elsewhere), wanted)
    if not wanted.by_due or wanted.due_from or wanted.due_before:
        return shown
    opened = handling.count(wanted._replace(by_due=False, unended=True))
    return replace(shown, undated=max(opened - (page.total or 0), 0))


def _shown(found: Found, wanted: QueueFilter) -> Shown:
    page = found.page
    return Shown(
        page.rows,
        total=page.total,
        next=cursor_of(page.rows[-1], wanted) if page.more else None,
        missing=found.missing,
        elsewhere=found.elsewhere,
        unsearched_since=found.unsearched_since,
    )


def _stood(
    handling: Handling, asked: Asked, *, viewer: Credential, policy: Policy
) -> Shown:
    page = own_past(handling, asked.as_of, asked.wanted, viewer, policy, limit=PAGE)
    return Shown(
        page.rows,
        total=page.total,
        next=cursor_behind(page.place) if page.place else None,
        position=page.position,
        known_at=handling.known_at(page.position),
    )


def _clause(finding: Finding, asked: Asked) -> Clause | None:
    """Give what the search field may mean, of any kind or of the one chosen."""
    text, kind = asked.typed["q"], asked.typed["by"]
    if not text:
        return None
    return finding.meant(text, (kind,) if kind else SOUGHT)


def address(typed: Mapping[str, str]) -> str:
    """Give the list's address with the filters that say something."""
    query = urlencode({name: value for name, value in typed.items() if value})
    return f"{QUEUE}?{query}" if query else QUEUE


def board(
    handling: Handling,
    viewer: Credential,
    origin: str,
    *,
    policy: Policy,
    zone: ZoneInfo,
    now: dt.datetime,
) -> tuple[list[Counter], list[Counter], list[Counter]]:
    """Count the open cases that wait for this role, the other open ones, and across."""
    shown = {} if origin == LIVE else {"origin": origin}

    def wanted(filters: Mapping[str, str]) -> QueueFilter:
        asked = read_filters(filters, zone, policy, now)
        return own_queue(asked.wanted, viewer, policy)

    tallied = handling.tally(wanted(shown))
    living = [each for each in tallied if State(each.state) in OPEN]

    def counter(code: str, cases: int | None = None, **filters: str) -> Counter:
        """Make a counter; where the tally does not say how many, the list is asked."""
        filters |= shown
        if cases is None:
            cases = handling.count(wanted(filters))
        return Counter(code, cases, urlencode(filters))

    mine: list[Counter] = []
    others: list[Counter] = []
    for state in sorted(OPEN, key=list(State).index):
        command = NEXT.get(state)
        theirs = command is not None and viewer.role in policy.roles[command]
        cases = sum(each.cases for each in living if each.state == state)
        (mine if theirs else others).append(counter(state, cases, state=state))
    whole = [counter("open", sum(each.cases for each in living), state=ANY_OPEN)]
    whole += [counter(due, due=due) for due in ("overdue", "today")]
    if viewer.department is not None:
        own = viewer.department
        whole.append(counter("department", state=ANY_OPEN, department=own))
    for severity in (Severity.SERIOUS, Severity.CRITICAL):
        cases = sum(each.cases for each in living if each.severity == severity)
        whole.append(counter(severity, cases, state=ANY_OPEN, severity=severity))
    month = now.astimezone(zone).date().replace(day=1).isoformat()
    whole.append(counter("closed", state=State.CLOSED, closed_from=month))
    return mine, others, whole


def read_origin(given: Mapping[str, str]) -> str:
    """Read whose cases are wanted; without a known word, the live ones."""
    origin = given.get("origin", "")
    return origin if origin in ORIGINS else LIVE


def read_filters(
    given: Mapping[str, str], zone: ZoneInfo, policy: Policy, now: dt.datetime
) -> Asked:
    """Read the address bar. What cannot be read is told and filters nothing.

    Raises MalformedError for a cursor that was never given out.
    """
    typed = {
        name: given.get(name, "").strip()[:LONGEST]
        for name in (*_FILTERS, *_DAYS, "q", "due", "as_of")
    }
    origin = read_origin(given)
    by = given.get("by", "")
    typed["by"] = by if by in SOUGHT else ""
    typed["origin"] = "" if origin == LIVE else origin
    faults = {
        name: NO_CHOICE
        for name, choices in _CHOICES.items()
        if given.get(name) and given[name].strip() not in choices
    }

    def day(name: str, later: int = 0) -> dt.datetime | None:
        if not typed[name]:
            return None
        try:
            first = dt.date.fromisoformat(typed[name]) + dt.timedelta(days=later)
            start = dt.datetime.combine(first, dt.time(), zone)
            return start.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            faults[name] = NO_DAY
            return None

    equal: dict[str, Any] = {name: typed[name] or None for name in _FILTERS}
    if equal["state"] == ANY_OPEN:
        equal |= {"state": None, "unended": True}
    wanted = QueueFilter(
        **equal,
        origins=ORIGINS[origin],
        received_from=day("received_from"),
        received_before=day("received_to", later=1),
        closed_from=day("closed_from"),
        closed_before=day("closed_to", later=1),
        **due_filter(typed["due"], now, zone),
        unassigned=equal["department"] == policy.front_office,
        after=read_cursor(given.get("cursor")),
    )
    as_of = None
    try:
        as_of = read_moment(typed["as_of"], zone)
    except MalformedError:
        faults["as_of"] = REMEDIES["handling.moment"]
    return Asked(typed, wanted, faults, as_of)
