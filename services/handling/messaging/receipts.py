"""Ask intake whether an access code opens a complaint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from uuid import UUID

import nats.errors
from faststream.exceptions import FastStreamException

from events import subjects
from services.handling.ports import NewCode, Opened
from services.kernel.errors import (
    RefusedError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
)
from services.kernel.logs import correlation_id
from services.kernel.questions import CORRELATION_HEADER

if TYPE_CHECKING:
    from faststream.nats import NatsBroker

    from services.kernel.access import Credential

WITHIN: Final = 2.0
"""Seconds that intake has to answer."""

_REFUSED: Final = 409
_FAMILIES: Final = {401: UnauthenticatedError, 429: TooManyError}


class IntakeReceipts:
    """`ports.Receipts` over the bus; the code is never stored on its way."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._broker = broker
        self._within = within

    async def opened(self, receipt_no: str, access_code: str) -> Opened:
        """Ask; raises as the port says, UnavailableError within two seconds."""
        question = {"receipt_no": receipt_no, "access_code": access_code}
        known = correlation_id()
        try:
            reply = await self._broker.request(
                json.dumps(question).encode(),
                subjects.ask("intake", "access"),
                headers={CORRELATION_HEADER: known} if known else None,
                timeout=self._within,
            )
            answer = json.loads(reply.body)
            status = int(answer["status"])
            if status == 200:  # noqa: PLR2004 HTTP's OK
                return Opened(UUID(answer["case_id"]), str(answer["receipt_no"]))
            family = _FAMILIES.get(status)
        except (
            OSError,
            TimeoutError,
            nats.errors.Error,
            FastStreamException,
            ValueError,
            LookupError,
            TypeError,
        ):
            raise _nobody_answers() from None
        if family is None:
            raise _nobody_answers()
        raise family(str(answer["code"]), str(answer["detail"]))


def _nobody_answers() -> UnavailableError:
    return UnavailableError(
        "handling.intake_away",
        "Access codes cannot be checked at the moment; nothing was done: try again.",
        retry_after=5,
    )


class IntakeCodes:
    """`ports.AccessCodes` over the bus; the code is never stored on its way."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._broker = broker
        self._within = within

    async def renew(
        self,
        case_id: UUID,
        sender: Credential,
        *,
        key: str | None = None,
        verified: str | None = None,
    ) -> NewCode:
        """Ask; raises as the port says, UnavailableError within two seconds."""
        question = {
            "case_id": str(case_id),
            "actor": sender.actor,
            "role": sender.role,
            "department": sender.department,
            "key": key,
            "verified": verified,
        }
        known = correlation_id()
        try:
            reply = await self._broker.request(
                json.dumps(question).encode(),
                subjects.ask("intake", "new-code"),
                headers={CORRELATION_HEADER: known} if known else None,
                timeout=self._within,
            )
            answer = json.loads(reply.body)
            if answer["status"] == _REFUSED:
                raise RefusedError(str(answer["code"]), str(answer["detail"]))
            return NewCode(
                str(answer["receipt_no"]),
                str(answer["access_code"]),
                {str(name): str(value) for name, value in answer["contact"].items()},
            )
        except (
            OSError,
            TimeoutError,
            nats.errors.Error,
            FastStreamException,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ):
            raise UnavailableError(
                "handling.no_new_code",
                "No new code could be made, or it did not arrive: try again; only the"
                " last one opens the case.",
                retry_after=5,
            ) from None
