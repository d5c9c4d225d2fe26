"""Ask intake what lies there of a person; and erase complaints that come too late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import nats.errors
from faststream.exceptions import FastStreamException

from events import subjects
from services.kernel.errors import UnavailableError
from services.kernel.logs import correlation_id, new_correlation_id
from services.kernel.questions import CORRELATION_HEADER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from faststream.nats import NatsBroker

    from events.envelope import Envelope
    from services.handling.application.privacy import Privacy
    from services.kernel.inbox import Arrived, Effect
    from services.kernel.store.database import Tx

WITHIN: Final = 2.0
"""Seconds that intake has to answer."""

_FOUND: Final = 200


class IntakePeople:
    """`ports.PeopleAtIntake` over the bus."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._broker = broker
        self._within = within

    async def inventory(self, subject_id: UUID) -> Mapping[str, Any]:
        known = correlation_id()
        try:
            reply = await self._broker.request(
                json.dumps({"subject_id": str(subject_id)}).encode(),
                subjects.ask("intake", "person"),
                headers={CORRELATION_HEADER: known} if known else None,
                timeout=self._within,
            )
            answer: dict[str, Any] = json.loads(reply.body)
            if answer.pop("status") == _FOUND:
                return answer
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
            pass
        raise UnavailableError(
            "handling.words_away",
            "What was handed in cannot be shown at the moment; all else can be done.",
            retry_after=5,
        )


def erasing_late(effect: Effect, privacy: Privacy) -> Effect:
    """Have `effect` take complaints over, and erase those of erased people at once."""

    def both(tx: Tx, arrived: Sequence[Arrived]) -> None:
        effect(tx, arrived)
        received = [cast("Envelope[Any]", each.event) for each in arrived]
        privacy.late(tx, received, correlation_id=new_correlation_id())

    return both
