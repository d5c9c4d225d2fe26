"""Who sent this request: the credential as a FastAPI dependency."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, runtime_checkable

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from services.kernel.access import Authenticator, Credential, require_service


@runtime_checkable
class CookieAuthenticator(Protocol):
    async def by_cookie(self, request: Request) -> Credential:
        """Give the holder of the session cookie; without a valid one, anonymous.

        Raises ForbiddenError where another site may have made the request.
        """


class Bearer(SecurityBase):
    """A dependency that reads who calls; the OpenAPI document names it as a token."""

    scheme_name = "token"
    model = HTTPBearer(
        description="A token as `amends access token create` shows it, once."
    )


ANONYMOUS_TOO: Final[dict[str, Any]] = {"security": [{}]}
"""For `openapi_extra`: a route that takes callers without a token as well."""


class _Caller(Bearer):
    def __init__(
        self, authenticator: Authenticator, *, service: bool, or_role: str | None
    ) -> None:
        self._authenticator = authenticator
        self._service = service
        self._or_role = or_role
        self._cookies = (
            authenticator if isinstance(authenticator, CookieAuthenticator) else None
        )

    async def __call__(self, request: Request) -> Credential:
        header = request.headers.get("authorization")
        if header is None and self._cookies is not None:
            found = await self._cookies.by_cookie(request)
        else:
            found = self._authenticator.authenticate(header)
        if self._service and (self._or_role is None or found.role != self._or_role):
            require_service(found)
        return found


def caller(
    authenticator: Authenticator, *, service: bool = False, or_role: str | None = None
) -> Callable[[Request], Awaitable[Credential]]:
    """Make a dependency that gives the caller; 403 for others if `service` is asked.

    `or_role` names a role that is let in beside services.

    A token says more than a cookie: with an `Authorization` header no cookie is read.
    """
    return _Caller(authenticator, service=service, or_role=or_role)
