"""What must come of a workload, worked out with dicts: it knows nothing of the product.

A complaint is taken by its channel and key once; a case goes through the states of one
table. Everything that the bench compares is derived from these two.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Taken = Literal["received", "repeated", "reused", "invalid"]

FIELDS: Final = frozenset(
    {
        "statement",
        "category",
        "occurred_at",
        "product",
        "contact",
        "order_no",
        "desired_outcome",
        "purchase_date",
    }
)
TODAY: Final = "2900-01-01"
"""A day that is later than any that the workload means to be past."""

ROUTES: Final = {
    "product": "quality",
    "quality": "quality",
    "delivery": "logistics",
    "service": "after-sales",
}

MOVES: Final[dict[tuple[str, str], tuple[str, tuple[str, ...]]]] = {
    ("RECEIVED", "accept"): ("ACCEPTED", ("ComplaintAccepted",)),
    ("ACCEPTED", "assign"): ("ASSIGNED", ("DepartmentAssigned",)),
    ("ACCEPTED", "resolve"): ("RESOLVED", ("EvidenceAdded", "ComplaintResolved")),
    ("ASSIGNED", "sign-for"): ("INVESTIGATING", ("AssignmentAccepted",)),
    ("INVESTIGATING", "add-evidence"): ("INVESTIGATING", ("EvidenceAdded",)),
    ("INVESTIGATING", "investigate"): ("INVESTIGATED", ("ComplaintInvestigated",)),
    ("INVESTIGATED", "propose"): ("PROPOSED", ("SettlementProposed",)),
    ("PROPOSED", "approve"): ("APPROVED", ("SettlementApproved",)),
    ("APPROVED", "issue"): ("REPLIED", ("DecisionIssued",)),
    ("RESOLVED", "follow-up"): ("RESOLVED", ("FollowUpAttempted",)),
    ("RESOLVED", "rate"): ("RESOLVED", ("SatisfactionRecorded",)),
    ("RESOLVED", "close"): ("CLOSED", ("ComplaintClosed",)),
}
"""From a state by a command to a state, with its events; all else is refused."""


@dataclass(slots=True)
class Case:
    """What is known of one complaint."""

    channel: str
    category: str
    document: Mapping[str, Any]
    state: str = "RECEIVED"
    department: str | None = None
    cause: str | None = None
    events: list[str] = field(default_factory=lambda: ["ComplaintReceived"])


@dataclass(slots=True)
class Oracle:
    """Everything that was handed in and done, and what it comes to."""

    cases: dict[str, Case] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    _people: set[str] = field(default_factory=set)

    def take(
        self,
        key: str,
        channel: str,
        document: Mapping[str, Any],
        *,
        quarantined: bool = True,
    ) -> Taken:
        """Take a message, or reject it; from the bus it is quarantined then."""
        if not _valid(document):
            self.rejected["intake.invalid"] += quarantined
            return "invalid"
        known = self.cases.get(f"{channel}/{key}")
        if known is None:
            category = document["category"]
            self.cases[f"{channel}/{key}"] = Case(channel, category, document)
            self._people.add(document["contact"]["phone"])
            return "received"
        if known.document == document:
            return "repeated"
        self.rejected["intake.key_reused"] += quarantined
        return "reused"

    def do(
        self, key: str, channel: str, command: str, payload: Mapping[str, Any]
    ) -> tuple[str, ...] | None:
        """Carry a command out and give its events, or None where it is refused."""
        case = self.cases[f"{channel}/{key}"]
        move = MOVES.get((case.state, command))
        if move is None:
            self.refused += 1
            return None
        case.state, events = move
        if command == "accept":
            case.category = payload["category"]
            route = ROUTES.get(case.category.partition("/")[0])
            if route and not payload["first_contact"]:
                case.state, case.department = "ASSIGNED", route
                events = (*events, "DepartmentAssigned")
        if command == "assign":
            case.department = payload["department"]
        if command == "investigate":
            case.cause = payload["root_cause"]["path"]
        case.events += events
        return events

    def events(self) -> Counter[str]:
        """Count what was recorded, by its type."""
        return Counter(type_ for case in self.cases.values() for type_ in case.events)

    def count(self, fact: str) -> Counter[str | None]:
        """Count complaints by one of their facts."""
        return Counter(getattr(case, fact) for case in self.cases.values())

    def documents(self) -> int:
        """Count what people wrote and was sealed when it came in."""
        return sum(
            2 + ("desired_outcome" in case.document) for case in self.cases.values()
        )

    @property
    def people(self) -> int:
        """Count those who complain: known again by what they may be reached at."""
        return len(self._people)


def _valid(document: Mapping[str, Any]) -> bool:
    return (
        bool(document.get("statement"))
        and set(document) <= FIELDS
        and document.get("purchase_date", "") < TODAY
    )
