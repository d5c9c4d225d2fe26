"""The session cookie: how it is set and read, and when it may act for its holder.

A cookie comes along with whatever another site makes a browser send. So it is believed
for reading, and for changing something only where the request proves its origin.
"""

import asyncio
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from services.kernel.access import ANONYMOUS, Credential
from services.kernel.errors import ForbiddenError
from services.kernel.sessions import csrf_of
from services.kernel.users import User, UserRegister
from services.kernel.web.pages.viewers import STRANGER, Viewer

COOKIE: Final = "amends_session"
CSRF_HEADER: Final = "X-CSRF-Token"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def session_of(request: Request) -> str | None:
    return request.cookies.get(COOKIE) or None


def set_session(request: Request, response: Response, session: str) -> None:
    """Hand the session to the browser, until it is closed; scripts cannot read it."""
    response.set_cookie(
        COOKIE,
        session,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def clear_session(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


class CookieHolders:
    """Who holds a session cookie: a viewer of pages, or a caller of the JSON routes.

    A stale cookie makes a stranger, as it does no harm: browsers send it unasked, also
    with a complaint that anybody may hand in.
    """

    def __init__(
        self, users: UserRegister, sections: Mapping[str, frozenset[str]]
    ) -> None:
        """`sections` says for the address of each of the staff's sections who may look."""
        self._users = users
        self._sections = sections

    async def viewer(self, request: Request) -> Viewer:
        session = session_of(request)
        user = await self._user(session)
        if session is None or user is None:
            return STRANGER
        return Viewer(
            _credential(user),
            user.name or "",
            csrf_of(session),
            self.open_to(user.role),
        )

    def open_to(self, role: str) -> tuple[str, ...]:
        """Give the addresses of the sections that this role may open."""
        return tuple(path for path, roles in self._sections.items() if role in roles)

    async def by_cookie(self, request: Request) -> Credential:
        """Give the caller. Raises ForbiddenError for a change that may be forged."""
        session = session_of(request)
        user = await self._user(session)
        if session is None or user is None:
            return ANONYMOUS
        if request.method not in _SAFE and not _proves_origin(request, session):
            raise ForbiddenError(
                "access.origin_unproven",
                f"With a cookie, send {CSRF_HEADER} or ask from a page of this origin.",
            )
        return _credential(user)

    async def _user(self, session: str | None) -> User | None:
        if session is None:
            return None
        return await asyncio.to_thread(self._users.by_session, session)


def _credential(user: User) -> Credential:
    return Credential(actor=user.actor, role=user.role, department=user.department)


def _proves_origin(request: Request, session: str) -> bool:
    """Whether the session's token came along, or the browser vouches for our page."""
    shown = request.headers.get(CSRF_HEADER)
    if shown is not None:
        return hmac.compare_digest(shown.encode(), csrf_of(session).encode())
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and (
        urlsplit(origin).netloc == request.headers.get("host", "")
    )
