"""Appeals: against what, until when, how often, and reviewed by whom."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from events.catalogue import (
    AppealAccepted,
    AppealDismissed,
    ComplaintAppealed,
    EvidenceAdded,
)
from events.envelope import Actor
from events.vocabulary import AppealGround, DocumentKind
from services.handling.domain.commands import (
    AcceptAppeal,
    AppealComplaint,
    DismissAppeal,
)
from tests.support.given import (
    AGENT,
    CUSTOMER,
    HEAD,
    REVIEWER,
    REVIEWER_2,
    STAGES,
    Past,
    accepted,
    an,
    appealed,
    closed,
    declined,
    dismissed,
    doc,
    event_id,
    given,
    past,
    received,
    replied,
    resolved,
    taken_up,
    withdrawn,
)

APPEAL = AppealComplaint(grounds=["facts"])
DAYS_180 = timedelta(days=180)
TICK = timedelta(microseconds=1)


def dismiss(outside_body: str | None = None) -> DismissAppeal:
    return DismissAppeal(
        reasons=["decision_correct"],
        explanation=doc(DocumentKind.EXPLANATION),
        outside_body=outside_body,
    )


@pytest.mark.parametrize("history", [declined(), replied(), resolved(), closed()])
def test_the_latest_decision_is_contested(history: tuple[Past, ...]):  # S114, S115
    given(history).when(APPEAL, by=CUSTOMER).then(
        ComplaintAppealed(
            level=1,
            contested_event_id=given(history).case.contestable[-1].event_id,
            grounds=(AppealGround.FACTS,),
            within_window=True,
        )
    )


def test_an_earlier_decision_may_be_named():  # S115
    letter = given(replied()).case.history[-1]
    named = AppealComplaint(grounds=["delay"], contested_event_id=letter.event_id)
    (event,) = given(closed()).when(named, by=CUSTOMER).then_types(ComplaintAppealed)
    assert isinstance(event, ComplaintAppealed)
    assert event.contested_event_id == letter.event_id


def test_what_is_no_decision_of_the_case_is_not_contested():  # S115
    for wrong in (event_id(1), event_id(999)):
        named = AppealComplaint(grounds=["delay"], contested_event_id=wrong)
        given(closed()).when(named, by=CUSTOMER).then_refused("case.not_contestable")


def test_a_decision_that_was_appealed_against_stands_no_more():  # S115
    letter = given(replied()).case.history[-1]
    named = AppealComplaint(grounds=["delay"], contested_event_id=letter.event_id)
    given(dismissed()).when(named, by=CUSTOMER).then_refused("case.not_contestable")


@pytest.mark.parametrize("history", [declined(), replied(), dismissed()])
def test_the_window_includes_its_last_instant(history: tuple[Past, ...]):  # S115
    given(history).when(APPEAL, by=CUSTOMER, after=DAYS_180).then_types(
        ComplaintAppealed
    )
    given(history).when(APPEAL, by=CUSTOMER, after=DAYS_180 + TICK).then_refused(
        "case.appeal_window_over"
    )


def test_each_decision_has_its_own_window():  # S115
    letter = given(replied()).case.history[-1]
    named = AppealComplaint(grounds=["delay"], contested_event_id=letter.event_id)
    late = given(resolved())
    late.when(APPEAL, by=CUSTOMER, after=DAYS_180).then_types(ComplaintAppealed)
    late.when(named, by=CUSTOMER, after=DAYS_180).then_refused(
        "case.appeal_window_over"
    )


def test_closing_gives_no_new_window():  # S115
    late = (*resolved(), past(closed()[-1].data, AGENT, after=DAYS_180))
    given(late).when(APPEAL, by=CUSTOMER).then_refused("case.appeal_window_over")


def test_a_claimed_date_of_the_letter_shortens_no_window():  # design 1.4, review B9
    letter = replied()[-1]
    backdated = past(letter.data, AGENT, claimed=timedelta(days=170))
    given(replied()[:-1], backdated).when(
        APPEAL, by=CUSTOMER, after=timedelta(days=179)
    ).then_types(ComplaintAppealed)


@pytest.mark.parametrize("stage", ["received", "signed", "approved", "appealed"])
def test_without_a_decision_there_is_nothing_to_appeal(stage: str):  # domain.md 6.3
    given(STAGES[stage]).when(APPEAL, by=CUSTOMER).then_refused(
        "case.nothing_to_appeal"
    )


def test_a_withdrawn_complaint_is_not_appealed():  # domain.md 6.3
    given(withdrawn()).when(APPEAL, by=CUSTOMER).then_refused("case.nothing_to_appeal")


def test_an_imported_case_without_a_decision_is_not_appealed():  # review A7
    imported = (*received(), past(closed()[-1].data, AGENT))
    given(imported).when(APPEAL, by=CUSTOMER).then_refused("case.nothing_to_appeal")


def test_levels_are_used_up():  # S116
    (second,) = given(dismissed()).when(APPEAL, by=CUSTOMER).decided
    assert isinstance(second, ComplaintAppealed)
    assert second.level == 2
    given(dismissed(level=2)).when(APPEAL, by=CUSTOMER).then_refused(
        "case.appeal_levels_exhausted"
    )


def test_an_appeal_has_a_ground():  # S115
    with pytest.raises(ValidationError, match="grounds"):
        AppealComplaint(grounds=[])


@pytest.mark.parametrize("by", [AGENT, REVIEWER])
def test_the_customer_alone_appeals(by: Actor):  # domain.md 6.5
    given(replied()).when(APPEAL, by=by).then_forbidden("case.not_your_role")


def test_an_uninvolved_reviewer_takes_it_up():  # S115
    given(appealed()).when(AcceptAppeal(), by=REVIEWER).then(
        AppealAccepted(reviewer="reviewer", level=1)
    )


def involved() -> tuple[Past, ...]:
    """The reviewer once put evidence to the case, before anything was decided."""
    once = past(an(EvidenceAdded), REVIEWER)
    return (*accepted(), once, *appealed()[2:])


def test_one_who_acted_on_the_case_does_not_review_it():  # S115, 回避
    for command in (AcceptAppeal(), dismiss()):
        given(involved()).when(command, by=REVIEWER).then_forbidden(
            "case.reviewer_involved"
        )


def test_another_reviewer_decides_then():  # S115
    given(involved()).when(AcceptAppeal(), by=REVIEWER_2).then_types(AppealAccepted)
    given(involved()).when(dismiss(), by=REVIEWER_2).then_types(AppealDismissed)


def test_the_second_review_is_another_s():  # S115
    again = (*dismissed(), past(an(ComplaintAppealed, level=2), CUSTOMER))
    given(again).when(AcceptAppeal(), by=REVIEWER).then_forbidden(
        "case.reviewer_involved"
    )
    given(again).when(AcceptAppeal(), by=REVIEWER_2).then_types(AppealAccepted)


def test_an_approver_in_another_role_is_involved_too():  # S115
    same_person = REVIEWER.model_copy(update={"id": "manager"})
    given(appealed()).when(AcceptAppeal(), by=same_person).then_forbidden(
        "case.reviewer_involved"
    )


def test_taking_it_up_twice_does_nothing():
    given(taken_up()).when(AcceptAppeal(), by=REVIEWER).then_nothing()
    given(taken_up()).when(AcceptAppeal(), by=REVIEWER_2).then_refused(
        "case.not_appealed"
    )


def test_without_an_appeal_there_is_nothing_to_review():  # domain.md 6.3
    for command in (AcceptAppeal(), dismiss()):
        given(replied()).when(command, by=REVIEWER).then_refused("case.not_appealed")


def test_reviewing_is_the_reviewers_role():  # domain.md 6.5
    for command in (AcceptAppeal(), dismiss()):
        given(appealed()).when(command, by=HEAD).then_forbidden("case.not_your_role")


def test_a_dismissal_below_the_last_level_names_whom_it_likes():  # S116
    for body in (None, "ombudsman"):
        (event,) = (
            given(appealed())
            .when(dismiss(body), by=REVIEWER)
            .then_types(AppealDismissed)
        )
        assert isinstance(event, AppealDismissed)
        assert event.outside_body == body


@pytest.mark.parametrize(
    ("named", "result"), [(None, "regulator"), ("arbitration", "arbitration")]
)
def test_the_last_dismissal_names_the_outside_body(named: str | None, result: str):
    # S116
    (event,) = (
        given(appealed(level=2))
        .when(dismiss(named), by=REVIEWER)
        .then_types(AppealDismissed)
    )
    assert isinstance(event, AppealDismissed)
    assert event.outside_body == result


def test_where_neither_names_one_the_last_dismissal_waits():  # S116
    nobody = given(appealed(level=2)).under(outside_body=None)
    nobody.when(dismiss(), by=REVIEWER).then_refused("case.outside_body_missing")
    nobody.when(dismiss("court"), by=REVIEWER).then_types(AppealDismissed)
