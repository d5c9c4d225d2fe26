"""Departments over HTTP: which there are, and how one's program reads its feed."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from services.handling.domain.policy import Policy
from services.handling.domain.visibility import staff
from services.handling.ports import FeedAccess
from services.kernel.access import Authenticator, Credential
from services.kernel.errors import NotFoundError
from services.kernel.tokens import require_role
from services.kernel.web.caller import caller


def router(
    feeds: Mapping[str, FeedAccess], authenticator: Authenticator, *, policy: Policy
) -> APIRouter:
    """Build the routes: the register for the staff, secrets for operators alone."""
    routes = APIRouter(prefix="/api/handling/departments", tags=["departments"])
    who = Depends(caller(authenticator))

    @routes.get("", summary="The register of departments")
    def departments(sender: Annotated[Credential, who]) -> dict[str, Any]:
        if not sender.service:
            require_role(sender, *sorted(staff(policy)))
        return {"rows": [{"code": code} for code in feeds]}

    @routes.post(
        "/{code}/credentials",
        summary="How the department's program connects to the bus, with its secret",
    )
    def credentials(code: str, sender: Annotated[Credential, who]) -> dict[str, str]:
        require_role(sender, "operator", "admin")
        if code not in feeds:
            raise no_department(feeds)
        return feeds[code]._asdict()

    return routes


def no_department(known: Iterable[str]) -> NotFoundError:
    """Say which departments there are."""
    return NotFoundError(
        "handling.no_department",
        f"There is no such department: choose one of {', '.join(known)}.",
    )
