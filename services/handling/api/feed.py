"""A department's feed over HTTP: by pages that may wait, or as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

from services.handling.api.departments import no_department
from services.handling.application.feeds import STREAMS, Feeds, Stretch
from services.handling.domain.policy import Policy
from services.handling.ports import Copy
from services.kernel.access import Authenticator, Credential
from services.kernel.errors import (
    AmendsError,
    FieldError,
    ForbiddenError,
    MalformedError,
)
from services.kernel.tokens import require_role
from services.kernel.web.caller import caller
from services.kernel.web.serving import ending

PAGE: Final = 100
PAGE_LIMIT: Final = 500
LONGEST_WAIT: Final = 30
HEARTBEAT: Final = 15
"""Seconds after which a stream without events says that it lives."""

EVENT_STREAM: Final = "text/event-stream"
_LAST_EVENT_ID: Final = "last-event-id"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The events behind the cursor, each as it is stored",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            EVENT_STREAM: {"schema": {"type": "string"}},
        },
    },
    403: {"description": "No department's credential, or another department's feed"},
    404: {"description": "No such department"},
    409: {"description": "The cursor is of a record that was replaced by a restore"},
    422: {"description": "Fields at fault, each named with its remedy"},
    429: {"description": f"More than {STREAMS} open streams of this department"},
}


class FeedQuery(BaseModel):
    """Where to go on, how much, how long to wait; `department` is for services."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = None
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT)] = 0
    department: str | None = None


def router(feeds: Feeds, authenticator: Authenticator, *, policy: Policy) -> APIRouter:
    """Build the route; the department is the credential's."""
    routes = APIRouter(prefix="/api/handling", tags=["departments"])
    who = caller(authenticator)

    @routes.get(
        "/feed",
        summary="What a department hears of its cases, behind a cursor; waits for it,"
        f" or streams it to `Accept: {EVENT_STREAM}`",
        responses=_ANSWERS,
        response_class=Response,
        openapi_extra={"parameters": [_RESUME]},
    )
    async def feed(
        query: Annotated[FeedQuery, Query()],
        request: Request,
        sender: Annotated[Credential, Depends(who)],
    ) -> Response:
        headers, ends = request.headers, ending(request.scope)

        department = _department(sender, query.department, policy)

        async def still() -> None:
            """Look again after a while of waiting: tokens end, people move."""
            if _department(await who(request), query.department, policy) != department:
                raise _not_yours()

        if EVENT_STREAM in headers.get("accept", ""):
            after = await feeds.place(headers.get(_LAST_EVENT_ID, query.after))
            return _Stream(
                feeds,
                department,
                after=after,
                limit=query.limit,
                ends=ends,
                still=still,
            )
        found = await feeds.read(
            department,
            await feeds.place(query.after),
            limit=query.limit,
            within=query.wait,
            ending=ends,
        )
        if query.wait:
            await still()
        return Response(
            _page(found, feeds.cursor(found.position)), media_type="application/json"
        )

    return routes


def _department(sender: Credential, named: str | None, policy: Policy) -> str:
    """Say whose feed is asked for: the sender's own, or the one a service names."""
    if not sender.service:
        require_role(sender, *policy.unit_roles)
        if sender.department is None or named not in {None, sender.department}:
            raise _not_yours()
        return sender.department
    if named is None:
        remedy = "name the department, for your credential has none"
        raise MalformedError(
            "handling.query",
            f"`department` is missing: {remedy}.",
            errors=[FieldError("department", "is missing", remedy)],
        )
    if named not in policy.departments:
        raise no_department(policy.departments)
    return named


def _not_yours() -> ForbiddenError:
    return ForbiddenError(
        "handling.not_your_feed",
        "Leave `department` out: your credential says which feed is yours.",
    )


def _page(found: Stretch, cursor: str) -> bytes:
    """Put the stored bytes together as they are; the cursor is plain ASCII."""
    events = b",".join(copy.body for copy in found.copies)
    more = "true" if found.more else "false"
    return b'{"events":[%b],"cursor":"%b","more":%b}' % (
        events,
        cursor.encode(),
        more.encode(),
    )


class _Stream(StreamingResponse):
    """Server-sent events, until the caller or this server ends."""

    def __init__(
        self,
        feeds: Feeds,
        department: str,
        *,
        after: int,
        limit: int,
        ends: asyncio.Event,
        still: Callable[[], Awaitable[None]],
    ) -> None:
        self._feeds, self._department = feeds, department
        self._limit, self._ends, self._still = limit, ends, still
        super().__init__(
            self._told(after),
            media_type=EVENT_STREAM,
            headers={"X-Accel-Buffering": "no"},  # for an nginx that was not told
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._feeds.streaming(self._department):
            await super().__call__(scope, receive, send)

    async def _told(self, after: int) -> AsyncIterator[bytes]:
        yield b": follows\n\n"  # so that who asked knows that it is heard
        while not self._ends.is_set():
            found = await self._feeds.read(
                self._department,
                after,
                limit=self._limit,
                within=HEARTBEAT,
                ending=self._ends,
            )
            try:
                await self._still()
            except AmendsError:
                return  # who asks again is told why
            yield (
                b"".join(
                    _event(copy, self._feeds.cursor(copy.position))
                    for copy in found.copies
                )
                or b": \n\n"
            )
            after = found.position


def _event(copy: Copy, cursor: str) -> bytes:
    data = b"".join(b"data: %b\n" % line for line in copy.body.splitlines())
    return b"id: %b\n%b\n" % (cursor.encode(), data)


_RESUME: Final = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The cursor of the last event that came, for a stream.",
    "schema": {"type": "string"},
}
