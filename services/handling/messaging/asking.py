"""One question to intake over the bus; neither question nor answer is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import nats.errors
from faststream.exceptions import FastStreamException

from events import subjects
from services.kernel.errors import (
    NotFoundError,
    RefusedError,
    TooManyError,
    UnauthenticatedError,
)
from services.kernel.logs import correlation_id
from services.kernel.questions import CORRELATION_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from faststream.nats import NatsBroker

    from services.kernel.errors import AmendsError, UnavailableError

T = TypeVar("T")

WITHIN: Final = 2.0
"""Seconds that intake has to answer."""

_ANSWERED: Final = 200
_FAMILIES: Final[Mapping[int, type[AmendsError]]] = {
    401: UnauthenticatedError,
    404: NotFoundError,
    409: RefusedError,
    429: TooManyError,
}


@dataclass(frozen=True, slots=True)
class Intake:
    """Intake as handling asks it; it has `within` seconds to answer."""

    broker: NatsBroker
    within: float = WITHIN

    async def asked(
        self,
        what: str,
        question: Mapping[str, Any],
        read: Callable[[dict[str, Any]], T],
        *,
        away: UnavailableError,
    ) -> T:
        """Ask `amends.ask.intake.<what>` and read the answer.

        Raises intake's own refusal, and `away` where nobody answers in time, or not
        in a way that `read` understands.
        """
        known = correlation_id()
        try:
            reply = await self.broker.request(
                json.dumps(question).encode(),
                subjects.ask("intake", what),
                headers={CORRELATION_HEADER: known} if known else None,
                timeout=self.within,
            )
            answer: dict[str, Any] = json.loads(reply.body)
            status = int(answer["status"])
            if status == _ANSWERED:
                return read(answer)
            family = _FAMILIES[status]
            refused = str(answer["code"]), str(answer["detail"])
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
            raise away from None
        raise family(*refused)
