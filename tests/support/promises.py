"""What the guards of domain.md 6.3 to 6.5 promise, read from a history alone.

Written down once more by hand, so that a guard that falls silent is noticed: nothing
here asks the decisions, their gates, or the state that they read. `PROMISES` are checked
for each new event, given those before it; numbers are the default policy's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from events.catalogue import (
    AppealAccepted,
    AppealDismissed,
    AssignmentAccepted,
    AssignmentReturned,
    ComplaintAccepted,
    ComplaintAppealed,
    ComplaintClosed,
    ComplaintDeclined,
    ComplaintInvestigated,
    ComplaintReopened,
    ComplaintResolved,
    DecisionIssued,
    DepartmentAssigned,
    EvidenceAdded,
    FollowUpAttempted,
    ReceiptAcknowledged,
    RecordCorrected,
    Remedy,
    SatisfactionRecorded,
    SettlementAgreed,
    SettlementApproved,
    SettlementProposed,
    SettlementRefused,
    SettlementReturned,
)
from events.envelope import Actor, Envelope, Event

Stored = Envelope[Any]
Earlier = Sequence[Stored]

UNITS: Final = ("quality", "department_handler", "department_head")
SIGNING: Final = (*UNITS, "gm_office")
STAFF: Final = ("agent", *SIGNING, "appeal_reviewer")
GIVEN_BY: Final[dict[str, tuple[str, ...]]] = {  # domain.md 6.5
    "ReceiptAcknowledged": ("agent", "channel"),
    "ComplaintAccepted": ("agent",),
    "ComplaintDeclined": ("agent",),
    "DepartmentAssigned": STAFF,
    "AssignmentAccepted": SIGNING,
    "AssignmentReturned": SIGNING,
    "EvidenceAdded": ("complainant", *STAFF),
    "StatementConfirmed": ("complainant", "agent"),
    "ComplaintInvestigated": (*SIGNING, "appeal_reviewer"),
    "SettlementProposed": STAFF,
    "SettlementApproved": (
        *("department_head", "manager", "general_manager"),
        "appeal_reviewer",
    ),
    "SettlementReturned": (
        *("agent", "department_head", "manager", "gm_office", "general_manager"),
        "appeal_reviewer",
    ),
    "DecisionIssued": ("agent",),
    "SettlementAgreed": ("complainant",),
    "SettlementRefused": ("complainant",),
    "ComplaintResolved": ("agent",),
    "FollowUpAttempted": ("agent",),
    "SatisfactionRecorded": ("complainant", "agent"),
    "ComplaintClosed": ("agent", "clock"),
    "ComplaintAppealed": ("complainant",),
    "AppealAccepted": ("appeal_reviewer",),
    "AppealDismissed": ("appeal_reviewer",),
    "ComplaintReopened": ("agent", "gm_office"),
    "ComplaintWithdrawn": ("complainant",),
    "RecordCorrected": ("agent", *SIGNING),
}
IN_MONEY: Final = {"price_reduction", "compensation", "refund", "coupon", "reward"}
LIMITS: Final[dict[str, int | None]] = {  # CNY, S88
    "agent": 200,
    "department_head": 2_000,
    "manager": 20_000,
    "appeal_reviewer": 20_000,
    "general_manager": None,
}
DECISIONS: Final = (
    *(ComplaintDeclined, DecisionIssued, ComplaintResolved, AppealDismissed),
)
APPEAL_WITHIN: Final = timedelta(days=180)
ANSWER_WITHIN: Final = timedelta(days=56)
GRAVE: Final = ("serious", "critical")


@dataclass
class Hands:
    """In whose hands a case is, counted from its assignments and reviews."""

    lead: str | None = None
    asked: set[str] = field(default_factory=set)
    signed: set[str] = field(default_factory=set)
    returns: int = 0
    reviewer: str | None = None

    @property
    def departments(self) -> set[str]:
        return self.asked | self.signed | ({self.lead} if self.lead else set())


def hands(history: Earlier) -> Hands:
    now = Hands()
    for event in history:
        data = event.data
        if isinstance(data, DepartmentAssigned) and data.role == "lead":
            now.lead = data.department
            now.asked.discard(data.department)
            now.signed.discard(data.department)
        elif isinstance(data, DepartmentAssigned):
            now.asked.add(data.department)
        elif isinstance(data, AssignmentAccepted) and data.role == "contributor":
            now.asked.discard(data.department)
            now.signed.add(data.department)
        elif isinstance(data, AssignmentReturned):
            now.returns += 1
            now.asked.discard(data.department)
            now.signed.discard(data.department)
            now.lead = None if data.role == "lead" else now.lead
        elif isinstance(data, AppealAccepted):
            now.reviewer = event.actor.id
        elif isinstance(data, ComplaintAppealed | ComplaintReopened):
            now.reviewer = None
    return now


def last(history: Earlier, *types: type[Event]) -> Stored | None:
    return next((e for e in reversed(history) if isinstance(e.data, types)), None)


def since(history: Earlier, *types: type[Event]) -> Earlier:
    """Give what came after the last event of these types; all without one."""
    places = [n for n, e in enumerate(history) if isinstance(e.data, types)]
    return history[places[-1] + 1 :] if places else history


def within_limits(actor: Actor, remedies: Sequence[Remedy]) -> bool:
    """S83, S88: money has a sum, and the role's limit covers all of it."""
    assert all(each.amount for each in remedies if each.kind in IN_MONEY)
    sums = [each.amount for each in remedies if each.amount]
    limit = LIMITS[actor.role]
    return limit is None or (
        all(each.currency == "CNY" for each in sums)
        and sum(each.amount for each in sums) <= limit
    )


def the_role_may(_earlier: Earlier, new: Stored) -> None:  # 6.5
    assert new.actor.role in GIVEN_BY[new.type]


def units_keep_to_their_cases(earlier: Earlier, new: Stored) -> None:  # S55, S56
    now, data, own = hands(earlier), new.data, new.actor.department
    if isinstance(data, AssignmentAccepted | AssignmentReturned):
        assert data.department == own
        assert own in now.departments
        assert (data.role == "lead") == (own == now.lead)
    elif isinstance(data, ComplaintInvestigated) and now.reviewer is None:
        assert own == now.lead
    elif isinstance(data, DepartmentAssigned) and new.actor.role in UNITS:
        returned = earlier and earlier[-1].recorded_at == new.recorded_at
        assert returned or own in (now.lead or "front-office", "front-office")
    elif new.actor.role in UNITS:
        assert own in {*now.departments, "front-office"}


def reviewers_are_uninvolved(earlier: Earlier, new: Stored) -> None:  # S115
    if isinstance(new.data, AppealAccepted | AppealDismissed):
        assert new.actor.id not in {event.actor.id for event in earlier}


def an_appeal_is_its_reviewer_s(earlier: Earlier, new: Stored) -> None:  # S115
    now, data = hands(earlier), new.data
    if isinstance(data, AppealAccepted | AppealDismissed):
        return
    if new.actor.role == "appeal_reviewer":
        assert new.actor.id == now.reviewer
    if isinstance(data, ComplaintInvestigated) and now.reviewer is not None:
        assert new.actor.id == now.reviewer


def acceptance_is_as_the_rules_say(_earlier: Earlier, new: Stored) -> None:
    data = new.data
    if isinstance(data, ComplaintAccepted):  # S31, S32, S36, S128
        assert data.category in {
            "product/defect",
            "product/safety",
            "contract/price",
        } | {"billing"}
        claim = data.complaint_class == "claim"
        assert not claim or data.contract is not None
        assert not claim or data.severity in ("major", *GRAVE)
        assert data.category != "product/safety" or data.severity == "critical"
    if isinstance(data, ReceiptAcknowledged):  # S6
        assert data.expected_at > new.recorded_at


def assignments_follow_the_register(earlier: Earlier, new: Stored) -> None:
    now, data = hands(earlier), new.data
    if isinstance(data, DepartmentAssigned):
        assert data.department != "nowhere"
        assert data.role == "lead" or data.department not in now.departments
        if data.role == "lead" and now.returns == 0 and waits_for_approval(earlier):
            assert new.actor.role == "department_head"  # S48
    if isinstance(data, AssignmentReturned) and data.department == "gm-office":
        assert data.role == "contributor" or now.returns < 2  # S57


def waits_for_approval(history: Earlier) -> bool:
    """Tell whether a case was accepted, given to nobody yet, and is about a contract."""
    newest = last(
        history,
        *(ComplaintAccepted, ComplaintDeclined, ComplaintResolved, DepartmentAssigned),
    )
    if newest is None or not isinstance(newest.data, ComplaintAccepted):
        return False
    stated = [newest.data.category]
    stated += [
        str(each.data.correction.value)
        for each in history
        if isinstance(each.data, RecordCorrected) and each.data.correction
    ]
    return stated[-1].startswith("contract") and newest.data.scope_kind != 6


def causes_are_found_together(earlier: Earlier, new: Stored) -> None:  # S54, S59, S77
    data = new.data
    if isinstance(data, ComplaintInvestigated):
        assert data.responsible_unit != "nowhere"
        assert data.root_cause.path != "seal"
        assert data.root_cause.path != "unknown" or hands(earlier).signed


def proposals_answer_the_customer(earlier: Earlier, new: Stored) -> None:
    data = new.data
    if not isinstance(data, SettlementProposed):
        return
    said = [e.data.document.kind for e in earlier if isinstance(e.data, EvidenceAdded)]
    asked = earlier[0].data.demand or earlier[0].data.desired_outcome
    assert asked or "desired_outcome" in said  # S43
    assert all(each.amount for each in data.remedies if each.kind in IN_MONEY)  # S83
    found = last(earlier, ComplaintInvestigated)
    assert found is not None
    assert data.improvement is not None or found.data.facts_match == "no"  # S99


def approval_is_another_s_and_within_limits(earlier: Earlier, new: Stored) -> None:
    if not isinstance(new.data, SettlementApproved):
        return
    proposal = last(earlier, SettlementProposed)
    found = last(earlier, ComplaintInvestigated)
    assert proposal is not None
    assert found is not None
    assert proposal.actor.id != new.actor.id  # S86
    assert proposal.data.revision == new.data.revision
    assert within_limits(new.actor, proposal.data.remedies)  # S88
    assert last(since(earlier, SettlementProposed), SettlementRefused) is None
    if found.data.responsible_unit == "external":  # S58
        assert new.actor.role == "general_manager"


def decisions_are_approved_and_in_writing(earlier: Earlier, new: Stored) -> None:
    data = new.data
    if isinstance(data, DecisionIssued):
        assert offered(earlier)  # S87
        assert data.medium in ("letter", "email", "fax", "web")  # S98


def offered(history: Earlier) -> bool:
    newest = last(
        history,
        *(SettlementApproved, SettlementProposed, SettlementReturned),
        *(SettlementRefused, ComplaintResolved),
    )
    return newest is not None and isinstance(newest.data, SettlementApproved)


def customers_answer_what_is_offered(earlier: Earlier, new: Stored) -> None:
    data = new.data
    if isinstance(data, SettlementAgreed | SettlementRefused):  # S87, S100
        assert offered(earlier)
        assert last(since(earlier, SettlementProposed), DecisionIssued) is not None
    if isinstance(data, SettlementRefused):  # S114
        assert sum(isinstance(e.data, SettlementRefused) for e in earlier) < 2


def resolutions_keep_the_word(earlier: Earlier, new: Stored) -> None:
    data = new.data
    if not isinstance(data, ComplaintResolved):
        return
    if data.first_contact:  # S96
        accepted = last(earlier, ComplaintAccepted)
        assert accepted is not None
        assert accepted.data.complaint_class != "claim"
        assert accepted.data.severity not in GRAVE
        assert hands(earlier).returns == 0
        assert within_limits(new.actor, data.remedies)
        assert isinstance(earlier[-1].data, EvidenceAdded)
        assert earlier[-1].data.document.kind == "agreement"
        return
    proposal = last(earlier, SettlementProposed)
    decision = last(earlier, DecisionIssued)
    agreement = last(earlier, SettlementAgreed)
    assert proposal is not None
    assert decision is not None
    assert agreement is not None
    assert agreement.version > decision.version > proposal.version  # S100
    assert data.remedies == proposal.data.remedies
    assert data.outcome == decision.data.outcome


def closing_has_its_reason(earlier: Earlier, new: Stored) -> None:  # S105
    if not isinstance(new.data, ComplaintClosed):
        return
    told = last(earlier, *DECISIONS)
    assert told is not None
    answers = [each.data for each in since(earlier, *DECISIONS)]
    scores = [
        each.score
        for each in answers
        if isinstance(each, SatisfactionRecorded) and each.about == "outcome"
    ]
    unreached = [
        each
        for each in answers
        if isinstance(each, FollowUpAttempted) and each.result != "reached"
    ]
    satisfied = bool(scores) and scores[-1] >= 4
    resolved = isinstance(told.data, ComplaintResolved)
    assert (
        (satisfied and (resolved or not promised(earlier)))
        or (resolved and len(unreached) >= 3)
        or new.recorded_at - told.recorded_at > ANSWER_WITHIN
    )


def promised(history: Earlier) -> bool:
    """Tell whether something that was approved still waits for the customer's answer."""
    proposal = last(history, SettlementProposed)
    return offered(history) and proposal is not None and bool(proposal.data.remedies)


def appeals_contest_a_fresh_decision(earlier: Earlier, new: Stored) -> None:
    data = new.data
    if isinstance(data, ComplaintAppealed):  # S115
        assert data.level <= 2
        standing = {
            event.event_id: event
            for event in since(earlier, ComplaintAppealed)
            if isinstance(event.data, DECISIONS)
        }
        assert data.contested_event_id is not None
        contested = standing[data.contested_event_id]
        assert new.recorded_at - contested.recorded_at <= APPEAL_WITHIN
    if isinstance(data, AppealDismissed) and data.level >= 2:  # S116
        assert data.outside_body is not None


def corrections_are_of_what_there_is(earlier: Earlier, new: Stored) -> None:
    data = new.data
    if isinstance(data, RecordCorrected) and data.correction:
        targets = {event.event_id: event.data for event in earlier}
        target = type(targets[data.target_event_id])
        assert data.correction.field in target.model_fields
        assert data.correction.value != "a//b"


PROMISES: Final = (
    the_role_may,
    units_keep_to_their_cases,
    reviewers_are_uninvolved,
    an_appeal_is_its_reviewer_s,
    acceptance_is_as_the_rules_say,
    assignments_follow_the_register,
    causes_are_found_together,
    proposals_answer_the_customer,
    approval_is_another_s_and_within_limits,
    decisions_are_approved_and_in_writing,
    customers_answer_what_is_offered,
    resolutions_keep_the_word,
    closing_has_its_reason,
    appeals_contest_a_fresh_decision,
    corrections_are_of_what_there_is,
)
