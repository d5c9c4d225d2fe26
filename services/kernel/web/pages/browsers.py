"""Refusals told to people: a browser gets a page where a program gets a problem."""

import json
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.kernel.errors import AmendsError
from services.kernel.web.pages.rendering import Pages
from services.kernel.web.problems import MEDIA_TYPE

_PROGRAMS: Final = ("/api/", "/health/")
"""Addresses under which everybody is answered as a program."""
_KEPT: Final = ("allow", "connection", "retry-after")


def wants_page(headers: Mapping[str, str]) -> bool:
    """Tell a browser that opens an address; programs do not name HTML."""
    return "text/html" in headers.get("accept", "")


class BrowserPages:
    """Puts a page in the place of a problem that a browser would show."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"].startswith(_PROGRAMS)
            or not wants_page(Headers(scope=scope))
        ):
            await self._app(scope, receive, send)
            return
        refused: Message | None = None
        body = b""

        async def held(message: Message) -> None:
            """Hold a problem back; all else goes on as it comes."""
            nonlocal refused, body
            if message["type"] == "http.response.start" and _is_problem(message):
                refused = message
            elif refused is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    page = await self._page(scope, refused, body)
                    await page(scope, receive, send)

        await self._app(scope, receive, held)

    async def _page(self, scope: Scope, refused: Message, body: bytes) -> Response:
        problem = json.loads(body)
        error = AmendsError(problem["code"], problem["detail"])
        page = await self._pages.told(Request(scope), error, status=refused["status"])
        headers = Headers(raw=refused["headers"])
        page.headers.update({name: headers[name] for name in _KEPT if name in headers})
        return page


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type") == MEDIA_TYPE
