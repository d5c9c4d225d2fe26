"""A person's own data over HTTP: what there is, erased, held; for the privacy officer."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from events.envelope import Code
from events.vocabulary import ErasureBasis
from services.handling.application.asking import actor_of
from services.handling.application.exporting import Exporting
from services.handling.application.privacy import Privacy
from services.handling.domain.privacy import Erasure, Hold, HoldReason, Person
from services.handling.domain.visibility import OFFICER
from services.handling.ports import PeopleAtIntake
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import rfc3339
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.logs import correlation_id, new_correlation_id
from services.kernel.store.writer import Writer
from services.kernel.tokens import require_role
from services.kernel.vault import Erased, Inventory
from services.kernel.web.caller import caller

ACTING: Final = ("operator", OFFICER)
LOOKING: Final = (*ACTING, "auditor")
"""Who sees the register and the holds; nothing in them tells who somebody is."""

ZIP: Final = "application/zip"
HOLD_TEXT: Final = 2_000
"""Characters that may be written about the reason of a hold."""


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
        return zipped(found, await exporting.begin(found, by=by))

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
            lambda: privacy.apply_again(known, correlation_id=_correlation())
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


async def erase_now(
    privacy: Privacy,
    writer: Writer,
    person: Person,
    basis: ErasureBasis,
    *,
    by: Credential,
) -> Erasure:
    """Have the writer erase somebody; raises as `Privacy.erase`."""
    return await writer.run(
        lambda: privacy.erase(
            person.subject_id, basis, by=actor_of(by), correlation_id=_correlation()
        )
    )


def zipped(person: Person, content: AsyncIterator[bytes]) -> Response:
    """Send a person's data as it is put together."""
    name = f"personal-data-{person.subject_id}.zip"
    return StreamingResponse(
        content,
        media_type=ZIP,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


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


async def overview(
    privacy: Privacy, intake: PeopleAtIntake, person: Person
) -> dict[str, Any]:
    """Give all that there is of a person, in codes and numbers.

    `intake` is None where intake does not answer: nothing is known of it then.
    """
    documents, state = await run_in_threadpool(privacy.inventory, person.subject_id)
    try:
        there = dict(await intake.inventory(person.subject_id))
    except UnavailableError:
        there = None
    until = person.held_until(privacy.now())
    return {
        "subject_id": str(person.subject_id),
        "cases": [
            {
                "case_id": str(case.id),
                "receipt_no": case.receipt_no,
                "state": case.state,
                "received_at": rfc3339(case.received_at),
            }
            for case in person.cases
        ],
        "open_cases": len(person.open_cases),
        "held_until": rfc3339(until) if until else None,
        "erasure": erasure_json(person.erasure) if person.erasure else None,
        "handling": {
            "documents": inventory_json(documents),
            **erased_json(state),
        },
        "intake": there,
    }


def inventory_json(documents: Sequence[Inventory]) -> list[dict[str, Any]]:
    return [
        {"kind": each.kind, "documents": each.documents, "bytes": each.size}
        for each in documents
    ]


def erased_json(state: Erased | None) -> dict[str, str | None]:
    """Say when a service erased somebody, and when its files were clean of them."""
    cleaned = state.cleaned_at if state else None
    return {
        "erased_at": rfc3339(state.erased_at) if state else None,
        "cleaned_at": rfc3339(cleaned) if cleaned else None,
    }


def erasure_json(erasure: Erasure) -> dict[str, Any]:
    return {
        "subject_id": str(erasure.subject_id),
        "basis": erasure.basis.value,
        "actor": erasure.actor,
        "role": erasure.role,
        "erased_at": rfc3339(erasure.erased_at),
        "case_ids": [str(case_id) for case_id in erasure.case_ids],
    }


def hold_json(hold: Hold) -> dict[str, Any]:
    return {
        "hold_id": str(hold.hold_id),
        "subject_id": str(hold.subject_id),
        "reason": hold.reason.value,
        "until": rfc3339(hold.until),
        "placed_at": rfc3339(hold.placed_at),
        "placed_by": hold.placed_by,
        "ended_at": rfc3339(hold.ended_at) if hold.ended_at else None,
        "ended_by": hold.ended_by,
    }


def _correlation() -> str:
    return correlation_id() or new_correlation_id()
