"""A person's data as every interface tells it, and who may ask for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from services.handling.application.asking import actor_of
from services.handling.domain.visibility import OFFICER
from services.kernel.clock import rfc3339
from services.kernel.errors import UnavailableError
from services.kernel.logs import correlation_id, new_correlation_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.vocabulary import ErasureBasis
    from services.handling.application.privacy import Privacy
    from services.handling.domain.privacy import Erasure, Hold, Person
    from services.handling.ports import PeopleAtIntake
    from services.kernel.access import Credential
    from services.kernel.store.writer import Writer
    from services.kernel.vault import Erased, Inventory

ACTING: Final = ("operator", OFFICER)
LOOKING: Final = (*ACTING, "auditor")
"""Who sees the register and the holds; nothing in them tells who somebody is."""

ZIP: Final = "application/zip"
HOLD_TEXT: Final = 2_000
"""Characters that may be written about the reason of a hold."""


async def overview(
    privacy: Privacy, intake: PeopleAtIntake, person: Person
) -> dict[str, Any]:
    """Give all that there is of a person, in codes and numbers.

    `intake` is None where intake does not answer: nothing is known of it then.
    """
    documents, state = await asyncio.to_thread(privacy.inventory, person.subject_id)
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
            person.subject_id, basis, by=actor_of(by), correlation_id=correlation()
        )
    )


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


def export_headers(person: Person) -> dict[str, str]:
    """Name the file that a person's data is sent as."""
    name = f"personal-data-{person.subject_id}.zip"
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
    }


def correlation() -> str:
    return correlation_id() or new_correlation_id()
