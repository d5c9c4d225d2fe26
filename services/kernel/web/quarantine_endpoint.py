"""`/api/<service>/quarantine`: what a service could not handle, and what to do with it."""

import base64
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from services.kernel.access import Authenticator, Credential
from services.kernel.grants import Code
from services.kernel.inbox import Discard, Ward, told_of
from services.kernel.tokens import require_role
from services.kernel.web.caller import caller

LOOKING = ("operator", "admin", "auditor")
SETTLING = ("operator", "admin")


class Cause(StrEnum):
    """Why a message may go for ever."""

    CORRUPT = "corrupt"
    NOT_OURS = "not_ours"
    REPAIRED_ELSEWHERE = "repaired_elsewhere"
    TEST = "test"


class Discarded(BaseModel):
    """Why a message may go for ever: it is passed over, and that is kept."""

    model_config = ConfigDict(extra="forbid")

    cause: Cause


class Opening(BaseModel):
    """What the bytes are wanted for, in a code; that they were read is noted."""

    model_config = ConfigDict(extra="forbid")

    purpose: Code


def quarantine_router(name: str, ward: Ward, authenticator: Authenticator) -> APIRouter:
    """Build the routes of one service: administrators settle, auditors look too."""
    who = Depends(caller(authenticator))
    routes = APIRouter(prefix=f"/api/{name}/quarantine", tags=["quarantine"])

    @routes.get("", summary=f"What {name} could not handle, the oldest first")
    async def listed(by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *LOOKING)
        messages = await run_in_threadpool(ward.quarantined)
        return {"rows": [told_of(each) for each in messages]}

    @routes.post("/{document_id}/open", summary="Its bytes; the look is noted")
    async def opened(
        document_id: UUID, wanted: Opening, by: Annotated[Credential, who]
    ) -> dict[str, Any]:
        require_role(by, *SETTLING)
        message, body = await ward.opened(
            document_id, actor=by.actor, role=by.role, purpose=wanted.purpose
        )
        return {**told_of(message), "content": base64.b64encode(body).decode()}

    @routes.post("/replay", summary="Try all of them again, in their order")
    async def replay_all(by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *SETTLING)
        return await _counted(ward, await ward.replay(by=by.actor))

    @routes.post("/{document_id}/replay", summary="Try one again, and what it holds")
    async def replay(
        document_id: UUID, by: Annotated[Credential, who]
    ) -> dict[str, Any]:
        require_role(by, *SETTLING)
        return await _counted(ward, await ward.replay(only=document_id, by=by.actor))

    @routes.post("/{document_id}/discard", summary="Pass one over for ever")
    async def discard(
        document_id: UUID, how: Discarded, by: Annotated[Credential, who]
    ) -> dict[str, Any]:
        require_role(by, *SETTLING)
        settled = Discard(actor=by.actor, cause=how.cause)
        return await _counted(ward, await ward.discard(document_id, settled))

    return routes


async def _counted(ward: Ward, applied: int) -> dict[str, Any]:
    """Say how many messages were handled, and how many are left."""
    left = await run_in_threadpool(ward.quarantined)
    return {"applied": applied, "left": len(left)}
