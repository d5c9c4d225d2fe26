"""Departments: assigned, signing, returning, contributing, and who owns what is left."""

import pytest

from events.catalogue import (
    AssignmentAccepted,
    AssignmentReturned,
    DepartmentAssigned,
)
from events.envelope import Actor
from events.vocabulary import AssignmentReason, AssignmentRole
from services.handling.domain.commands import (
    AcceptAssignment,
    AssignDepartment,
    ReturnAssignment,
)
from tests.support.given import (
    AGENT,
    GM_OFFICE,
    HEAD,
    LOGISTICS,
    QUALITY,
    REVIEWER,
    STAGES,
    Past,
    accepted,
    an,
    assigned,
    given,
    investigated,
    joined,
    past,
    received,
    returned,
    signed,
    taken_up,
    withdrawn,
)

ASK = AssignDepartment(department="logistics", role=AssignmentRole.CONTRIBUTOR)
FRONT_HEAD = HEAD.model_copy(update={"department": "front-office"})
NOT_OURS = ReturnAssignment(reason="not_ours")
PRODUCTION = Actor(id="p", role="department_handler", department="production")


def to(department: str) -> AssignDepartment:
    return AssignDepartment(department=department)


def asked(department: str = "logistics") -> Past:
    event = an(
        DepartmentAssigned,
        department=department,
        role="contributor",
        reason="manual",
        previous=None,
    )
    return past(event, AGENT)


def test_the_route_may_be_taken_without_naming_the_department():  # S47
    given(accepted()).when(AssignDepartment(), by=AGENT).then(
        DepartmentAssigned(department="quality", reason=AssignmentReason.ROUTING)
    )


def test_another_department_is_a_choice_by_hand():  # S56
    given(accepted()).when(to("production"), by=AGENT).then(
        DepartmentAssigned(department="production", reason=AssignmentReason.MANUAL)
    )


def test_without_a_route_the_department_is_named():  # S49
    unrouted = accepted(category="billing")
    given(unrouted).when(AssignDepartment(), by=AGENT).then_refused("case.no_route")
    given(unrouted).when(to("finance"), by=AGENT).then_types(DepartmentAssigned)


def test_only_departments_of_the_register_are_assigned():  # S59
    given(accepted()).when(to("astrology"), by=AGENT).then_refused(
        "case.unknown_department"
    )


def test_a_new_contract_matter_is_assigned_by_the_head():  # S48
    matter = accepted(category="contract")
    given(matter).when(AssignDepartment(), by=AGENT).then_forbidden(
        "case.route_needs_approval"
    )
    given(matter).when(AssignDepartment(), by=FRONT_HEAD).then_types(DepartmentAssigned)


def test_once_returned_the_route_was_approved_and_the_agent_assigns():  # S48
    matter = (
        *assigned("administration", category="contract"),
        returned("administration", QUALITY, 1),
    )
    given(matter).when(to("finance"), by=AGENT).then(
        DepartmentAssigned(department="finance", reason=AssignmentReason.RETURN)
    )


@pytest.mark.parametrize("stage", ["received", "investigated", "replied", "appealed"])
def test_assignment_comes_between_acceptance_and_cause(stage: str):  # domain.md 6.3
    given(STAGES[stage]).when(to("quality"), by=AGENT).then_refused(
        "case.not_assignable"
    )


def test_one_that_has_not_signed_is_not_passed_over():  # S19, domain.md 6.3
    given(assigned()).when(to("production"), by=AGENT).then_refused(
        "case.not_assignable"
    )


def test_assigning_the_same_twice_does_nothing():
    given(assigned()).when(to("quality"), by=AGENT).then_nothing()


def test_a_transfer_says_who_has_it_no_longer():  # S52
    given(signed()).when(to("production"), by=QUALITY).then(
        DepartmentAssigned(
            department="production",
            reason=AssignmentReason.TRANSFER,
            previous="quality",
        )
    )


def test_a_unit_transfers_its_own_cases_alone():  # S52
    other = QUALITY.model_copy(update={"department": "production"})
    given(signed()).when(to("production"), by=other).then_forbidden(
        "case.not_your_department"
    )
    contributor = QUALITY.model_copy(update={"department": "logistics"})
    given(signed(), joined()).when(to("logistics"), by=contributor).then_forbidden(
        "case.not_your_department"
    )


def test_the_reviewer_of_an_appeal_may_ask_a_department():  # S115
    (event,) = (
        given(taken_up())
        .when(to("technical"), by=REVIEWER)
        .then_types(DepartmentAssigned)
    )
    assert isinstance(event, DepartmentAssigned)
    assert event.reason is AssignmentReason.APPEAL


def test_a_reviewer_assigns_nothing_but_an_appeal():  # S115
    given(accepted()).when(to("technical"), by=REVIEWER).then_forbidden(
        "case.not_the_reviewer"
    )


def test_the_department_signs():  # S56
    given(assigned()).when(AcceptAssignment(), by=QUALITY).then(
        AssignmentAccepted(department="quality")
    )


def test_signing_twice_does_nothing():
    given(signed()).when(AcceptAssignment(), by=QUALITY).then_nothing()
    given(signed(), joined()).when(AcceptAssignment(), by=LOGISTICS).then_nothing()


@pytest.mark.parametrize(
    "by", [LOGISTICS, GM_OFFICE, QUALITY.model_copy(update={"department": None})]
)
def test_nobody_signs_or_returns_for_another_department(by: Actor):  # S57
    for command in (AcceptAssignment(), NOT_OURS):
        given(assigned()).when(command, by=by).then_forbidden(
            "case.not_your_department"
        )


def test_who_belongs_to_no_department_signs_for_none():  # S57
    nobody = QUALITY.model_copy(update={"department": None})
    for command in (AcceptAssignment(), NOT_OURS):
        given(accepted()).when(command, by=nobody).then_forbidden(
            "case.not_your_department"
        )


def test_there_must_be_something_to_sign_or_to_return():  # domain.md 6.3
    for command in (AcceptAssignment(), NOT_OURS):
        given(investigated()).when(command, by=QUALITY).then_refused(
            "case.not_dispatched"
        )


def test_a_contributor_is_asked_and_signs_while_the_lead_works():  # S54
    given(signed()).when(ASK, by=AGENT).then(
        DepartmentAssigned(
            department="logistics",
            role=AssignmentRole.CONTRIBUTOR,
            reason=AssignmentReason.MANUAL,
        )
    )
    given(signed(), asked()).when(AcceptAssignment(), by=LOGISTICS).then(
        AssignmentAccepted(department="logistics", role=AssignmentRole.CONTRIBUTOR)
    )


def test_a_contributor_is_asked_once():
    given(signed(), asked()).when(ASK, by=AGENT).then_nothing()
    given(signed(), joined()).when(ASK, by=AGENT).then_nothing()
    lead = AssignDepartment(department="quality", role=AssignmentRole.CONTRIBUTOR)
    given(signed()).when(lead, by=AGENT).then_nothing()


def test_first_comes_the_lead():  # domain.md 6.3
    given(accepted()).when(ASK, by=AGENT).then_refused("case.not_assignable")


def test_a_contributor_returns_without_moving_the_case():  # S57
    outcome = given(signed(), asked()).when(NOT_OURS, by=LOGISTICS)
    (event,) = outcome.then_types(AssignmentReturned)
    assert isinstance(event, AssignmentReturned)
    assert (event.role, event.count) == (AssignmentRole.CONTRIBUTOR, 1)


def test_what_ended_needs_no_signature():  # domain.md 6.3
    history = (*signed(), asked(), withdrawn()[-1])
    for command in (AcceptAssignment(), NOT_OURS):
        given(history).when(command, by=LOGISTICS).then_refused("case.ended")


def test_a_return_is_counted():  # S57
    (event,) = (
        given(assigned()).when(NOT_OURS, by=QUALITY).then_types(AssignmentReturned)
    )
    assert isinstance(event, AssignmentReturned)
    assert (event.department, event.count) == ("quality", 1)


def again(department: str) -> Past:
    event = an(
        DepartmentAssigned,
        department=department,
        role="lead",
        reason="return",
        previous=None,
    )
    return past(event, AGENT)


TWICE = (
    *assigned(),
    returned("quality", QUALITY, 1),
    again("production"),
    returned("production", PRODUCTION, 2),
)


def test_the_third_return_gives_the_case_to_the_gm_office():  # S57
    third = given(TWICE, again("quality")).when(NOT_OURS, by=QUALITY)
    back, given_to = third.then_types(AssignmentReturned, DepartmentAssigned)
    assert isinstance(back, AssignmentReturned)
    assert back.count == 3
    assert given_to == DepartmentAssigned(
        department="gm-office", reason=AssignmentReason.RETURN, previous="quality"
    )


def test_the_gm_office_cannot_return_what_was_returned_too_often():  # S57
    history = (*TWICE, again("quality"), returned("quality", QUALITY, 3))
    given(history, again("gm-office")).when(NOT_OURS, by=GM_OFFICE).then_refused(
        "case.no_further_return"
    )
    given(accepted(), again("gm-office")).when(NOT_OURS, by=GM_OFFICE).then_types(
        AssignmentReturned
    )


def test_before_acceptance_a_case_is_the_front_office_s():  # review A5
    given(received()).when(AcceptAssignment(), by=QUALITY).then_forbidden(
        "case.not_your_department"
    )
