"""Cases over HTTP: one case as it stood at any time, its events, the queue."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from events import codec
from events.vocabulary import Channel, Origin, Severity, State
from services.handling.application.cases import Handling, History, Known
from services.handling.application.looking import (
    cursor_of,
    look,
    own_queue,
    read_as_of,
    read_cursor,
    told,
)
from services.handling.application.turn import turn
from services.handling.domain.policy import Policy
from services.handling.ports import QueueFilter
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import Clock, rfc3339
from services.kernel.web.caller import caller

PAGE: Final = 50
PAGE_LIMIT: Final = 500

SHOWN: Final = (
    "receipt_no",
    "version",
    "state",
    "level",
    "origin",
    "received_at",
    "closed_at",
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
    cursor: str | None = None
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE

    def filter(self) -> QueueFilter:
        given = self.model_dump(exclude={"origin", "cursor", "limit"})
        origins = (self.origin,) if self.origin else ()
        return QueueFilter(**given, origins=origins, after=read_cursor(self.cursor))


def router(
    handling: Handling,
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

    @routes.get("/cases", summary="The queue: cases by filter, oldest receipt first")
    def cases(
        query: Annotated[QueueQuery, Query()], sender: Annotated[Credential, who]
    ) -> JSONResponse:
        page = handling.queue(
            own_queue(query.filter(), sender, policy), limit=query.limit
        )
        return JSONResponse(
            {
                "rows": [_plain(row._asdict()) for row in page.rows],
                "total": page.total,
                "cursor": cursor_of(page.rows[-1]) if page.more else None,
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
    state = asdict(history.case)
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
