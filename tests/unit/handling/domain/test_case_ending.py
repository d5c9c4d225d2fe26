"""Resolving, following up, closing, reopening, withdrawing: what each rests on."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from events.catalogue import (
    AssignmentReturned,
    ComplaintClosed,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintWithdrawn,
    DepartmentAssigned,
    EvidenceAdded,
    FollowUpAttempted,
    Remedy,
    SatisfactionRecorded,
)
from events.envelope import Actor
from events.vocabulary import (
    CloseReason,
    DocumentKind,
    EvidenceSource,
    FollowUpResult,
    Medium,
    Outcome,
    RemedyKind,
)
from services.handling.domain.commands import (
    AttemptFollowUp,
    CloseComplaint,
    RecordSatisfaction,
    ReopenComplaint,
    ResolveComplaint,
    WithdrawComplaint,
)
from services.handling.domain.decisions.rules import ENDED
from tests.support.given import (
    AGENT,
    APOLOGY,
    CLOCK,
    CUSTOMER,
    EXCHANGE,
    HOUR,
    MANAGER,
    QUALITY,
    STAGES,
    Past,
    accepted,
    agreed,
    an,
    appealed,
    assigned,
    closed,
    dismissed,
    doc,
    found,
    given,
    past,
    refund,
    replied,
    replied_without_remedy,
    resolved,
    returned,
    signed,
    withdrawn,
)

AGREEMENT = doc(DocumentKind.AGREEMENT)
CLOSE = CloseComplaint()
WEEKS_8 = timedelta(weeks=8)
TICK = timedelta(microseconds=1)


# resolving


def test_what_was_approved_is_what_is_done():  # S100, S103
    given(agreed(EXCHANGE, refund("10.00"))).when(ResolveComplaint(), by=AGENT).then(
        ComplaintResolved(outcome=Outcome.UPHELD, remedies=(EXCHANGE, refund("10.00")))
    )


def test_outcome_and_remedies_may_be_repeated_but_not_changed():  # S88, S100
    same = ResolveComplaint(outcome="upheld", remedies=(EXCHANGE,))
    given(agreed()).when(same, by=AGENT).then_types(ComplaintResolved)
    given(agreed()).when(ResolveComplaint(remedies=()), by=AGENT).then_refused(
        "case.remedy_not_approved"
    )
    given(agreed()).when(ResolveComplaint(outcome="goodwill"), by=AGENT).then_refused(
        "case.outcome_differs"
    )


def test_a_resolution_has_an_outcome():
    undecided = (*signed(), agreed()[-1])  # of an imported past: no decision
    given(undecided).when(ResolveComplaint(), by=AGENT).then_refused(
        "case.outcome_missing"
    )
    given(undecided).when(ResolveComplaint(outcome="upheld"), by=AGENT).then_types(
        ComplaintResolved
    )


@pytest.mark.parametrize("stage", ["received", "signed", "approved", "replied"])
def test_agreement_comes_before_resolution(stage: str):  # S100
    given(STAGES[stage]).when(ResolveComplaint(), by=AGENT).then_refused(
        "case.not_agreed"
    )


def at_once(*remedies: Remedy, **changes: object) -> ResolveComplaint:
    fields = {
        "outcome": "upheld",
        "remedies": remedies or (APOLOGY,),
        "agreement": AGREEMENT,
    }
    return ResolveComplaint.model_validate({**fields, **changes})


def test_the_first_contact_may_settle_it_with_the_customer_s_acceptance():  # S96
    given(accepted()).when(at_once(refund("200.00")), by=AGENT).then(
        EvidenceAdded(document=AGREEMENT, source=EvidenceSource.CUSTOMER),
        ComplaintResolved(
            outcome=Outcome.UPHELD, remedies=(refund("200.00"),), first_contact=True
        ),
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"agreement": None}, "case.acceptance_missing"),
        ({"outcome": None}, "case.outcome_missing"),
        ({"remedies": (Remedy(kind=RemedyKind.REFUND),)}, "case.amount_missing"),
    ],
)
def test_settling_at_once_needs_all_of_it(changes: dict[str, object], code: str):
    # S96
    given(accepted()).when(at_once(**changes), by=AGENT).then_refused(code)


def test_settling_at_once_stays_within_the_actor_s_own_authority():  # S88, S96
    given(accepted()).when(at_once(refund("200.01")), by=AGENT).then_forbidden(
        "case.beyond_authority"
    )
    given(accepted()).when(
        at_once(Remedy(kind=RemedyKind.INVITATION)), by=AGENT
    ).then_forbidden("case.beyond_authority")
    given(accepted()).under(authority=()).when(
        at_once(remedies=None), by=AGENT
    ).then_forbidden("case.beyond_authority")


def systemic() -> tuple[Past, ...]:
    """Found to be systemic, and back in the front office without a return."""
    return (
        *accepted(),
        past(found(systemic=True), QUALITY),
        accepted()[-1],
    )


@pytest.mark.parametrize(
    "history",
    [
        accepted(complaint_class="claim"),
        accepted(severity="serious"),
        accepted(severity="critical"),
        (*assigned(), returned("quality", QUALITY, 1)),
        systemic(),
    ],
)
def test_claims_serious_systemic_or_known_to_a_department_are_not(history: tuple):
    # S96, FCA 1.5
    given(history).when(at_once(), by=AGENT).then_refused("case.not_first_contact")


# following up


def asked(result: str = "no_answer", attempt: int = 1) -> Past:
    event = an(FollowUpAttempted, result=result, attempt=attempt)
    return past(event, AGENT)


def rated(score: int, about: str = "outcome") -> Past:
    return past(an(SatisfactionRecorded, score=score, about=about), CUSTOMER)


ASK = AttemptFollowUp(result="no_answer", medium="phone")


def test_follow_ups_are_counted():  # S104
    given(resolved(), asked()).when(ASK, by=AGENT).then(
        FollowUpAttempted(
            attempt=2, result=FollowUpResult.NO_ANSWER, medium=Medium.PHONE
        )
    )


@pytest.mark.parametrize("command", [ASK, RecordSatisfaction(score=3), CLOSE])
@pytest.mark.parametrize("stage", ["received", "proposed", "agreed"])
def test_one_asks_how_it_went_after_it_went(command: object, stage: str):  # S104, S106
    given(STAGES[stage]).when(command, by=AGENT).then_refused("case.not_resolved")


@pytest.mark.parametrize("history", [replied(), resolved(), closed()])
@pytest.mark.parametrize("by", [CUSTOMER, AGENT])
def test_satisfaction_is_recorded_even_later(history: tuple, by: Actor):  # S106
    rating = RecordSatisfaction(score=2, about="process")
    given(history).when(rating, by=by).then_types(SatisfactionRecorded)


# closing


def closes(*history: Past | tuple[Past, ...], reason: CloseReason) -> None:
    given(*history).when(CLOSE, by=AGENT).then(ComplaintClosed(reason=reason))


def stays_open(*history: Past | tuple[Past, ...], after: timedelta = HOUR) -> None:
    given(*history).when(CLOSE, by=AGENT, after=after).then_refused(
        "case.answer_awaited"
    )


def test_a_satisfied_customer_closes_the_case():  # S105
    closes(resolved(), rated(4), reason=CloseReason.SATISFIED)


def test_a_dissatisfied_customer_does_not():  # S105, S114
    stays_open(resolved(), rated(3))
    stays_open(resolved(), rated(5), rated(1))


def test_praise_of_the_process_is_not_satisfaction_with_the_outcome():  # S105
    stays_open(resolved(), rated(5, "process"))


def test_enough_attempts_close_the_case():  # S105
    stays_open(resolved(), asked(), asked(attempt=2))
    closes(
        resolved(),
        asked(),
        asked(attempt=2),
        asked(attempt=3),
        reason=CloseReason.FOLLOW_UP_EXHAUSTED,
    )


def test_reaching_the_customer_is_no_failed_attempt():  # S105
    stays_open(resolved(), asked(), asked("reached", 2), asked(attempt=3))


def test_attempts_and_answers_count_from_the_last_result():  # S105
    replied_and_asked = (*agreed()[:-1], rated(5), *(asked() for _ in range(3)))
    stays_open(replied_and_asked, agreed()[-1], resolved()[-1])


def test_the_answer_window_lapses_after_its_last_instant():  # S105, FCA
    for history in (resolved(), replied()):
        stays_open(history, after=WEEKS_8)
        for by in (AGENT, CLOCK):
            given(history).when(CLOSE, by=by, after=WEEKS_8 + TICK).then(
                ComplaintClosed(reason=CloseReason.LAPSED)
            )


def test_a_decision_that_promises_nothing_is_accepted():  # domain.md 6.3
    closes(replied_without_remedy(), rated(4), reason=CloseReason.DECISION_ACCEPTED)
    closes(
        dismissed(history=resolved()), rated(4), reason=CloseReason.DECISION_ACCEPTED
    )


def test_what_was_promised_is_not_closed_away():  # S100
    stays_open(replied(), rated(5))


def test_attempts_do_not_close_what_was_not_resolved():  # S105
    stays_open(replied_without_remedy(), *(asked(attempt=n) for n in (1, 2, 3)))


def test_closing_twice_does_nothing():
    given(closed()).when(CLOSE, by=AGENT).then_nothing()


def test_only_front_office_and_clock_close():  # domain.md 6.5
    given(resolved(), rated(5)).when(CLOSE, by=CUSTOMER).then_forbidden(
        "case.not_your_role"
    )


# reopening and withdrawing

REOPEN = ReopenComplaint(new_facts=doc(DocumentKind.NEW_FACTS), reason="remedy_failed")


@pytest.mark.parametrize("history", [resolved(), closed()])
def test_new_facts_open_the_case_again(history: tuple):  # domain.md 6.3, MoJ #1456
    given(history).when(REOPEN, by=AGENT).then_types(ComplaintReopened)


def test_without_new_facts_it_is_an_appeal():  # domain.md 6.3, MoJ #1456
    with pytest.raises(ValidationError, match="new_facts"):
        ReopenComplaint.model_validate({"reason": "remedy_failed"})


@pytest.mark.parametrize("stage", ["replied", "declined", "appealed", "withdrawn"])
def test_only_what_was_finished_is_reopened(stage: str):  # domain.md 6.3
    given(STAGES[stage]).when(REOPEN, by=AGENT).then_refused("case.not_reopenable")


WITHDRAW = WithdrawComplaint(reason="solved_otherwise")


@pytest.mark.parametrize("stage", STAGES)
def test_every_open_case_can_be_withdrawn(stage: str):  # domain.md 6.3
    history = given(STAGES[stage])
    outcome = history.when(WITHDRAW, by=CUSTOMER)
    if stage == "withdrawn":
        outcome.then_nothing()
    elif history.case.state in ENDED:
        outcome.then_refused("case.ended")
    else:
        outcome.then_types(ComplaintWithdrawn)


def test_only_the_customer_withdraws():  # domain.md 6.5
    for by in (AGENT, MANAGER):
        given(appealed()).when(WITHDRAW, by=by).then_forbidden("case.not_your_role")


def test_the_reopened_case_runs_its_course_again():  # domain.md 6.3
    reopened = (*closed(), past(an(ComplaintReopened), AGENT))
    given(reopened).when(ResolveComplaint(), by=AGENT).then_refused("case.not_agreed")
    transfer = an(DepartmentAssigned, department="production", role="lead")
    back = (*reopened, past(transfer, AGENT), returned("production", QUALITY, 1))
    assert isinstance(back[-1].data, AssignmentReturned)
    given(back).when(at_once(), by=AGENT).then_refused("case.not_first_contact")


def test_a_withdrawn_case_is_not_closed():
    given(withdrawn()).when(CLOSE, by=AGENT).then_refused("case.ended")
