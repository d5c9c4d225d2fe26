"""Who sent this request: the credential as a FastAPI dependency."""

from collections.abc import Awaitable, Callable
from typing import Protocol, runtime_checkable

from starlette.requests import Request

from services.kernel.access import Authenticator, Credential, require_service


@runtime_checkable
class CookieAuthenticator(Protocol):
    async def by_cookie(self, request: Request) -> Credential:
        """Give the holder of the session cookie; without a valid one, anonymous.

        Raises ForbiddenError where another site may have made the request.
        """


def caller(
    authenticator: Authenticator, *, service: bool = False
) -> Callable[[Request], Awaitable[Credential]]:
    """Make a dependency that gives the caller; 403 for others if `service` is asked.

    A token says more than a cookie: with an `Authorization` header no cookie is read.
    """
    cookies = authenticator if isinstance(authenticator, CookieAuthenticator) else None

    async def who(request: Request) -> Credential:
        header = request.headers.get("authorization")
        if header is None and cookies is not None:
            found = await cookies.by_cookie(request)
        else:
            found = authenticator.authenticate(header)
        if service:
            require_service(found)
        return found

    return who
