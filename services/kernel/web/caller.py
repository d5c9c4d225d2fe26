"""Who sent this request: the credential as a FastAPI dependency."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request

from services.kernel.access import Authenticator, Credential, require_service


def caller(
    authenticator: Authenticator, *, service: bool = False
) -> Callable[[Request], Awaitable[Credential]]:
    """Make a dependency that gives the caller; 403 for others if `service` is asked."""

    async def who(request: Request) -> Credential:
        found = authenticator.authenticate(request.headers.get("authorization"))
        if service:
            require_service(found)
        return found

    return who
