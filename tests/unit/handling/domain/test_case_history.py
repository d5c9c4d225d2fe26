"""The past of an imported case: as its source states it, once, with nothing filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.catalogue import (
    ComplaintAppealed,
    ComplaintClosed,
    ComplaintResolved,
    DeadlineStated,
    DepartmentAssigned,
)
from events.envelope import Actor
from events.vocabulary import CloseReason, Outcome, Precision
from services.handling.domain.commands import RecordHistory
from services.handling.domain.decisions.history import When, happened
from tests.support.given import AGENT, HOUR, Given, accepted, given, received

IMPORT = Actor(id="migration-1", role="migration")
OPERATOR = Actor(id="operator", role="operator")
DAY = timedelta(days=1)
DISPUTED: list[dict[str, Any]] = [
    {"fact": "assigned", "department": "external", "at": "2015-03-19T04:00:00Z"},
    {"fact": "resolved", "stated_as": "Closed-with-explanation"},
    {"fact": "appealed"},
    {"fact": "closed", "reason": "migrated_undecided"},
]


def imported(at: str = "2015-03-18T04:00:00Z") -> Given:
    """A case of which only the receipt is recorded, of that day."""
    case = given(received()).case
    past = case._replace(origin="migration", received_at=datetime.fromisoformat(at))
    return Given(past, given(received()).last, given(received()).policy)


def history(*facts: dict[str, Any]) -> RecordHistory:
    return RecordHistory.model_validate({"facts": facts})


def dates(*facts: dict[str, Any]) -> list[When]:
    its = imported()
    decided = its.when(history(*facts), IMPORT).decided
    return list(happened(its.case, history(*facts), decided, its.last))  # type: ignore[arg-type]


def when(month: int, day: int, precision: Precision) -> When:
    return When(datetime(2015, month, day, 4, tzinfo=UTC), precision)


@pytest.mark.parametrize("by", [IMPORT, OPERATOR])
def test_a_history_says_what_its_source_states_and_no_more(by: Actor):
    imported().when(history(*DISPUTED), by).then(
        DepartmentAssigned(department="external"),
        ComplaintResolved(stated_as="Closed-with-explanation"),
        ComplaintAppealed(level=1),
        ComplaintClosed(reason=CloseReason.MIGRATED_UNDECIDED),
    )


def test_what_the_source_states_of_a_result_is_kept():
    imported().when(
        history({"fact": "resolved", "outcome": "upheld"}, {"fact": "closed"}), IMPORT
    ).then(
        ComplaintResolved(outcome=Outcome.UPHELD),
        ComplaintClosed(reason=CloseReason.MIGRATED),
    )


def test_a_deadline_is_the_source_s_and_moves_no_state():
    facts = (
        {"fact": "due", "due_at": "2015-04-01T08:00:00+08:00", "overdue": True},
        {"fact": "closed"},
        {"fact": "due", "overdue": False},
    )
    imported().when(history(*facts), IMPORT).then(
        DeadlineStated(due_at=datetime(2015, 4, 1, tzinfo=UTC), overdue=True),
        ComplaintClosed(reason=CloseReason.MIGRATED),
        DeadlineStated(overdue=False),
    )


def test_a_result_after_an_appeal_is_of_its_level():
    facts = [{"fact": name} for name in ("resolved", "appealed", "resolved", "closed")]
    decided = imported().when(history(*facts), IMPORT).decided
    assert [getattr(each, "level", None) for each in decided] == [0, 1, 1, None]


def test_without_a_date_a_fact_is_not_before_the_latest_dated_one():
    assert dates(*DISPUTED) == [
        when(3, 19, Precision.INSTANT),
        *[when(3, 19, Precision.NOT_BEFORE)] * 3,
    ]


def test_a_day_stays_a_day_and_a_date_before_the_receipt_moves_nothing():
    early = {**DISPUTED[0], "at": "2015-03-11T04:00:00Z", "precision": "day"}
    assert dates(early, {"fact": "closed"}) == [
        when(3, 11, Precision.DAY),
        when(3, 18, Precision.NOT_BEFORE),
    ]


@pytest.mark.parametrize(
    ("facts", "at"),
    [
        (({"fact": "appealed"},), "facts.0"),
        (({"fact": "closed"}, {"fact": "closed"}), "facts.1"),
        (({"fact": "resolved"}, DISPUTED[0]), "facts.1"),
    ],
)
def test_facts_out_of_order_are_refused_by_their_place(
    facts: tuple[dict[str, Any], ...], at: str
):
    outcome = imported().when(history(*facts), IMPORT)
    outcome.then_refused("case.history_order")
    assert outcome.refusal is not None
    assert [each.field for each in outcome.refusal.errors] == [at]


def test_nothing_is_stated_of_the_future():
    its = imported()
    late = {**DISPUTED[0], "at": (its.last + 2 * HOUR).isoformat()}
    its.when(history(late), IMPORT).then_refused("case.history_ahead")
    its.when(history(late), IMPORT, after=3 * HOUR).then_types(DepartmentAssigned)


def test_a_department_that_there_is_not_is_refused():
    nowhere = {**DISPUTED[0], "department": "nowhere"}
    imported().when(history(nowhere), IMPORT).then_refused("case.unknown_department")


def test_only_what_was_imported_has_a_history_to_record():
    given(received()).when(history(*DISPUTED), IMPORT).then_refused("case.not_imported")


def test_a_history_is_recorded_before_anything_else():
    its = given(accepted())
    begun = Given(its.case._replace(origin="migration"), its.last, its.policy)
    begun.when(history(*DISPUTED), IMPORT).then_refused("case.history_begun")


def test_nobody_at_the_desk_records_histories():
    imported().when(history(*DISPUTED), AGENT).then_forbidden("case.not_your_role")
