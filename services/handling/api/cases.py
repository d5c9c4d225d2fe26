"""Cases over HTTP: one case as it stood at any time, its events, the queue."""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from events import codec
from events.envelope import Actor
from events.vocabulary import Audience
from services.handling.application.cases import (
    AsOf,
    Handling,
    History,
    Known,
    no_case,
)
from services.handling.domain.decisions import available
from services.handling.domain.policy import Policy
from services.handling.domain.visibility import may_see, staff
from services.handling.ports import Listed, QueueFilter
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import Clock, from_micros, micros, parse_rfc3339, rfc3339
from services.kernel.errors import FieldError, ForbiddenError, MalformedError
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
    """The queue's parameters; times are of the receipt, `category` takes all below it."""

    model_config = ConfigDict(extra="forbid")

    state: str | None = None
    department: str | None = None
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    supplier: str | None = None
    severity: str | None = None
    origin: str | None = None
    received_from: AwareDatetime | None = None
    received_before: AwareDatetime | None = None
    cursor: str | None = None
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE

    def filter(self) -> QueueFilter:
        given = self.model_dump(exclude={"cursor", "limit"})
        return QueueFilter(**given, after=_cursor(self.cursor))


def router(
    handling: Handling, authenticator: Authenticator, *, policy: Policy, now: Clock
) -> APIRouter:
    """Build the routes; each caller sees the cases that they have to do with now."""
    routes = APIRouter(prefix="/api/handling", tags=["cases"])
    who = Depends(caller(authenticator))

    def seen(sender: Credential, reference: str, as_of: str | None) -> History:
        history = handling.history(reference, read_as_of(as_of))
        present = handling.history(reference) if as_of else history
        if not sees(sender, present, policy):
            raise no_case()
        return history

    @routes.get("/cases", summary="The queue: cases by filter, oldest receipt first")
    def cases(
        query: Annotated[QueueQuery, Query()], sender: Annotated[Credential, who]
    ) -> JSONResponse:
        page = handling.queue(_own(query.filter(), sender, policy), limit=query.limit)
        return JSONResponse(
            {
                "rows": [_plain(row._asdict()) for row in page.rows],
                "total": page.total,
                "cursor": _cursor_of(page.rows[-1]) if page.more else None,
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
        if as_of is None:  # only the present offers commands
            actor = Actor(
                id=sender.actor, role=sender.role, department=sender.department
            )
            found["available"] = available(history.case, actor, policy, now())
        return JSONResponse(found, headers={"ETag": f'"{history.case.version}"'})

    @routes.get("/cases/{case}/events", summary="Its events, read as today's versions")
    def events(
        case: str, sender: Annotated[Credential, who], as_of: str | None = None
    ) -> Response:
        history = seen(sender, case, as_of)
        shown: Iterable[Known] = history.events
        if sender.role in policy.unit_roles:
            shown = [
                known
                for known in shown
                if known.event.data.audience is Audience.DEPARTMENTS
            ]
        return Response(
            events_json(shown, history.position), media_type="application/json"
        )

    return routes


def sees(sender: Credential, history: History, policy: Policy) -> bool:
    """Tell whether the caller may look at the case as it now is."""
    return sender.service or may_see(
        history.case, role=sender.role, department=sender.department, policy=policy
    )


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


def read_as_of(text: str | None) -> AsOf:
    """Read `as_of`: a position, or an instant of knowledge time.

    Raises MalformedError for anything else.
    """
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise _malformed(
            "as_of",
            "is no point in time",
            "Write it like 2026-03-31T00:00:00Z, or give a position.",
        ) from None


def _own(wanted: QueueFilter, sender: Credential, policy: Policy) -> QueueFilter:
    """Narrow the queue to what the caller may see."""
    if sender.service:
        return wanted
    if sender.role not in staff(policy) - {"admin", "channel"}:
        raise ForbiddenError("handling.who", "Send the token of somebody on the staff.")
    if sender.role in policy.unit_roles:
        return wanted._replace(department=sender.department or "")
    return wanted


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value


def _cursor_of(row: Listed) -> str:
    plain = f"{micros(row.received_at)}.{row.case_id.hex}"
    return base64.urlsafe_b64encode(plain.encode()).decode()


def _cursor(text: str | None) -> tuple[datetime, UUID] | None:
    if text is None:
        return None
    try:
        received_at, case_id = base64.urlsafe_b64decode(text).decode().split(".")
        return from_micros(int(received_at)), UUID(case_id)
    except (binascii.Error, ValueError, OverflowError):
        raise _malformed(
            "cursor",
            "was not given out here",
            "Take `cursor` of the page before, or leave it out for the first page.",
        ) from None


def _malformed(field: str, message: str, remedy: str) -> MalformedError:
    return MalformedError(
        "handling.query",
        f"Correct `{field}`.",
        errors=[FieldError(field, message, remedy)],
    )
