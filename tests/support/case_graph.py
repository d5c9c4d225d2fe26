"""The graph of domain.md 6.3 once more by hand, and the people who walk it."""

from collections.abc import Collection
from typing import Final

from events.envelope import Actor, Event
from events.vocabulary import State
from services.handling.domain.decisions.rules import OPEN
from tests.support.given import (
    AGENT,
    AUDITOR,
    CLOCK,
    CUSTOMER,
    GENERAL_MANAGER,
    GM_OFFICE,
    HEAD,
    LOGISTICS,
    MANAGER,
    QUALITY,
    REVIEWER,
    REVIEWER_2,
)

GRAPH: Final = """
RECEIVED ComplaintAccepted ACCEPTED
RECEIVED ComplaintDeclined DECLINED
ACCEPTED DepartmentAssigned ASSIGNED
ACCEPTED ComplaintResolved RESOLVED
ASSIGNED AssignmentReturned ACCEPTED
ASSIGNED AssignmentAccepted INVESTIGATING
INVESTIGATING DepartmentAssigned ASSIGNED
INVESTIGATING ComplaintInvestigated INVESTIGATED
INVESTIGATED SettlementProposed PROPOSED
PROPOSED SettlementReturned INVESTIGATED
PROPOSED SettlementApproved APPROVED
APPROVED DecisionIssued REPLIED
REPLIED SettlementAgreed IMPLEMENTING
REPLIED SettlementRefused PROPOSED
REPLIED ComplaintClosed CLOSED
IMPLEMENTING ComplaintResolved RESOLVED
RESOLVED ComplaintClosed CLOSED
RESOLVED ComplaintReopened INVESTIGATING
CLOSED ComplaintReopened INVESTIGATING
DECLINED ComplaintAppealed APPEALED
REPLIED ComplaintAppealed APPEALED
RESOLVED ComplaintAppealed APPEALED
CLOSED ComplaintAppealed APPEALED
APPEALED AppealAccepted INVESTIGATING
APPEALED AppealDismissed REPLIED
"""
"""domain.md 6.3 restricted to the catalogue, written down once more by hand."""

TRANSITIONS: Final = {tuple(line.split()) for line in GRAPH.strip().splitlines()} | {
    (state, "ComplaintWithdrawn", "WITHDRAWN") for state in OPEN
}
STAYING: Final[dict[str, Collection[State]]] = {
    "ReceiptAcknowledged": OPEN,
    "EvidenceAdded": OPEN,
    "StatementConfirmed": {
        State.RECEIVED,
        State.ACCEPTED,
        State.ASSIGNED,
        State.INVESTIGATING,
        State.INVESTIGATED,
    },
    "FollowUpAttempted": {State.REPLIED, State.RESOLVED},
    "SatisfactionRecorded": {State.REPLIED, State.RESOLVED, State.CLOSED},
    "RecordCorrected": set(State),
}
CONTRIBUTORS: Final[dict[str, Collection[State]]] = {
    "DepartmentAssigned": {State.ASSIGNED, State.INVESTIGATING},
    "AssignmentAccepted": OPEN,
    "AssignmentReturned": OPEN,
}
"""Events that lead nowhere, and the states in which they may happen."""

PRODUCTION = Actor(id="production", role="department_handler", department="production")
ACTORS: Final = (
    CUSTOMER,
    AGENT,
    QUALITY,
    LOGISTICS,
    PRODUCTION,
    GM_OFFICE,
    HEAD,
    HEAD.model_copy(update={"id": "front-head", "department": "front-office"}),
    MANAGER,
    GENERAL_MANAGER,
    REVIEWER,
    REVIEWER_2,
    CLOCK,
    AUDITOR,
)

ASIDE: Final = {
    "acknowledge",
    "add-evidence",
    "confirm-statement",
    "correct",
    "withdraw",
    "decline",
}
"""Commands that are nearly always on offer and lead nowhere, or to the end."""


def check_transition(before: State, event: Event, after: State) -> None:
    name = type(event).__name__
    if getattr(event, "role", None) == "contributor":
        assert after is before
        assert before in CONTRIBUTORS[name]
    elif name in STAYING:
        assert after is before
        assert before in STAYING[name]
    else:
        assert (before, name, after) in TRANSITIONS
