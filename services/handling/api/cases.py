"""Cases over HTTP: one case as it stood at any time, its events, the queue."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from events import codec
from events.vocabulary import Channel, Origin, Severity, State
from services.handling.application.cases import Handling, History, Known
from services.handling.application.finding import (
    LONGEST,
    RECEIPT_NO,
    WORDS,
    Finding,
)
from services.handling.application.looking import (
    cursor_behind,
    cursor_of,
    look,
    own_past,
    own_queue,
    read_as_of,
    read_cursor,
    read_due,
    told,
)
from services.handling.application.turn import turn
from services.handling.domain.policy import Policy
from services.handling.ports import Clause, QueueFilter
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import Clock, rfc3339
from services.kernel.errors import FieldError, MalformedError
from services.kernel.web.caller import caller

PAGE: Final = 50
PAGE_LIMIT: Final = 500

SHOWN: Final = (
    "receipt_no",
    "version",
    "state",
    "level",
    "origin",
    "batch",
    "counted",
    "received_at",
    "received_precision",
    "closed_at",
    "closed_precision",
    "channel",
    "complaint_class",
    "category",
    "product",
    "supplier",
    "severity",
    "department",
    "subject_id",
)
"""What is shown of a case; the rest of its state is there for decisions."""


MARKS: Final = {
    "phone": "phone",
    "email": "email",
    "order": "order_no",
    "serial": "serial",
    "lot": "lot",
    "customer": "customer_no",
    "upstream": "upstream_no",
}
"""The parameters that find a case by what was given with it, and their kinds."""
_NO_FILTERS: Final = {"origin", "as_of", "cursor", "limit", "q", "sort", *MARKS}
_DUES: Final = ("due_from", "due_before")
IN_Q: Final = (RECEIPT_NO, WORDS)
"""What `q` may be."""

Typed = Annotated[str | None, Query(min_length=1, max_length=LONGEST)]
_REMEDIES: Final = {
    "phone": "Give a whole telephone number, best as +86 138 0013 8000.",
    "email": "Give it whole, as name@example.org.",
}


class QueueQuery(BaseModel):
    """The queue's parameters; `category` takes all below it."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    department: str | None = None
    channel: Channel | None = None
    category: str | None = None
    product: str | None = None
    supplier: str | None = None
    severity: Severity | None = None
    origin: Origin | None = None
    received_from: AwareDatetime | None = None
    received_before: AwareDatetime | None = None
    closed_from: AwareDatetime | None = None
    closed_before: AwareDatetime | None = None
    due_from: str | None = None
    due_before: str | None = None
    sort: Literal["received", "due"] = "received"
    q: Typed = None
    phone: Typed = None
    email: Typed = None
    order: Typed = None
    serial: Typed = None
    lot: Typed = None
    customer: Typed = None
    upstream: Typed = None
    as_of: str | None = None
    cursor: str | None = None
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE

    def filter(self, zone: ZoneInfo) -> QueueFilter:
        given = self.model_dump(exclude=_NO_FILTERS)
        for name in _DUES:
            if given[name] is not None:
                given[name] = read_due(given[name], zone, field=name)
        return QueueFilter(
            **given,
            origins=(self.origin,) if self.origin else (),
            by_due=self.sort == "due",
            after=read_cursor(self.cursor),
        )

    @property
    def of_what_is_due(self) -> bool:
        return self.sort == "due" or bool(self.due_from or self.due_before)

    def clauses(self, finding: Finding) -> list[Clause]:
        """Give what is looked for. Raises MalformedError for what cannot be such a mark."""
        found = [] if self.q is None else [finding.meant(self.q, IN_Q)]
        for name, kind in MARKS.items():
            text: str | None = getattr(self, name)
            if text is not None:
                found.append(finding.meant(text, (kind,)))
                if not found[-1]:
                    raise _unfit(name)
        return found


def _require_past(query: QueueQuery, clauses: list[Clause]) -> None:
    """Refuse what can only be asked of the present."""
    if clauses:
        raise _no_search_then()
    if query.of_what_is_due:
        raise _nothing_due_then()


def _no_search_then() -> MalformedError:
    message = "cannot be searched as of a time"
    remedy = "Leave out q and the numbers, or as_of; open what was found as of then."
    return MalformedError(
        "handling.query",
        f"The queue {message}: {remedy}",
        errors=[FieldError("as_of", message, remedy)],
    )


def _nothing_due_then() -> MalformedError:
    message = "cannot be asked by what was due"
    remedy = (
        "Leave out sort, due_from and due_before; a case tells its clocks as of then."
    )
    return MalformedError(
        "handling.query",
        f"The queue as it stood {message}: {remedy}",
        errors=[FieldError("as_of", message, remedy)],
    )


def _unfit(name: str) -> MalformedError:
    remedy = _REMEDIES.get(name, "Give a number with a digit other than 0.")
    return MalformedError(
        "handling.query",
        f"`{name}` can find nothing as it is: {remedy}",
        errors=[FieldError(name, "can find nothing as it is", remedy)],
    )


def router(
    handling: Handling,
    finding: Finding,
    authenticator: Authenticator,
    *,
    policy: Policy,
    zone: ZoneInfo,
    now: Clock,
) -> APIRouter:
    """Build the routes; each caller sees the cases that they have to do with now."""
    routes = APIRouter(prefix="/api/handling", tags=["cases"])
    who = Depends(caller(authenticator))

    def seen(sender: Credential, reference: str, as_of: str | None) -> History:
        when = read_as_of(as_of, zone)
        return look(handling, reference, when, sender=sender, policy=policy)

    def stood(
        query: QueueQuery, wanted: QueueFilter, sender: Credential
    ) -> JSONResponse:
        when = read_as_of(query.as_of, zone)
        page = own_past(handling, when, wanted, sender, policy, limit=query.limit)
        return JSONResponse(
            {
                "rows": [_plain(row._asdict()) for row in page.rows],
                "total": page.total,
                "cursor": cursor_behind(page.place) if page.place else None,
                "missing": [],
                "position": page.position,
                "unsearched_since": None,
            }
        )

    @routes.get(
        "/cases",
        summary="The queue: cases by filter, the longest waiting or the next due first",
    )
    async def cases(
        query: Annotated[QueueQuery, Query()], sender: Annotated[Credential, who]
    ) -> JSONResponse:
        wanted, missing, since = query.filter(zone), list[str](), None
        clauses = query.clauses(finding)
        if query.as_of is not None:
            _require_past(query, clauses)
            return await run_in_threadpool(stood, query, wanted, sender)
        if clauses:
            found = await finding.find(clauses, wanted, by=sender, limit=query.limit)
            page, missing = found.page, list(found.missing)
            since = found.unsearched_since
        else:
            wanted = own_queue(wanted, sender, policy)
            page = await run_in_threadpool(handling.queue, wanted, limit=query.limit)
        return JSONResponse(
            {
                "rows": [_plain(row._asdict()) for row in page.rows],
                "total": page.total,
                "cursor": cursor_of(page.rows[-1], wanted) if page.more else None,
                "missing": missing,
                "position": None,
                "unsearched_since": since and rfc3339(since),
            }
        )

    @routes.get(
        "/cases/{case}",
        summary="One case, by id or receipt number, and what you may do with it",
    )
    def case(
        case: str, sender: Annotated[Credential, who], as_of: str | None = None
    ) -> JSONResponse:
        history = seen(sender, case, as_of)
        found = case_json(history)
        if (present := turn(history, sender, policy, now())) is not None:
            found["available"] = present.may
        return JSONResponse(found, headers={"ETag": f'"{history.case.version}"'})

    @routes.get("/cases/{case}/events", summary="Its events, read as today's versions")
    def events(
        case: str, sender: Annotated[Credential, who], as_of: str | None = None
    ) -> Response:
        history = seen(sender, case, as_of)
        return Response(
            events_json(told(history, sender, policy), history.position),
            media_type="application/json",
        )

    return routes


def case_json(history: History) -> dict[str, Any]:
    """Give the case as plain values, with the position that it stands at."""
    state = history.case._asdict()
    shown = _plain({name: state[name] for name in SHOWN})
    return {"case_id": str(state["id"]), **shown, "position": history.position}


def events_json(events: Iterable[Known], position: int) -> bytes:
    """Give `{"events": [{position, committed_at, event}], "position"}`."""
    rows = [
        {
            "position": known.position,
            "committed_at": rfc3339(known.committed_at),
            "event": json.loads(codec.encode(known.event)),
        }
        for known in events
    ]
    told = json.dumps({"events": rows, "position": position}, ensure_ascii=False)
    return told.encode()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value
