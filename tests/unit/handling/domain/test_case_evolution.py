"""What a case is after its events: evolution refuses nothing and forgets nothing."""

from typing import get_args

import pytest

from events.catalogue import (
    EVENTS,
    AnyEvent,
    AssignmentReturned,
    ComplaintClosed,
    DepartmentAssigned,
    Product,
    SettlementApproved,
    SubjectErased,
)
from events.examples import EXAMPLES
from events.vocabulary import State
from services.handling.domain import evolution
from services.handling.domain.evolution import evolve
from tests.support.given import (
    AGENT,
    CUSTOMER,
    EXCHANGE,
    LOGISTICS,
    MANAGER,
    STAGES,
    an,
    appealed,
    dismissed,
    given,
    joined,
    money,
    past,
    proposed,
    received,
    refused,
    reopened,
    replied,
    resolved,
    returned,
    signed,
    taken_up,
)

EXPECTED = {
    "received": State.RECEIVED,
    "accepted": State.ACCEPTED,
    "assigned": State.ASSIGNED,
    "signed": State.INVESTIGATING,
    "investigated": State.INVESTIGATED,
    "proposed": State.PROPOSED,
    "approved": State.APPROVED,
    "replied": State.REPLIED,
    "agreed": State.IMPLEMENTING,
    "resolved": State.RESOLVED,
    "closed": State.CLOSED,
    "declined": State.DECLINED,
    "appealed": State.APPEALED,
    "taken up": State.INVESTIGATING,
    "dismissed": State.REPLIED,
    "dismissed again": State.REPLIED,
    "refused": State.PROPOSED,
    "withdrawn": State.WITHDRAWN,
}


def test_every_event_of_the_catalogue_has_a_meaning():
    assert set(get_args(AnyEvent)) == set(EVENTS.values())
    assert evolution._CHANGES.keys() == EVENTS.keys() - {"ComplaintReceived"}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_stands_where_it_should(stage: str):  # domain.md 6.2
    case = given(STAGES[stage]).case
    assert case.state is EXPECTED[stage]
    assert case.version == len(STAGES[stage]) == len(case.history)


def test_a_history_begins_with_the_receipt():
    with pytest.raises(ValueError, match="ComplaintClosed cannot be"):
        evolve(None, EXAMPLES["ComplaintClosed"])


def test_the_receipt_is_shown():
    product = Product.model_validate(
        {"model": "X", "supplier": "S", "price": money("1.00")}
    )
    case = given(received(product=product)).case
    assert (case.product, case.supplier, case.price) == ("X", "S", money("1.00"))
    assert case.category == "product/defect"
    bare = given(received(product=None)).case
    assert (bare.product, bare.supplier, bare.price) == (None, None, None)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "type_", [name for name in EVENTS if name != "ComplaintReceived"]
)
def test_any_event_may_follow_any_history(stage: str, type_: str):  # design 1.4
    before = given(STAGES[stage])
    after = given(STAGES[stage], past(EXAMPLES[type_].data, AGENT)).case
    assert after.version == before.case.version + 1
    assert AGENT.id in after.actors


def test_who_ever_acted_is_remembered():  # S115
    assert given(replied()).case.actors == {"customer", "agent", "quality", "manager"}


def test_the_lead_changes_and_contributors_stay_apart():
    case = given(signed(), joined()).case
    assert (case.department, case.contributing) == ("quality", {"logistics"})
    lead = an(DepartmentAssigned, department="logistics", role="lead")
    case = given(signed(), joined(), past(lead, AGENT)).case
    assert (case.department, case.contributing) == ("logistics", set())


def test_a_returned_case_is_nobodys_until_assigned():
    case = given(signed(), returned("quality", AGENT, 1)).case
    assert (case.department, case.returns, case.state) == (None, 1, State.ACCEPTED)


def test_a_contributor_that_returns_leaves_the_case_where_it_is():
    back = an(AssignmentReturned, department="logistics", role="contributor", count=1)
    case = given(signed(), joined(), past(back, LOGISTICS)).case
    assert (case.department, case.contributing, case.returns) == ("quality", set(), 1)
    assert case.state is State.INVESTIGATING


def test_what_is_approved_is_what_was_proposed():
    assert given(proposed()).case.approved is None
    approval = SettlementApproved(revision=1, authority="row")
    assert given(proposed(), past(approval, MANAGER)).case.approved == (EXCHANGE,)


def test_a_refused_or_carried_out_settlement_is_no_longer_on_offer():
    assert given(replied()).case.approved == (EXCHANGE,)
    assert given(refused()).case.approved is None
    assert given(resolved()).case.approved is None


def test_an_appeal_raises_the_level_and_a_reopening_ends_the_review():
    assert given(appealed()).case.level == 1
    assert given(taken_up()).case.reviewer == "reviewer"
    assert given(dismissed(level=2)).case.level == 2
    assert given(reopened()).case.reviewer is None


def test_erasure_leaves_the_case():
    erased = SubjectErased(
        subject_id=EXAMPLES["SubjectErased"].case_id, basis="request"
    )
    assert given(replied(), past(erased, AGENT)).case.state is State.REPLIED


def test_an_import_may_skip_what_daily_work_may_not():  # review A7
    closing = an(ComplaintClosed, reason="migrated")
    case = given(received(), past(closing, CUSTOMER)).case
    assert case.state is State.CLOSED
