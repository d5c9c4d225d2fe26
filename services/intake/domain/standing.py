"""Where a case stands and what of its history a customer may see (S5, S110)."""

from dataclasses import dataclass
from typing import Any, Final

from events import catalogue
from events.envelope import Envelope
from events.vocabulary import AssignmentRole, State


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a case, and the department that leads it."""

    state: State
    unit: str | None = None


SHOWN: Final = frozenset(
    event.__name__
    for event in (
        catalogue.ComplaintReceived,
        catalogue.ReceiptAcknowledged,
        catalogue.ComplaintAccepted,
        catalogue.ComplaintDeclined,
        catalogue.DepartmentAssigned,
        catalogue.StatementConfirmed,
        catalogue.ComplaintInvestigated,
        catalogue.DecisionIssued,
        catalogue.SettlementAgreed,
        catalogue.SettlementRefused,
        catalogue.ComplaintResolved,
        catalogue.FollowUpAttempted,
        catalogue.ComplaintClosed,
        catalogue.ComplaintAppealed,
        catalogue.AppealAccepted,
        catalogue.AppealDismissed,
        catalogue.ComplaintReopened,
        catalogue.ComplaintWithdrawn,
        catalogue.SubjectErased,
    )
)
"""What a customer sees happen. How departments return, propose and approve is ours."""


_ANSWERS: Final = (catalogue.DecisionIssued, catalogue.ComplaintResolved)
_ENDS: Final = frozenset({State.DECLINED, State.CLOSED, State.WITHDRAWN, State.MERGED})


def keeps_promises(event: Envelope[Any]) -> bool:
    """Tell whether the customer has got what was promised, or nobody owes it any more."""
    return isinstance(event.data, _ANSWERS) or event.data.leads_to in _ENDS


def advance(standing: Standing | None, event: Envelope[Any]) -> Standing:
    """Give where the case stands after `event`."""
    state = event.data.state_after(standing and standing.state) or State.RECEIVED
    unit = standing.unit if standing else None
    if (
        isinstance(event.data, catalogue.DepartmentAssigned)
        and event.data.role is AssignmentRole.LEAD
    ):
        unit = event.data.department
    return Standing(state, unit)
