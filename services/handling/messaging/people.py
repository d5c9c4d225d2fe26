"""Ask intake what lies there of a person; and erase complaints that come too late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from services.handling.messaging.asking import WITHIN, Intake
from services.handling.messaging.documents import words_away
from services.kernel.logs import new_correlation_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from faststream.nats import NatsBroker

    from events.envelope import Envelope
    from services.handling.application.privacy import Privacy
    from services.kernel.inbox import Arrived, Effect
    from services.kernel.store.database import Tx


class IntakePeople:
    """`ports.PeopleAtIntake` over the bus."""

    def __init__(self, broker: NatsBroker, *, within: float = WITHIN) -> None:
        self._intake = Intake(broker, within)

    async def inventory(self, subject_id: UUID) -> Mapping[str, Any]:
        question = {"subject_id": str(subject_id)}
        return await self._intake.asked("person", question, _told, away=words_away())


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "status"}


def erasing_late(effect: Effect, privacy: Privacy) -> Effect:
    """Have `effect` take complaints over, and erase those of erased people at once."""

    def both(tx: Tx, arrived: Sequence[Arrived]) -> None:
        effect(tx, arrived)
        received = [cast("Envelope[Any]", each.event) for each in arrived]
        privacy.late(tx, received, correlation_id=new_correlation_id())

    return both
