"""A new access code over HTTP, for whoever tells it to the customer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from starlette.concurrency import run_in_threadpool

from services.handling.application.cases import Handling
from services.handling.application.codes import renewable
from services.handling.application.commanding import KEY_LIMIT
from services.handling.domain.policy import Policy
from services.handling.ports import AccessCodes
from services.kernel.access import Authenticator, Credential
from services.kernel.web.caller import caller


def router(
    handling: Handling,
    codes: AccessCodes,
    authenticator: Authenticator,
    *,
    policy: Policy,
) -> APIRouter:
    """Build the route, for the front office and the operator."""
    routes = APIRouter(prefix="/api/handling", tags=["cases"])
    who = Depends(caller(authenticator))

    @routes.post(
        "/cases/{case}/access-code",
        summary="Make the access code anew, shown this once; the old one ends",
    )
    async def renew(
        case: str,
        sender: Annotated[Credential, who],
        idempotency_key: Annotated[str | None, Header(max_length=KEY_LIMIT)] = None,
    ) -> dict[str, Any]:
        found = await run_in_threadpool(
            renewable, handling, case, sender=sender, policy=policy
        )
        made = await codes.renew(found.id, sender, key=idempotency_key or None)
        return made._asdict()

    return routes
