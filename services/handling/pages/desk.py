"""`/desk`: counters that open their lists, and the queue with its filters."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from events.vocabulary import Channel, Severity, State
from services.handling.application.cases import Handling
from services.handling.application.looking import cursor_of, own_queue, read_cursor
from services.handling.domain.decisions.rules import OPEN
from services.handling.domain.policy import Policy
from services.handling.pages.desk_fields import NEXT
from services.handling.ports import QueueFilter, Tallied
from services.kernel.access import Credential
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

_LONGEST: Final = 200  # characters of a filter that anybody needs
_FILTERS: Final = ("state", "department", "channel", "category", "severity")


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


def router(handling: Handling, pages: Pages, *, policy: Policy) -> APIRouter:
    routes = pages.router()

    @routes.get(HOME)
    async def home(request: Request) -> Response:
        viewer = pages.require_known(request)
        own = own_queue(QueueFilter(), viewer, policy)
        tallied = await run_in_threadpool(handling.tally, own.department)
        mine, others = counters(tallied, viewer, policy)
        return pages.render(
            request,
            "desk/home.html",
            mine=mine,
            others=others,
            whole=whole(tallied, viewer, policy),
            done=request.query_params.get("done", ""),
        )

    @routes.get(QUEUE)
    async def queue(request: Request) -> Response:
        viewer = pages.require_known(request)
        asked = read_filters(request.query_params, pages, policy)
        wanted = own_queue(asked.wanted, viewer, policy)
        found = await run_in_threadpool(handling.queue, wanted, limit=PAGE)
        response = pages.render(
            request,
            "desk/queue.html",
            asked=asked,
            errors={
                name: pages.text(request, fault) for name, fault in asked.faults.items()
            },
            found=found,
            tones=TONES,
            next=cursor_of(found.rows[-1]) if found.more else None,
            states=[each.value for each in State],
            any_open=ANY_OPEN,
            departments=()
            if viewer.role in policy.unit_roles
            else tuple(policy.departments),
            channels=[each.value for each in Channel],
            severities=[each.value for each in Severity],
            filtered=any(asked.typed.values()),
            front_office=policy.front_office,
        )
        if request.headers.get("hx-request") == "true":
            response.headers["HX-Push-Url"] = address(asked.typed)
        return response

    return routes


def address(typed: Mapping[str, str]) -> str:
    """Give the list's address with the filters that say something."""
    query = urlencode({name: value for name, value in typed.items() if value})
    return f"{QUEUE}?{query}" if query else QUEUE


def counters(
    tallied: Iterable[Tallied], viewer: Credential, policy: Policy
) -> tuple[list[Counter], list[Counter]]:
    """Count open cases by state: those that wait for this role, and the others."""
    cases = dict.fromkeys(sorted(OPEN, key=list(State).index), 0)
    for each in tallied:
        state = State(each.state)
        if state in cases:
            cases[state] += each.cases
    mine: list[Counter] = []
    others: list[Counter] = []
    for state, count in cases.items():
        command = NEXT.get(state)
        theirs = command is not None and viewer.role in policy.roles[command]
        counter = Counter(state, count, f"state={state}")
        (mine if theirs else others).append(counter)
    return mine, others


def whole(
    tallied: Sequence[Tallied], viewer: Credential, policy: Policy
) -> list[Counter]:
    """Count across states. The front office has what no department has yet."""
    living = [
        each._replace(department=each.department or policy.front_office)
        for each in tallied
        if State(each.state) in OPEN
    ]

    def total(**wanted: str) -> int:
        return sum(
            each.cases
            for each in living
            if all(getattr(each, name) == value for name, value in wanted.items())
        )

    found = [Counter("open", total(), "state=open")]
    if viewer.department is not None:
        query = urlencode({"state": ANY_OPEN, "department": viewer.department})
        found.append(Counter("department", total(department=viewer.department), query))
    for severity in (Severity.SERIOUS, Severity.CRITICAL):
        query = f"state=open&severity={severity}"
        found.append(Counter(severity, total(severity=severity), query))
    closed = sum(each.cases for each in tallied if each.state == State.CLOSED)
    return [*found, Counter(State.CLOSED, closed, f"state={State.CLOSED}")]


def read_filters(given: Mapping[str, str], pages: Pages, policy: Policy) -> Asked:
    """Read the address bar. What cannot be read is told and filters nothing.

    Raises MalformedError for a cursor that was never given out.
    """
    typed = {
        name: given.get(name, "").strip()[:_LONGEST]
        for name in (*_FILTERS, "received_from", "received_to", "q")
    }
    faults: dict[str, str] = {}

    def day(name: str, later: int = 0) -> dt.datetime | None:
        if not typed[name]:
            return None
        try:
            first = dt.date.fromisoformat(typed[name]) + dt.timedelta(days=later)
            start = dt.datetime.combine(first, dt.time(), pages.zone)
            return start.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            faults[name] = NO_DAY
            return None

    digits = "".join(each for each in typed["q"] if each.isascii() and each.isdigit())
    equal: dict[str, Any] = {name: typed[name] or None for name in _FILTERS}
    if equal["state"] == ANY_OPEN:
        equal |= {"state": None, "unended": True}
    wanted = QueueFilter(
        **equal,
        received_from=day("received_from"),
        received_before=day("received_to", later=1),
        digits=digits or None,
        unassigned=equal["department"] == policy.front_office,
        after=read_cursor(given.get("cursor")),
    )
    return Asked(typed, wanted, faults)
