"""What channels hand in, as data drawn from a seed: `Workload(seed)`.

Customers complain as Zipf has it, by six channels, in Chinese and English; one message
in a hundred comes twice, some are invalid, some use a key again for something else, and
they arrive in another order than they claim to have happened. Cases have lives of 4 to
12 events.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from bench.finding.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

REDELIVERED: Final = 0.01
INVALID: Final = 0.005
CONFLICTING: Final = 0.002
EARLIER_BY: Final = dt.timedelta(days=30)
"""How long before it arrives a complaint may have been made, as it claims."""

CHANNELS: Final = ("web", "email", "phone", "chat", "social", "counter")
CATEGORIES: Final = (
    "product/leak",
    "delivery/late",
    "quality/workmanship",
    "service/repair",
    "billing/amount",
    "other",
)
DEPARTMENTS: Final = {
    "product/leak": "quality",
    "quality/workmanship": "quality",
    "delivery/late": "logistics",
    "service/repair": "after-sales",
}
"""Where these are routed when they are accepted; what has no route is assigned."""
UNROUTED: Final = "finance"
CAUSES: Final = (
    "material/part",
    "process/assembly",
    "delivery/transport",
    "service/work",
    "information/manual",
    "use/wear",
)
_CUSTOMERS: Final = 5_000
_BEHIND: Final = 200  # a message that comes again comes so many later, at least


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a channel, under its key; the oracle finds out what is wrong."""

    key: str
    channel: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a case's life, by a role of a department, under its own key."""

    role: str
    department: str | None
    command: str
    payload: Mapping[str, Any]
    key: str


@dataclass(slots=True)
class Workload:
    """Messages and lives, the same again for the same seed."""

    seed: int
    start: dt.datetime
    _texts: Texts = field(init=False)
    _chance: random.Random = field(init=False)
    _number: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(f"workload {self.seed}")  # noqa: S311 it repeats
        self._texts = Texts(self._chance)

    def messages(self, count: int) -> list[Message]:
        """Give so many complaints, and beside them what comes twice or is wrong."""
        chance = self._chance
        made = [self._message() for _ in range(count)]
        later: list[tuple[int, Message]] = []
        for place, each in enumerate(made):
            behind = place + _BEHIND + chance.randrange(_BEHIND)
            if chance.random() < REDELIVERED:
                later.append((behind, each))
            if chance.random() < CONFLICTING:
                other = {**each.document, "statement": "Something else altogether."}
                later.append((behind, Message(each.key, each.channel, other)))
            if chance.random() < INVALID:
                later.append((place, self._invalid()))
        for place, each in sorted(later, key=lambda pair: pair[0], reverse=True):
            made.insert(min(place, len(made)), each)
        return made

    def life(self, message: Message) -> list[Step]:
        """Draw what is done about a complaint, and now and then too early."""
        chance = self._chance
        steps = list(_life(message, chance))
        if chance.random() < CONFLICTING * len(steps):
            letter = {"letter": "Too early.", "outcome": "upheld", "medium": "email"}
            steps.insert(1, ("agent", "front-office", "issue", letter))
        return [
            Step(*each, key=f"{message.key}/{place}")
            for place, each in enumerate(steps)
        ]

    def _message(self) -> Message:
        chance = self._chance
        self._number += 1
        channel = CHANNELS[_zipf(chance, len(CHANNELS))]
        customer = _zipf(chance, _CUSTOMERS)
        at = self.start - chance.random() * EARLIER_BY
        document: dict[str, Any] = {
            "statement": self._texts.complaint()["statement"],
            "category": CATEGORIES[_zipf(chance, len(CATEGORIES))],
            "occurred_at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "product": {"model": f"M-{chance.randrange(40)}"},
            "contact": {
                "name": f"Somebody {customer}",
                "phone": f"+86 138 {customer:08d}",
                "email": f"customer{customer}@example.org",
            },
        }
        if chance.random() < 0.5:  # noqa: PLR2004 every other one
            document["order_no"] = f"SO-{self.seed}-{self._number}"
        if chance.random() < 0.3:  # noqa: PLR2004 some say what they want
            document["desired_outcome"] = "全额退款,谢谢。"
        return Message(f"bench-{self.seed}-{self._number}", channel, document)

    def _invalid(self) -> Message:
        """Break a complaint in one of three ways."""
        whole = self._message()
        document = dict(whole.document)
        match self._chance.randrange(3):
            case 0:
                del document["statement"]
            case 1:
                document["colour"] = "green"
            case _:
                document["purchase_date"] = "2999-01-01"
        return Message(whole.key, whole.channel, document)


_Step = tuple[str, str | None, str, dict[str, Any]]


def _life(message: Message, chance: random.Random) -> Iterator[_Step]:
    agent = ("agent", "front-office")
    first_contact = chance.random() < 0.3  # noqa: PLR2004 so many are settled at once
    accept = {
        "complaint_class": "grievance",
        "category": message.document["category"],
        "scope_kind": 1,
        "order_check": "found",
        "shipment_check": "found",
        "first_contact": first_contact,
    }
    steps: list[_Step] = [(*agent, "accept", accept)]
    steps += _at_once(agent) if first_contact else _at_length(message, agent, chance)
    yield from steps[: chance.randint(3, len(steps))]


def _at_once(agent: tuple[str, str]) -> Iterator[_Step]:
    yield (
        *agent,
        "resolve",
        {
            "outcome": "upheld",
            "remedies": [{"kind": "apology"}],
            "agreement": "Agreed on the telephone.",
        },
    )
    yield from _afterwards(agent)


def _afterwards(agent: tuple[str, str]) -> Iterator[_Step]:
    yield (*agent, "follow-up", {"result": "reached", "medium": "phone"})
    yield (*agent, "rate", {"score": 5})
    yield (*agent, "close", {})


def _at_length(
    message: Message, agent: tuple[str, str], chance: random.Random
) -> Iterator[_Step]:
    routed = DEPARTMENTS.get(message.document["category"])
    department = routed or UNROUTED
    handler = ("department_handler", department)
    if routed is None:
        yield (*agent, "assign", {"department": department})
    yield (*handler, "sign-for", {})
    asked = "desired_outcome" not in message.document
    if asked:  # without it, nothing may be proposed
        wish = {"text": "A repair, please. 请维修。", "kind": "desired_outcome"}
        yield (*handler, "add-evidence", {"document": wish, "source": "customer"})
    for _ in range(chance.randrange(4 if asked else 5)):
        document = {"text": "A record of the works.", "kind": "record"}
        yield (
            *handler,
            "add-evidence",
            {"document": document, "source": "service_record"},
        )
    yield (
        *handler,
        "investigate",
        {
            "findings": [{"statement": "It was as they say. 情况属实。"}],
            "facts_match": "yes",
            "root_cause": {
                "path": CAUSES[_zipf(chance, len(CAUSES))],
                "confidence": "confirmed",
            },
            "responsible_unit": department,
        },
    )
    yield (
        *handler,
        "propose",
        {
            "remedies": [{"kind": "apology"}],
            "proposal": "An apology. 道歉。",
            "improvement": "Another check. 加强检验。",
        },
    )
    yield ("department_head", department, "approve", {})
    letter = {"letter": "We are sorry.", "outcome": "upheld", "medium": "email"}
    yield (*agent, "issue", letter)


def _zipf(chance: random.Random, count: int) -> int:
    """Draw a rank: the first is the most frequent."""
    return chance.choices(range(count), cum_weights=_weights(count))[0]


_CUMULATED: Final[dict[int, Sequence[float]]] = {}


def _weights(count: int) -> Sequence[float]:
    if count not in _CUMULATED:
        _CUMULATED[count] = list(accumulate(1 / (rank + 1) for rank in range(count)))
    return _CUMULATED[count]
