"""Proposal, approval, decision and answer: whose authority, in which order, how often."""

from datetime import timedelta

import pytest

from events.catalogue import (
    DecisionIssued,
    Remedy,
    SettlementAgreed,
    SettlementApproved,
    SettlementProposed,
    SettlementRefused,
    SettlementReturned,
)
from events.envelope import Actor
from events.vocabulary import AppealRoute, DocumentKind, RemedyKind
from services.handling.domain.commands import (
    AddEvidence,
    AgreeSettlement,
    ApproveSettlement,
    IssueDecision,
    ProposeSettlement,
    RefuseSettlement,
    ReturnSettlement,
)
from tests.support.given import (
    AGENT,
    APOLOGY,
    CUSTOMER,
    EXCHANGE,
    GENERAL_MANAGER,
    HEAD,
    LOGISTICS,
    MANAGER,
    QUALITY,
    REVIEWER,
    REVIEWER_2,
    STAGES,
    START,
    Past,
    an,
    approved,
    declined,
    dismissed,
    doc,
    found,
    given,
    investigated,
    offer,
    past,
    proposed,
    received,
    refund,
    refused,
    replied,
    resolved,
    signed,
    taken_up,
)

APPROVE = ApproveSettlement()
REFUSE = RefuseSettlement(reason="remedy_too_small")
SEND_BACK = ReturnSettlement(reason="insufficient_remedy")


def propose(*remedies: Remedy, improvement: bool = True) -> ProposeSettlement:
    return ProposeSettlement(
        remedies=remedies,
        proposal=doc(DocumentKind.PROPOSAL),
        improvement=doc(DocumentKind.IMPROVEMENT) if improvement else None,
    )


def issue(medium: str = "letter") -> IssueDecision:
    return IssueDecision.model_validate(
        {"letter": doc(DocumentKind.LETTER), "outcome": "upheld", "medium": medium}
    )


# proposal


def test_a_proposal_is_the_next_revision():  # S69, S91
    given(investigated()).when(propose(EXCHANGE), by=QUALITY).then(offer(EXCHANGE))
    again = (*proposed(), past(an(SettlementReturned, revision=1), HEAD))
    given(again).when(propose(APOLOGY), by=AGENT).then(offer(APOLOGY, revision=2))


@pytest.mark.parametrize("stage", ["signed", "proposed", "approved", "replied"])
def test_first_the_cause_then_the_proposal(stage: str):  # S77, domain.md 6.3
    given(STAGES[stage]).when(propose(EXCHANGE), by=AGENT).then_refused(
        "case.not_investigated"
    )


def silent() -> tuple[Past, ...]:
    said_nothing = received(demand=(), desired_outcome=None)
    return (*said_nothing, *investigated()[1:])


def test_nothing_is_proposed_before_the_customer_is_asked():  # S43
    given(silent()).when(propose(EXCHANGE), by=AGENT).then_refused(
        "case.expectation_unknown"
    )


def test_the_answer_may_come_as_evidence():  # S43
    answer = AddEvidence(document=doc(DocumentKind.DESIRED_OUTCOME), source="customer")
    (event,) = given(silent()).when(answer, by=AGENT).decided
    given(silent(), past(event, AGENT)).when(propose(EXCHANGE), by=AGENT).then_types(
        SettlementProposed
    )
    other = an(type(event), document=doc(DocumentKind.PHOTO), source="customer")
    given(silent(), past(other, AGENT)).when(propose(EXCHANGE), by=AGENT).then_refused(
        "case.expectation_unknown"
    )


@pytest.mark.parametrize("facts", ["yes", "partly"])
def test_where_something_was_wrong_an_improvement_is_promised(facts: str):  # S99
    given(investigated(facts_match=facts)).when(
        propose(EXCHANGE, improvement=False), by=QUALITY
    ).then_refused("case.improvement_missing")


def test_where_nothing_was_wrong_none_is_needed():  # S82, S99
    given(investigated(facts_match="no")).when(
        propose(improvement=False), by=QUALITY
    ).then_types(SettlementProposed)


def test_money_states_its_amount():  # S83, S88
    given(investigated()).when(
        propose(Remedy(kind=RemedyKind.REFUND)), by=QUALITY
    ).then_refused("case.amount_missing")


def test_a_unit_proposes_for_its_own_cases():  # S53
    given(investigated()).when(propose(EXCHANGE), by=LOGISTICS).then_forbidden(
        "case.not_your_department"
    )


# approval


def test_an_approval_names_the_row_that_allowed_it():  # S88
    given(proposed()).when(APPROVE, by=HEAD).then(
        SettlementApproved(revision=1, authority="L2-head")
    )


def test_nobody_approves_their_own_proposal():  # S86
    by_head = proposed(by=HEAD)
    given(by_head).when(APPROVE, by=HEAD).then_forbidden("case.own_proposal")
    given(by_head).when(APPROVE, by=MANAGER).then_types(SettlementApproved)


@pytest.mark.parametrize(
    ("by", "amount", "row"),
    [
        (HEAD, "2000.00", "L2-head"),
        (HEAD, "2000.01", None),
        (MANAGER, "20000.00", "L3-manager"),
        (MANAGER, "20000.01", None),
        (GENERAL_MANAGER, "9999999.00", "L4-general-manager"),
    ],
)
def test_a_limit_includes_its_last_cent(by: Actor, amount: str, row: str | None):  # S88
    outcome = given(proposed(refund(amount))).when(APPROVE, by=by)
    if row is None:
        outcome.then_forbidden("case.beyond_authority")
    else:
        outcome.then(SettlementApproved(revision=1, authority=row))


def test_splitting_a_sum_widens_no_limit():  # S88
    given(proposed(refund("1500.00"), refund("500.01"))).when(
        APPROVE, by=HEAD
    ).then_forbidden("case.beyond_authority")


def test_a_limit_of_one_currency_covers_no_other():  # S88
    given(proposed(refund("1.00", "EUR"))).when(APPROVE, by=HEAD).then_forbidden(
        "case.beyond_authority"
    )


def row(**changes: object) -> dict[str, object]:
    return {
        "code": "row",
        "role": "department_head",
        "effective_from": START - timedelta(days=1),
        **changes,
    }


def test_the_row_in_force_now_counts():  # S88, review B9
    history = given(proposed())
    now = history.last + timedelta(hours=1)
    in_force = [
        row(),
        row(effective_from=now),
        row(effective_to=now + timedelta(microseconds=1)),
    ]
    for each in in_force:
        history.under(authority=(each,)).when(APPROVE, by=HEAD).then_types(
            SettlementApproved
        )
    not_in_force = [
        row(effective_to=now),
        row(effective_from=now + timedelta(microseconds=1)),
    ]
    for each in not_in_force:
        history.under(authority=(each,)).when(APPROVE, by=HEAD).then_forbidden(
            "case.beyond_authority"
        )


def test_a_row_may_be_for_one_category_and_some_kinds():  # S88
    history = given(proposed())
    for each in (
        row(category="product"),
        row(remedies=("exchange", "apology")),
    ):
        history.under(authority=(each,)).when(APPROVE, by=HEAD).then_types(
            SettlementApproved
        )
    for each in (
        row(category="service"),
        row(category="prod"),
        row(remedies=("apology",)),
    ):
        history.under(authority=(each,)).when(APPROVE, by=HEAD).then_forbidden(
            "case.beyond_authority"
        )


def test_where_a_third_party_is_responsible_the_general_manager_approves():  # S58
    outside = proposed(responsible_unit="external")
    given(outside).when(APPROVE, by=MANAGER).then_forbidden("case.third_party")
    given(outside).when(APPROVE, by=GENERAL_MANAGER).then_types(SettlementApproved)


def test_a_head_approves_for_units_of_the_case():  # S87
    stranger = HEAD.model_copy(update={"department": "finance"})
    given(proposed()).when(APPROVE, by=stranger).then_forbidden(
        "case.not_your_department"
    )
    own = HEAD.model_copy(update={"department": "front-office"})
    given(proposed()).when(APPROVE, by=own).then_types(SettlementApproved)


@pytest.mark.parametrize("stage", ["investigated", "approved", "replied"])
def test_only_a_proposal_is_approved_or_sent_back(stage: str):  # domain.md 6.3
    for command in (APPROVE, SEND_BACK):
        given(STAGES[stage]).when(command, by=MANAGER).then_refused("case.not_proposed")


def test_a_proposal_is_sent_back_with_a_reason():  # S91
    given(proposed()).when(SEND_BACK, by=AGENT).then_types(SettlementReturned)


def review() -> tuple[Past, ...]:
    return (*taken_up(), past(found(level=1), REVIEWER))


def test_the_reviewer_approves_in_their_appeal_alone():  # S115
    appeal = (*review(), past(offer(EXCHANGE, revision=2), AGENT))
    given(appeal).when(APPROVE, by=REVIEWER).then_types(SettlementApproved)
    given(appeal).when(APPROVE, by=REVIEWER_2).then_forbidden("case.not_the_reviewer")
    given(proposed()).when(APPROVE, by=REVIEWER).then_forbidden("case.not_the_reviewer")


# decision


def test_a_decision_is_written_and_names_the_way_to_appeal():  # S98, S99
    (event,) = given(approved()).when(issue(), by=AGENT).then_types(DecisionIssued)
    assert isinstance(event, DecisionIssued)
    assert event.appeal_route is AppealRoute.INTERNAL_REVIEW
    assert event.level == 0


@pytest.mark.parametrize("medium", ["phone", "counter", "sms"])
def test_a_decision_is_not_spoken(medium: str):  # S98
    given(approved()).when(issue(medium), by=AGENT).then_refused("case.not_written")


@pytest.mark.parametrize("stage", ["investigated", "proposed", "replied"])
def test_no_decision_without_an_approval(stage: str):  # S87
    given(STAGES[stage]).when(issue(), by=AGENT).then_refused("case.not_approved")


def test_only_the_front_office_answers_the_customer():  # S51
    given(approved()).when(issue(), by=QUALITY).then_forbidden("case.not_your_role")


def at_last_level() -> tuple[Past, ...]:
    return (
        *taken_up(level=2),
        past(found(level=2), REVIEWER),
        past(offer(EXCHANGE, revision=2), AGENT),
        past(SettlementApproved(revision=2, authority="L3"), MANAGER),
    )


def test_the_last_level_points_outside():  # S116
    (event,) = given(at_last_level()).when(issue(), by=AGENT).then_types(DecisionIssued)
    assert isinstance(event, DecisionIssued)
    assert (event.appeal_route, event.level) == (AppealRoute.OUTSIDE_BODY, 2)


def test_the_last_level_needs_an_outside_body():  # S116
    given(at_last_level()).under(outside_body=None).when(
        issue(), by=AGENT
    ).then_refused("case.outside_body_missing")
    given(approved()).under(outside_body=None).when(issue(), by=AGENT).then_types(
        DecisionIssued
    )


# answer


def test_the_customer_agrees():  # S100, S101
    agreement = doc(DocumentKind.AGREEMENT)
    given(replied()).when(AgreeSettlement(agreement=agreement), by=CUSTOMER).then(
        SettlementAgreed(agreement=agreement)
    )


def test_agreeing_twice_does_nothing():
    given(STAGES["agreed"]).when(AgreeSettlement(), by=CUSTOMER).then_nothing()


@pytest.mark.parametrize("stage", ["proposed", "approved", "appealed", "refused"])
def test_reply_comes_before_agreement(stage: str):  # S87, domain.md 6.3
    for command in (AgreeSettlement(), REFUSE):
        given(STAGES[stage]).when(command, by=CUSTOMER).then_refused("case.not_replied")


@pytest.mark.parametrize("by", [AGENT, QUALITY, MANAGER])
def test_nobody_answers_for_the_customer(by: Actor):  # domain.md 6.5
    for command in (AgreeSettlement(), REFUSE):
        given(replied()).when(command, by=by).then_forbidden("case.not_your_role")


def test_after_a_decline_upheld_there_is_nothing_to_agree_to():  # S28, S100
    upheld = dismissed(history=declined())
    for command in (AgreeSettlement(), REFUSE):
        given(upheld).when(command, by=CUSTOMER).then_refused("case.nothing_to_agree")


def test_what_was_carried_out_is_not_agreed_to_again():  # S100
    given(dismissed(history=resolved())).when(
        AgreeSettlement(), by=CUSTOMER
    ).then_refused("case.nothing_to_agree")


def test_an_offer_survives_an_appeal_that_was_dismissed():  # S114
    given(dismissed()).when(AgreeSettlement(), by=CUSTOMER).then_types(SettlementAgreed)


def test_refusals_are_counted():  # S114
    (event,) = given(replied()).when(REFUSE, by=CUSTOMER).then_types(SettlementRefused)
    assert isinstance(event, SettlementRefused)
    assert event.count == 1


def replied_again(refusals: int) -> tuple[Past, ...]:
    return (
        *refused(refusals),
        past(an(SettlementReturned, revision=1), AGENT),
        past(offer(EXCHANGE, revision=2), QUALITY),
        past(SettlementApproved(revision=2, authority="L3"), MANAGER),
        past(an(DecisionIssued, outcome="upheld", level=0), AGENT),
    )


def test_a_settlement_is_refused_so_often_and_no_more():  # S114
    given(replied_again(1)).when(REFUSE, by=CUSTOMER).then_types(SettlementRefused)
    given(replied_again(2)).when(REFUSE, by=CUSTOMER).then_refused(
        "case.no_more_refusals"
    )
    given(replied_again(2)).when(AgreeSettlement(), by=CUSTOMER).then_types(
        SettlementAgreed
    )


def test_a_refused_revision_is_not_approved_again():  # S114, S179
    given(refused()).when(APPROVE, by=MANAGER).then_refused("case.revision_refused")
    given(refused()).when(SEND_BACK, by=AGENT).then_types(SettlementReturned)


def test_a_case_under_investigation_is_not_yet_answered():  # domain.md 6.3
    given(signed()).when(REFUSE, by=CUSTOMER).then_refused("case.not_replied")
