"""From investigation to the customer's answer: evidence, cause, proposal, decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.catalogue import (
    ComplaintInvestigated,
    DecisionIssued,
    EvidenceAdded,
    Finding,
    SettlementAgreed,
    SettlementApproved,
    SettlementProposed,
    SettlementRefused,
    SettlementReturned,
    StatementConfirmed,
)
from events.vocabulary import AppealRoute, FactsMatch, State
from services.handling.domain.case import COMPLAINANT
from services.handling.domain.commands import (
    AddEvidence,
    AgreeSettlement,
    ApproveSettlement,
    ConfirmStatement,
    IssueDecision,
    ProposeSettlement,
    RecordInvestigation,
    RefuseSettlement,
    ReturnSettlement,
)
from services.handling.domain.decisions.rules import (
    Rule,
    concerned,
    every,
    only_in,
    require_amounts,
    require_authority,
    require_listed,
    require_state,
    require_writable,
    while_open,
)
from services.handling.domain.refusals import refusal

if TYPE_CHECKING:
    from services.handling.domain.decisions.rules import Decided, Scene


def add_evidence(_on: Scene, command: AddEvidence) -> Decided:
    return (EvidenceAdded(document=command.document, source=command.source),)


def confirm_statement(on: Scene, command: ConfirmStatement) -> Decided:
    """Keep what was confirmed: what was received, or how it was repeated back (S44)."""
    restated = command.restated
    if restated is None and on.case.statement_confirmed and not _customers_own(on):
        return ()
    received, *_ = on.case.statement
    return (
        StatementConfirmed(
            confirmed=(received, restated.document_id)
            if restated is not None
            else on.case.statement,
            restated=restated,
            medium=command.medium,
        ),
    )


def investigate(on: Scene, command: RecordInvestigation) -> Decided:
    """Record the cause; an unknown one only after a joint investigation (S53, S54, S77)."""
    cause = command.root_cause.path
    require_listed("case.unknown_cause", cause, on.policy.causes)
    root, *_ = cause.split("/")
    if root == on.policy.unknown_cause and not on.case.contributing:
        raise refusal("case.joint_investigation_needed")
    require_listed(
        "case.unknown_department",
        command.responsible_unit,
        on.policy.departments,
        field="responsible_unit",
    )
    return (
        ComplaintInvestigated(
            findings=tuple(
                Finding(statement=found.statement, evidence=found.evidence)
                for found in command.findings
            ),
            facts_match=command.facts_match,
            root_cause=command.root_cause,
            responsible_unit=command.responsible_unit,
            systemic=command.systemic,
            level=on.case.level,
        ),
    )


def propose(on: Scene, command: ProposeSettlement) -> Decided:
    """Propose what answers the customer's wish, with amounts and improvement (S83, S99)."""
    require_amounts(on, command.remedies)
    if command.improvement is None and on.case.facts_match is not FactsMatch.NO:
        raise refusal("case.improvement_missing")
    return (
        SettlementProposed(
            revision=on.case.revision + 1,
            remedies=command.remedies,
            proposal=command.proposal,
            improvement=command.improvement,
        ),
    )


def approve(on: Scene, _command: ApproveSettlement) -> Decided:
    row = require_authority(on, on.case.proposed)
    return (SettlementApproved(revision=on.case.revision, authority=row.code),)


def send_back(on: Scene, command: ReturnSettlement) -> Decided:
    return (
        SettlementReturned(
            revision=on.case.revision, reason=command.reason, note=command.note
        ),
    )


def issue(on: Scene, command: IssueDecision) -> Decided:
    """Answer in writing; the way to appeal follows from the level (S98, S99, S116)."""
    if command.medium not in on.policy.written_media:
        raise refusal("case.not_written", allowed=on.policy.written_media)
    last = on.case.level >= on.policy.last_appeal_level
    return (
        DecisionIssued(
            letter=command.letter,
            outcome=command.outcome,
            medium=command.medium,
            appeal_route=(
                AppealRoute.OUTSIDE_BODY if last else AppealRoute.INTERNAL_REVIEW
            ),
            level=on.case.level,
        ),
    )


def agree(_on: Scene, command: AgreeSettlement) -> Decided:
    return (SettlementAgreed(agreement=command.agreement),)


def refuse(on: Scene, command: RefuseSettlement) -> Decided:
    return (
        SettlementRefused(
            reason=command.reason, note=command.note, count=on.case.refusals + 1
        ),
    )


def _leads_the_investigation(on: Scene) -> None:
    """Let the lead investigate, in an appeal the reviewer alone (S53, S115)."""
    require_state(on, "case.not_under_investigation", State.INVESTIGATING)
    if on.case.reviewer is not None:
        if on.actor.id != on.case.reviewer:
            raise refusal("case.not_the_reviewer")
        return
    concerned(on)
    if on.actor.department != on.case.department:
        raise refusal("case.not_your_department")


def _expectation_known(on: Scene) -> None:
    """Ask for what the customer wants before anything is proposed (S43)."""
    if not on.case.expectation_known:
        raise refusal("case.expectation_unknown")


def _statement_confirmed(on: Scene) -> None:
    """Have the statement confirmed before a proposal, where the policy asks for it (S44)."""
    if on.policy.require_confirmed_statement and not on.case.statement_confirmed:
        raise refusal("case.statement_unconfirmed")


def _to_be_confirmed(on: Scene) -> None:
    """Take a confirmation while it can still matter, and there are words to confirm."""
    _BEFORE_A_PROPOSAL(on)
    require_writable(on.case)


def _confirmed_before(on: Scene) -> bool:
    """Whether the customer confirmed with their own hand what is there now."""
    return _customers_own(on) and on.case.confirmed_online


def _customers_own(on: Scene) -> bool:
    return on.actor.role == COMPLAINANT


def _may_approve(on: Scene) -> None:
    """Let another than the proposer approve, within authority (S58, S86-S88)."""
    case, actor, policy = on.case, on.actor, on.policy
    require_state(on, "case.not_proposed", State.PROPOSED)
    concerned(on)
    if case.refused:
        raise refusal("case.revision_refused")
    if actor.id == case.proposer:
        raise refusal("case.own_proposal")
    outside = case.responsible_unit in policy.third_parties
    if outside and actor.role not in policy.third_party_approvers:
        raise refusal("case.third_party", allowed=policy.third_party_approvers)
    require_authority(on, case.proposed)


def _names_the_outside_body(on: Scene) -> None:
    """Refuse a decision of the last level while the policy names nobody (S116)."""
    if on.case.level >= on.policy.last_appeal_level and on.policy.outside_body is None:
        raise refusal("case.outside_body_missing")


def _on_offer(on: Scene) -> None:
    """Take an answer to a decision with a settlement (S87, S100)."""
    require_state(on, "case.not_replied", State.REPLIED)
    if on.case.approved is None:
        raise refusal("case.nothing_to_agree")


def _may_still_refuse(on: Scene) -> None:
    """Negotiate so often and no more; then only appeal remains (S114)."""
    _on_offer(on)
    if on.case.refusals >= on.policy.max_refusals:
        raise refusal("case.no_more_refusals")


def _agreed_before(on: Scene) -> bool:
    return on.case.state is State.IMPLEMENTING


_BEFORE_A_PROPOSAL = only_in(
    "case.past_confirming",
    State.RECEIVED,
    State.ACCEPTED,
    State.ASSIGNED,
    State.INVESTIGATING,
    State.INVESTIGATED,
)
_PROPOSED = only_in("case.not_proposed", State.PROPOSED)
_INVESTIGATED = only_in("case.not_investigated", State.INVESTIGATED)
_APPROVED = only_in("case.not_approved", State.APPROVED)

RULES = (
    Rule(AddEvidence, every(while_open, concerned), add_evidence),
    Rule(ConfirmStatement, _to_be_confirmed, confirm_statement, _confirmed_before),
    Rule(RecordInvestigation, _leads_the_investigation, investigate),
    Rule(
        ProposeSettlement,
        every(_INVESTIGATED, concerned, _expectation_known, _statement_confirmed),
        propose,
    ),
    Rule(ApproveSettlement, _may_approve, approve),
    Rule(ReturnSettlement, every(_PROPOSED, concerned), send_back),
    Rule(IssueDecision, every(_APPROVED, _names_the_outside_body), issue),
    Rule(AgreeSettlement, _on_offer, agree, _agreed_before),
    Rule(RefuseSettlement, _may_still_refuse, refuse),
)
