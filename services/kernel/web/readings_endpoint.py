"""`/api/<service>/readings`: who read, searched, exported what; for who watches it."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.kernel.access import Authenticator, Credential
from services.kernel.clock import Clock, rfc3339
from services.kernel.grants import Code
from services.kernel.store.writer import Writer
from services.kernel.tokens import require_role
from services.kernel.vault import (
    AUDIT,
    NOTHING,
    Act,
    Reading,
    ReadingPage,
    Readings,
    Wanted,
)
from services.kernel.web.caller import caller

LOOKING: Final = ("operator", "admin", "auditor")
PAGE: Final = 50
PAGE_LIMIT: Final = 500

ITSELF: Final = "access_log"
"""The kind of what is read where somebody looks who read what."""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """The readings of one service; that somebody looks at them is one more."""

    readings: Readings
    writer: Writer
    now: Clock

    async def look(
        self, wanted: Wanted, *, by: Credential, cursor: str | None, limit: int = PAGE
    ) -> ReadingPage:
        """Give a page of them, once it is noted who looks.

        Raises ForbiddenError, and MalformedError for a cursor that no page gave.
        """
        require_role(by, *LOOKING)

        def work() -> ReadingPage:
            found = self.readings.page(wanted, cursor=cursor, limit=limit)
            self.readings.note(
                [
                    Reading(
                        read_at=self.now(),
                        case_id=wanted.case_id or NOTHING,
                        document_id=NOTHING,
                        kind=ITSELF,
                        actor=by.actor,
                        role=by.role,
                        department=by.department,
                        purpose=AUDIT,
                    )
                ]
            )
            return found

        return await self.writer.run(work)


class ReadingsQuery(BaseModel):
    """Which of them; from `after` on, until `before`."""

    model_config = ConfigDict(extra="forbid")

    case_id: UUID | None = None
    actor: Code | None = None
    act: Act | None = None
    after: AwareDatetime | None = None
    before: AwareDatetime | None = None
    cursor: str | None = None
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE

    def wanted(self) -> Wanted:
        return Wanted(self.case_id, self.actor, self.act, self.after, self.before)


def readings_router(
    name: str, log: AccessLog, authenticator: Authenticator
) -> APIRouter:
    """Build the route of one service, for auditors, administrators, the operator."""
    routes = APIRouter(prefix=f"/api/{name}/readings", tags=["readings"])

    @routes.get(
        "", summary=f"Who read, searched, exported what at {name}, latest first"
    )
    async def listed(
        query: Annotated[ReadingsQuery, Query()],
        by: Annotated[Credential, Depends(caller(authenticator))],
    ) -> dict[str, Any]:
        found = await log.look(
            query.wanted(), by=by, cursor=query.cursor, limit=query.limit
        )
        return {"rows": [_told(each) for each in found.rows], "cursor": found.cursor}

    return routes


def _told(reading: Reading) -> dict[str, object]:
    def known(id_: UUID | None) -> str | None:
        return None if id_ is None or id_ == NOTHING else str(id_)

    return {
        "read_at": rfc3339(reading.read_at),
        "act": reading.act,
        "actor": reading.actor,
        "role": reading.role,
        "department": reading.department,
        "purpose": reading.purpose,
        "kind": reading.kind,
        "masked": reading.masked,
        "case_id": known(reading.case_id),
        "document_id": known(reading.document_id),
        "subject_id": known(reading.subject_id),
        "hits": reading.hits,
        "sought": reading.sought.hex() if reading.sought else None,
    }
