"""Ask intake which cases have a number, an address or words; nothing of it is kept."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.handling.messaging.asking import Intake
from services.kernel.clock import parse_rfc3339
from services.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from faststream.nats import NatsBroker

    from services.handling.ports import Clause

WITHIN: Final = 5.0
"""Seconds that intake has to look through its words."""

_ID_SIZE: Final = 16


class AskedIntake:
    """`ports.IntakeFinding` over the bus."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._intake = Intake(broker, within)

    async def find(
        self, clauses: Sequence[Clause]
    ) -> tuple[list[set[UUID]], datetime | None]:
        return await self._intake.asked(
            "find",
            {"clauses": clauses},
            lambda answer: (
                _unpacked(answer["cases"], len(clauses)),
                _instant(answer.get("unsearched_since")),
            ),
            away=_away(),
        )


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


def _instant(told: Any) -> datetime | None:
    return None if told is None else parse_rfc3339(told)


def _away() -> UnavailableError:
    return UnavailableError(
        "handling.finding_away",
        "Numbers, addresses and what customers wrote cannot be searched at the moment:"
        " try again; receipt numbers are found.",
        retry_after=5,
    )
