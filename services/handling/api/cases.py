"""Cases over HTTP: one case as it stood at any time, its events, the queue."""

import base64
import binascii
import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response

from events import codec
from services.handling.application import AsOf, Handling, History
from services.handling.ports import Listed, QueueFilter
from services.kernel.access import Authenticator
from services.kernel.clock import from_micros, micros, parse_rfc3339, rfc3339
from services.kernel.errors import FieldError, MalformedError
from services.kernel.web.caller import caller

PAGE = 50
PAGE_LIMIT = 500


def router(handling: Handling, authenticator: Authenticator) -> APIRouter:
    """Build the routes; every one needs the credential of a service or the operator."""
    routes = APIRouter(
        prefix="/api/handling",
        tags=["handling"],
        dependencies=[Depends(caller(authenticator, service=True))],
    )

    @routes.get("/cases", summary="The queue: cases by filter, oldest receipt first")
    def cases(  # noqa: PLR0917 the query's own parameters
        state: str | None = None,
        department: str | None = None,
        channel: str | None = None,
        category: str | None = None,
        product: str | None = None,
        supplier: str | None = None,
        severity: str | None = None,
        origin: str | None = None,
        received_from: str | None = None,
        received_before: str | None = None,
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE,
    ) -> JSONResponse:
        wanted = QueueFilter(
            state=state,
            department=department,
            channel=channel,
            category=category,
            product=product,
            supplier=supplier,
            severity=severity,
            origin=origin,
            received_from=_instant("received_from", received_from),
            received_before=_instant("received_before", received_before),
            after=_cursor(cursor),
        )
        page = handling.queue(wanted, limit=limit)
        following = _cursor_of(page.rows[-1]) if page.more else None
        rows = [_plain(row._asdict()) for row in page.rows]
        return JSONResponse({"rows": rows, "total": page.total, "cursor": following})

    @routes.get("/cases/{case}", summary="One case, by id or receipt number")
    def case(case: str, as_of: str | None = None) -> JSONResponse:
        return JSONResponse(case_json(handling.history(case, read_as_of(as_of))))

    @routes.get("/cases/{case}/events", summary="Its events, read as today's versions")
    def events(case: str, as_of: str | None = None) -> Response:
        history = handling.history(case, read_as_of(as_of))
        return Response(events_json(history), media_type="application/json")

    return routes


def case_json(history: History) -> dict[str, Any]:
    """Give the case as plain values, with the position that it stands at."""
    case = _plain(asdict(history.case))
    return {"case_id": case.pop("id"), **case, "position": history.position}


def events_json(history: History) -> bytes:
    """Give `{"events": [{position, committed_at, event}], "position"}`."""
    events = [
        {
            "position": known.position,
            "committed_at": rfc3339(known.committed_at),
            "event": json.loads(codec.encode(known.event)),
        }
        for known in history.events
    ]
    return json.dumps(
        {"events": events, "position": history.position}, ensure_ascii=False
    ).encode()


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value


def read_as_of(text: str | None) -> AsOf:
    """Read `as_of`: a position, or an instant of knowledge time; raises MalformedError."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    return _instant("as_of", text)


def _instant(field: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise _malformed(
            field,
            "is no point in time",
            "Write it like 2026-03-31T00:00:00Z (RFC 3339, with its offset).",
        ) from None


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
