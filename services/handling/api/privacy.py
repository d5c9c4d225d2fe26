"""A person's own data over HTTP: what there is, erased, held; for the privacy officer."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from events.envelope import Code
from events.vocabulary import ErasureBasis
from services.handling.application.exporting import Exporting
from services.handling.application.personal import (
    ACTING,
    HOLD_TEXT,
    LOOKING,
    ZIP,
    correlation,
    erase_now,
    erasure_json,
    export_headers,
    hold_json,
    overview,
)
from services.handling.application.privacy import Privacy
from services.handling.domain.privacy import Erasure, HoldReason, Person
from services.handling.ports import PeopleAtIntake
from services.kernel.access import Authenticator, Credential
from services.kernel.errors import RefusedError
from services.kernel.store.writer import Writer
from services.kernel.tokens import require_role
from services.kernel.web.caller import caller


class Erasing(BaseModel):
    """Whom to erase, as the look before showed them, and on what basis."""

    model_config = ConfigDict(extra="forbid")

    subject_id: UUID
    basis: ErasureBasis


class Holding(BaseModel):
    """Whose data to keep, why, and to the end of which day."""

    model_config = ConfigDict(extra="forbid")

    person: str
    reason: HoldReason
    until: date
    text: Annotated[str, Field(max_length=HOLD_TEXT)] | None = None


class Entry(BaseModel):
    """An erasure as the register lists it."""

    model_config = ConfigDict(extra="ignore")

    subject_id: UUID
    basis: ErasureBasis
    actor: Code
    role: Code
    erased_at: AwareDatetime


class Again(BaseModel):
    """Erasures from a register that was kept elsewhere; ours are applied anyway."""

    model_config = ConfigDict(extra="forbid")

    rows: list[Entry] = []


def router(
    privacy: Privacy,
    exporting: Exporting,
    intake: PeopleAtIntake,
    writer: Writer,
    authenticator: Authenticator,
) -> APIRouter:
    """Build the routes: officers and the operator act, auditors see the registers."""
    routes = APIRouter(prefix="/api/handling/privacy", tags=["privacy"])
    who = Depends(caller(authenticator))
    _people(routes, privacy, intake, writer, who)
    _holds(routes, privacy, writer, who)

    @routes.get(
        "/people/{person}/export",
        summary="All that is held about a person, as a zip; this is noted",
        response_class=Response,
        responses={200: {"content": {ZIP: {}}}},
    )
    async def export(person: str, by: Annotated[Credential, who]) -> Response:
        require_role(by, *ACTING)
        found = await run_in_threadpool(privacy.person, person)
        content = await exporting.begin(found, by=by)
        headers = export_headers(found)
        return StreamingResponse(content, media_type=ZIP, headers=headers)

    @routes.get("/register", summary="Who was erased, when, on what basis; in codes")
    def register(by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *LOOKING)
        return {"rows": [erasure_json(each) for each in privacy.register()]}

    @routes.post("/reapply", summary="Erase anew who had been erased before a restore")
    async def reapply(given: Again, by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, "operator")
        kept = {
            each.subject_id: Erasure(**each.model_dump(exclude={"case_ids"}))
            for each in given.rows
        }
        ours = {
            each.subject_id: each for each in await run_in_threadpool(privacy.register)
        }
        known = list((kept | ours).values())
        done = await writer.run(
            lambda: privacy.apply_again(known, correlation_id=correlation())
        )
        register = await run_in_threadpool(privacy.register)
        return {"applied": done, "rows": [erasure_json(each) for each in register]}

    return routes


def _people(
    routes: APIRouter,
    privacy: Privacy,
    intake: PeopleAtIntake,
    writer: Writer,
    who: Any,
) -> None:
    @routes.get(
        "/people/{person}",
        summary="Whose data a receipt number, a case or a person's id leads to, how"
        " much there is, and what forbids its erasure",
    )
    async def look(person: str, by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *ACTING)
        found = await run_in_threadpool(privacy.person, person)
        return await overview(privacy, intake, found)

    @routes.post("/people/{person}/erase", summary="Erase a person's data for ever")
    async def erase(
        person: str, wanted: Erasing, by: Annotated[Credential, who]
    ) -> dict[str, Any]:
        require_role(by, *ACTING)
        found = await run_in_threadpool(privacy.person, person)
        require_same(found, wanted.subject_id)
        erased = await erase_now(privacy, writer, found, wanted.basis, by=by)
        return erasure_json(erased)


def require_same(person: Person, subject_id: UUID) -> None:
    """Raise RefusedError where somebody else was looked at than would be erased."""
    if person.subject_id != subject_id:
        raise RefusedError(
            "privacy.other_person",
            "This number leads to another person than the one that was looked at: look"
            " again, then decide.",
        )


def _holds(routes: APIRouter, privacy: Privacy, writer: Writer, who: Any) -> None:
    @routes.get("/holds", summary="Every hold that ever was, the latest first")
    def listed(by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *LOOKING)
        now = privacy.now()
        return {
            "rows": [
                {**hold_json(hold), "in_force": hold.in_force(now)}
                for hold in privacy.holds()
            ]
        }

    @routes.post("/holds", status_code=201, summary="Keep somebody's data until a day")
    async def place(wanted: Holding, by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *ACTING)
        person = await run_in_threadpool(privacy.person, wanted.person)
        hold = await writer.run(
            lambda: privacy.place(
                person.subject_id,
                wanted.reason,
                until=wanted.until,
                text=wanted.text,
                by=by.actor,
            )
        )
        return hold_json(hold)

    @routes.post("/holds/{hold_id}/end", summary="End a hold before its day")
    async def end(hold_id: UUID, by: Annotated[Credential, who]) -> dict[str, Any]:
        require_role(by, *ACTING)
        return hold_json(await writer.run(lambda: privacy.end(hold_id, by=by.actor)))
