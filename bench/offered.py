"""What the arms are given, and what the oracle says of each message meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.oracle import Oracle

if TYPE_CHECKING:
    from bench.workload import Message, Workload

_ANSWERS: Final = {"received": 201, "repeated": 200, "invalid": 422, "reused": 409}


@dataclass(frozen=True, slots=True)
class Lot:
    """Messages in the order in which they are sent.

    `worth` tells of each key that becomes a case how many documents, marks and keys it
    brings; `answers` what each message is answered over HTTP.
    """

    messages: list[Message]
    worth: dict[str, str]
    answers: list[int]


@dataclass(slots=True)
class Offered:
    """Draws messages, and has the oracle take them in the same order."""

    workload: Workload
    oracle: Oracle = field(default_factory=Oracle)
    received: list[Message] = field(default_factory=list)

    def draw(self, count: int, *, by_bus: bool = True) -> Lot:
        """Draw so many complaints, and what comes beside them."""
        lot = Lot(self.workload.messages(count), {}, [])
        for each in lot.messages:
            before = self.oracle.people
            taken = self.oracle.take(
                each.key, each.channel, each.document, quarantined=by_bus
            )
            lot.answers.append(_ANSWERS[taken])
            if taken == "received":
                lot.worth[each.key] = _worth(each, self.oracle.people - before)
                self.received.append(each)
        return lot


def _worth(message: Message, new_people: int) -> str:
    documents = 2 + ("desired_outcome" in message.document)
    marks = 3 + ("order_no" in message.document)
    return f"{documents} {marks} {new_people}"
