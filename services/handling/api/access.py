"""Tokens over HTTP, for the operator and for administrators: issue, list, revoke."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.kernel.access import Authenticator, Credential
from services.kernel.clock import rfc3339
from services.kernel.grants import Code, Department
from services.kernel.tokens import Token, TokenRegister, require_role
from services.kernel.web.caller import caller


class NewToken(BaseModel):
    """Whom the token is for, and until when."""

    model_config = ConfigDict(extra="forbid")

    role: Code
    actor: Code | None = None
    department: Department | None = None
    channel: Code | None = None
    expires_at: AwareDatetime | None = None


def router(register: TokenRegister, authenticator: Authenticator) -> APIRouter:
    """Build the routes; the operator and administrators may use them."""
    who = Depends(caller(authenticator))

    def allowed(found: Annotated[Credential, who]) -> Credential:
        require_role(found, "operator", "admin")
        return found

    routes = APIRouter(prefix="/api/handling/tokens", tags=["access"])

    @routes.post("", status_code=201, summary="Issue a token, shown this once")
    def issue(
        wanted: NewToken, by: Annotated[Credential, Depends(allowed)]
    ) -> dict[str, Any]:
        token, known = register.issue(by=by.actor, **dict(wanted))
        return {"token": token, **token_json(known)}

    @routes.get("", summary="Every token that ever was, oldest first")
    def tokens(_: Annotated[Credential, Depends(allowed)]) -> dict[str, Any]:
        return {"rows": [token_json(token) for token in register.all()]}

    @routes.post("/{token_id}/revoke", summary="End a token")
    def revoke(
        token_id: UUID, by: Annotated[Credential, Depends(allowed)]
    ) -> dict[str, Any]:
        return token_json(register.revoke(token_id, by=by.actor))

    return routes


def token_json(token: Token) -> dict[str, Any]:
    """Give what is known of a token as plain values."""
    return {name: _plain(value) for name, value in asdict(token).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value
