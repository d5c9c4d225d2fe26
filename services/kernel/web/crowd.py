"""Turns away at once who comes when as much is under way as there is room for.

What waits here waits in memory: so the number of requests is bounded, and the bytes of
the bodies that they bring. Who is turned away knows when to come again; nothing was
read of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers

from services.kernel.errors import UnavailableError
from services.kernel.web.pages.multipart import FORM_LIMIT
from services.kernel.web.problems import problem
from services.kernel.web.reading import BODY_LIMIT

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REQUESTS: Final = 1_000
"""Requests under way at once, those that wait for a feed included."""
BODIES: Final = 256 * 1024**2
"""Bytes of their bodies. A body that is read piece by piece counts as one form."""

_ALWAYS: Final = ("/health/", "/metrics")
"""Whoever looks after amends is answered, however crowded it is."""
_LONGEST_LENGTH: Final = 18


class Crowd:
    """Counts what is under way in this process."""

    def __init__(
        self, app: ASGIApp, *, requests: int = REQUESTS, bodies: int = BODIES
    ) -> None:
        self._app = app
        self._most_requests, self._most_bytes = requests, bodies
        self._requests = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        brings = _brings(Headers(scope=scope))
        full = self._requests >= self._most_requests
        if full or (self._bytes and self._bytes + brings > self._most_bytes):
            # The rest of the body is not awaited.
            refused = problem(_crowded(), headers={"Connection": "close"})
            await refused(scope, receive, send)
            return
        self._requests += 1
        self._bytes += brings
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1
            self._bytes -= brings


def _brings(headers: Headers) -> int:
    """Say how many bytes a body may hold in memory; an unstated one a whole body."""
    stated = headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and len(stated) <= _LONGEST_LENGTH:
        return min(int(stated), FORM_LIMIT)
    return BODY_LIMIT if "transfer-encoding" in headers else 0


def _crowded() -> UnavailableError:
    return UnavailableError(
        "service.crowded",
        "Too much is under way here: send the same again in a few seconds.",
        retry_after=2,
    )
