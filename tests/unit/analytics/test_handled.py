"""How far a complaint has come, in codes: each word from the events that make it so."""

import tomllib
from pathlib import Path

import pytest

import services.handling
from events.envelope import Envelope, Event
from events.vocabulary import (
    CloseReason,
    DeclineReason,
    FollowUpResult,
    Origin,
    Outcome,
    SatisfactionSubject,
)
from services.analytics.domain.facts import Facts, fold
from services.analytics.domain.handled import SATISFIED_FROM
from tests.support.histories import happened

RECEIVED = happened("ComplaintReceived")
IMPORTED = happened("ComplaintReceived", origin=Origin.MIGRATION)
RESOLVED = happened("ComplaintResolved", outcome=Outcome.UPHELD)
REFUSED = happened("DecisionIssued", outcome=Outcome.NOT_UPHELD)
APPEALED = happened("ComplaintAppealed")
TAKEN_UP = happened("AppealAccepted")
DISMISSED = happened("AppealDismissed")
DECLINED = happened("ComplaintDeclined", reason=DeclineReason.OUT_OF_TIME)


def given(*events: Envelope[Event]) -> Facts:
    facts: Facts | None = None
    for event in events:
        facts = fold(facts, event)
    assert facts is not None
    return facts


def scored(score: int, about: SatisfactionSubject) -> Envelope[Event]:
    return happened("SatisfactionRecorded", score=score, about=about)


@pytest.mark.parametrize(
    "name",
    [
        "ReceiptAcknowledged",
        "StatementConfirmed",
        "DecisionIssued",
        "ComplaintDeclined",
    ],
)
def test_who_heard_from_somebody_was_responded_to(name: str) -> None:
    assert given(RECEIVED).responded == "no"
    assert given(RECEIVED, happened("DepartmentAssigned")).responded == "no"
    assert given(RECEIVED, happened(name)).responded == "yes"


def test_a_call_that_reached_nobody_is_no_response() -> None:
    tried = happened("FollowUpAttempted", result=FollowUpResult.NO_ANSWER)
    reached = happened("FollowUpAttempted", result=FollowUpResult.REACHED)
    assert given(RECEIVED, tried).responded == "no"
    assert given(RECEIVED, tried, reached).responded == "yes"


def test_of_an_imported_past_nothing_is_known_that_it_does_not_state() -> None:
    facts = given(IMPORTED)
    assert (facts.responded, facts.decided, facts.solved) == (None, None, None)
    facts = given(IMPORTED, RESOLVED)
    assert (facts.responded, facts.decided, facts.solved) == ("yes", "yes", "yes")
    migrated = happened("ComplaintClosed", reason=CloseReason.MIGRATED)
    assert given(IMPORTED, migrated).solved is None


@pytest.mark.parametrize(
    "name", ["ComplaintAppealed", "ComplaintReopened", "SettlementRefused"]
)
def test_what_was_contested_since_is_not_solved(name: str) -> None:
    assert given(RECEIVED).solved == "no"
    assert given(RECEIVED, RESOLVED).solved == "yes"
    assert given(RECEIVED, RESOLVED, happened(name)).solved == "no"
    assert given(RECEIVED, RESOLVED, happened(name), RESOLVED).solved == "yes"


def test_an_accepted_decision_solves_and_a_lapse_does_not() -> None:
    for reason, solved in (("decision_accepted", "yes"), ("lapsed", "no")):
        closed = happened("ComplaintClosed", reason=CloseReason(reason))
        assert given(RECEIVED, REFUSED, closed).solved == solved


def test_what_was_declined_or_withdrawn_is_not_to_be_solved() -> None:
    assert given(RECEIVED, DECLINED).solved is None
    assert given(RECEIVED, happened("ComplaintWithdrawn")).solved is None
    assert given(RECEIVED, DECLINED, happened("ComplaintAccepted")).solved == "no"


def test_the_last_score_of_the_outcome_says_who_is_satisfied() -> None:
    outcome, process = SatisfactionSubject.OUTCOME, SatisfactionSubject.PROCESS
    tried = happened("FollowUpAttempted")
    assert given(RECEIVED).satisfied is None
    assert given(RECEIVED, scored(5, process)).satisfied is None
    assert given(RECEIVED, tried).satisfied == "unrated"
    assert given(RECEIVED, tried, scored(4, outcome)).satisfied == "yes"
    assert given(RECEIVED, scored(4, outcome), scored(3, outcome)).satisfied == "no"
    assert given(RECEIVED, scored(4, outcome), tried).satisfied == "yes"


def test_satisfied_means_what_the_policy_of_a_new_installation_means() -> None:
    folder = Path(services.handling.__file__).parent
    policy = tomllib.loads((folder / "policy" / "default.toml").read_text("utf-8"))
    assert policy["satisfied_from"] == SATISFIED_FROM


def test_an_appeal_waits_is_reviewed_and_ends_with_the_next_decision() -> None:
    begun = (RECEIVED, REFUSED, APPEALED)
    assert given(RECEIVED, REFUSED).appeal is None
    assert given(*begun).appeal == "pending"
    assert given(*begun, DISMISSED).appeal == "dismissed"
    assert given(*begun, TAKEN_UP).appeal == "accepted"
    assert given(*begun, TAKEN_UP, REFUSED).appeal == "confirmed"
    other = happened("DecisionIssued", outcome=Outcome.PARTLY)
    assert given(*begun, TAKEN_UP, other).appeal == "overturned"
    assert given(*begun, TAKEN_UP, other, RESOLVED).appeal == "overturned"


def test_each_appeal_contests_what_was_decided_last() -> None:
    facts = given(RECEIVED, REFUSED, APPEALED, TAKEN_UP, RESOLVED, APPEALED)
    assert (facts.appeal, facts.contested) == ("pending", "upheld")
    assert fold(facts, RESOLVED).appeal == "confirmed"


def test_an_appeal_whose_result_nobody_states_is_unclear() -> None:
    closed = happened("ComplaintClosed", reason=CloseReason.MIGRATED_UNDECIDED)
    unstated = happened("ComplaintResolved", outcome=None)
    assert given(IMPORTED, unstated, APPEALED, closed).appeal == "unclear"
    assert given(IMPORTED, unstated, APPEALED, RESOLVED).appeal == "unclear"
    assert given(IMPORTED, RESOLVED, APPEALED, unstated).appeal == "unclear"


def test_a_refusal_stands_until_somebody_takes_the_complaint_in() -> None:
    facts = given(RECEIVED, DECLINED)
    assert (facts.decline, facts.decline_reason) == ("stands", "out_of_time")
    assert facts.decided == "yes"
    contested = given(RECEIVED, DECLINED, APPEALED)
    assert (contested.decline, contested.contested) == ("contested", "declined")
    assert fold(contested, DISMISSED).decline == "stands"
    taken = fold(contested, TAKEN_UP)
    assert taken.decline == "overturned"
    assert fold(taken, REFUSED).appeal == "overturned"
    assert given(RECEIVED, DECLINED, happened("ComplaintAccepted")).decline == (
        "overturned"
    )
    assert given(RECEIVED, REFUSED, APPEALED, TAKEN_UP).decline is None


@pytest.mark.parametrize(
    ("overdue", "code"), [(True, "yes"), (False, "no"), (None, "unsaid")]
)
def test_overdue_is_what_the_source_says(overdue: bool | None, code: str) -> None:
    assert given(IMPORTED).overdue is None
    stated = happened("DeadlineStated", overdue=overdue)
    assert given(IMPORTED, stated).overdue == code
