"""Ask intake which cases have a number, an address or words; nothing of it is kept."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import nats.errors
from faststream.exceptions import FastStreamException

from events import subjects
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.logs import correlation_id
from services.kernel.questions import CORRELATION_HEADER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faststream.nats import NatsBroker

    from services.handling.ports import Clause

WITHIN: Final = 5.0
"""Seconds that intake has to look through its words."""

_FOUND: Final = 200
_REFUSED: Final = 409
_ID_SIZE: Final = 16


class AskedIntake:
    """`ports.IntakeFinding` over the bus; neither question nor answer is stored."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._broker = broker
        self._within = within

    async def find(self, clauses: Sequence[Clause]) -> list[set[UUID]]:
        """Ask; raises as the port says."""
        known = correlation_id()
        try:
            reply = await self._broker.request(
                json.dumps({"clauses": clauses}).encode(),
                subjects.ask("intake", "find"),
                headers={CORRELATION_HEADER: known} if known else None,
                timeout=self._within,
            )
            answer = json.loads(reply.body)
            status = int(answer["status"])
            if status == _FOUND:
                return _unpacked(answer["cases"], len(clauses))
            refused = str(answer["code"]), str(answer["detail"])
        except (
            OSError,
            TimeoutError,
            nats.errors.Error,
            FastStreamException,
            ValueError,
            LookupError,
            TypeError,
        ):
            raise _away() from None
        if status == _REFUSED:
            raise RefusedError(*refused)
        raise _away()


def _unpacked(packed: Any, count: int) -> list[set[UUID]]:
    """Read ids that lie one behind the other. Raises ValueError, TypeError."""
    found = []
    for each in packed:
        raw = base64.b64decode(each, validate=True)
        found.append(
            {UUID(bytes=raw[at : at + _ID_SIZE]) for at in range(0, len(raw), _ID_SIZE)}
        )
    if len(found) != count:
        raise ValueError
    return found


def _away() -> UnavailableError:
    return UnavailableError(
        "handling.finding_away",
        "Numbers, addresses and what customers wrote cannot be searched at the moment:"
        " try again; receipt numbers are found.",
        retry_after=5,
    )
