"""Ask intake whether an access code opens a complaint, or for a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.handling.messaging.asking import WITHIN, Intake
from services.handling.ports import NewCode, Opened
from services.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from faststream.nats import NatsBroker

    from services.kernel.access import Credential


class IntakeReceipts:
    """`ports.Receipts` over the bus; the code is never stored on its way."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._intake = Intake(broker, within)

    async def opened(self, receipt_no: str, access_code: str) -> Opened:
        return await self._intake.asked(
            "access",
            {"receipt_no": receipt_no, "access_code": access_code},
            _opened,
            away=UnavailableError(
                "handling.intake_away",
                "Access codes cannot be checked at the moment; nothing was done: try"
                " again.",
                retry_after=5,
            ),
        )


class IntakeCodes:
    """`ports.AccessCodes` over the bus; the code is never stored on its way."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._intake = Intake(broker, within)

    async def renew(
        self,
        case_id: UUID,
        sender: Credential,
        *,
        key: str | None = None,
        verified: str | None = None,
    ) -> NewCode:
        question = {
            "case_id": str(case_id),
            "actor": sender.actor,
            "role": sender.role,
            "department": sender.department,
            "key": key,
            "verified": verified,
        }
        return await self._intake.asked(
            "new-code",
            question,
            _new_code,
            away=UnavailableError(
                "handling.no_new_code",
                "No new code could be made, or it did not arrive: try again; only the"
                " last one opens the case.",
                retry_after=5,
            ),
        )


def _opened(answer: dict[str, Any]) -> Opened:
    return Opened(UUID(answer["case_id"]), str(answer["receipt_no"]))


def _new_code(answer: dict[str, Any]) -> NewCode:
    return NewCode(
        str(answer["receipt_no"]),
        str(answer["access_code"]),
        {str(name): str(value) for name, value in answer["contact"].items()},
    )
