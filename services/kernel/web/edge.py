"""What stands round every HTTP application: correlation, limits, headers, log, figures.

Plain ASGI, outermost, once a process: `app = edge(app, metrics)`.
"""

import re
import time
import uuid
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.errors import TooLargeError
from services.kernel.logs import accepted_correlation_id, correlated
from services.kernel.web.crowd import Crowd
from services.kernel.web.metrics import HttpMetrics
from services.kernel.web.pages import Pages
from services.kernel.web.pages.browsers import BrowserPages
from services.kernel.web.pages.multipart import FORM_LIMIT
from services.kernel.web.pages.multipart import MEDIA_TYPE as MULTIPART
from services.kernel.web.problems import problem, unexpected
from services.kernel.web.reading import BODY_LIMIT

CORRELATION_HEADER: Final = "X-Correlation-Id"
STREAMED: Final = ":batch"
"""Ending of the paths whose bodies are read line by line, each line with its limit."""
UPLOADS: Final = re.compile(r"/api/[a-z]+/uploads/[^/]+")
"""Where bytes of files come, each upload with its limit."""
IMPORTS: Final = "/import"
"""Where a file to import comes in a form, with the limit of imports."""
PROGRAMS: Final = "/api/"
"""Under this HEAD is answered only by the routes that have it; elsewhere as GET is."""

_SECRET: Final = frozenset({"upload_id"})
"""Ids that whoever knows them may use: they are not logged."""
_HUNG_UP: Final = 499  # nginx's number for a caller who did not wait
_LONGEST_LENGTH: Final = 18  # digits that anybody needs to state a length
_TOLD: Final = frozenset({401, 403, 429})  # refusals that an operator wants to see
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""The strictest, for JSON; pages set their own, which stay."""

_log = structlog.get_logger(__name__)


def edge(
    app: ASGIApp,
    metrics: HttpMetrics,
    *,
    limit: int = BODY_LIMIT,
    pages: Pages | None = None,
) -> ASGIApp:
    """Surround `app`; with `pages`, browsers are told refusals in words."""
    limited: ASGIApp = Crowd(BodyLimit(app, limit=limit))
    return Edge(BrowserPages(limited, pages) if pages else limited, metrics)


class Edge:
    """Gives each request its correlation id and, whatever happens, one whole answer."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD" and not scope["path"].startswith(PROGRAMS):
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        claimed = Headers(scope=scope).get(CORRELATION_HEADER)
        correlation = accepted_correlation_id(claimed)
        with correlated(correlation):
            await self._serve(scope, receive, send, correlation)

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, correlation: str
    ) -> None:
        begin = time.perf_counter()
        status = 0

        async def completed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[CORRELATION_HEADER] = correlation
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, completed)
        except Exception:  # noqa: BLE001 - the last place that can still answer
            _log.exception("http.failed", method=scope["method"], **_place(scope))
            if status == 0:
                await unexpected()(scope, receive, completed)
        finally:
            self._tell(scope, status or _HUNG_UP, time.perf_counter() - begin)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        place = _place(scope)
        self._metrics.observe(scope["method"], place["route"], status, seconds)
        say = _log.debug
        if status >= 500:  # noqa: PLR2004 - the class of statuses that are our fault
            say = _log.warning
        elif status in _TOLD:
            say = _log.info
        say(
            "http.answered",
            method=scope["method"],
            status=status,
            milliseconds=round(seconds * 1000, 1),
            **place,
        )


def _without_body(send: Send) -> Send:
    """Send the head of an answer alone."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sent


def _place(scope: Scope) -> dict[str, str]:
    """Name the route as written, and ids found in the path.

    The path itself is not told: in the place of an id people write anything.
    """
    ids = {
        name: str(value)
        for name, value in scope.get("path_params", {}).items()
        if name not in _SECRET and _is_uuid(value)
    }
    return {"route": _route(scope), **ids}


def _route(scope: Scope) -> str:
    route = scope.get("route")
    if route is None:
        return "unmatched"
    # FastAPI keeps the prefix of an included router beside the route, not in it.
    context = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(context, "path", None) or getattr(route, "path", "")
    return str(scope.get("root_path", "") + path)


def _is_uuid(value: object) -> bool:
    try:
        return str(uuid.UUID(str(value))) == str(value)
    except ValueError:
        return False


def _streamed(scope: Scope) -> bool:
    """Tell whether the route itself limits a body while it comes."""
    path = scope["path"]
    sent = scope["method"] == "PATCH" and UPLOADS.fullmatch(path) is not None
    handed_in = scope["method"] == "POST" and path == IMPORTS
    return sent or handed_in or path.endswith(STREAMED)


class BodyLimit:
    """Refuses a body above the limit: by its stated length, or while it arrives."""

    def __init__(self, app: ASGIApp, *, limit: int = BODY_LIMIT) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _streamed(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit
        if _brings_files(headers):
            limit = max(limit, FORM_LIMIT)
        stated = headers.get("content-length", "")
        if not (stated.isascii() and stated.isdigit()):
            await self._counted(scope, receive, send, limit)
        elif len(stated) > _LONGEST_LENGTH or int(stated) > limit:
            await self._refuse(scope, receive, send, limit)
        else:  # the server hands out no more than was stated
            await self._app(scope, receive, send)

    async def _counted(
        self, scope: Scope, receive: Receive, send: Send, limit: int
    ) -> None:
        size, exceeded, started = 0, False, False

        async def receive_counted() -> Message:
            nonlocal size, exceeded
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                exceeded = True
                raise _too_large(scope, limit)
            return message

        async def send_unless_exceeded(message: Message) -> None:
            nonlocal started
            if started or not exceeded:
                started = True
                await send(message)

        try:
            await self._app(scope, receive_counted, send_unless_exceeded)
        except Exception:
            if started or not exceeded:
                raise
        if exceeded and not started:
            await self._refuse(scope, receive, send, limit)

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, limit: int
    ) -> None:
        headers = {"Connection": "close"}  # the rest of the body is not awaited
        await problem(_too_large(scope, limit), headers=headers)(scope, receive, send)


def _brings_files(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith(MULTIPART)


def _too_large(scope: Scope, limit: int) -> TooLargeError:
    if _brings_files(Headers(scope=scope)):
        return TooLargeError(
            "http.form_too_large",
            f"Send files of at most {limit} bytes together; larger ones by upload.",
        )
    return TooLargeError(
        "http.too_large", f"Send a body of at most {limit} bytes; more by `{STREAMED}`."
    )
