"""What a customer may see of a case: its state, who leads it, and no more."""

import pytest

from events.catalogue import EVENTS
from events.envelope import Envelope
from events.examples import EXAMPLES
from events.vocabulary import AssignmentRole, Audience, State
from services.intake.domain.standing import SHOWN, Standing, advance


def assigned(role: AssignmentRole) -> Envelope:
    event = EXAMPLES["DepartmentAssigned"]
    return event.model_copy(
        update={"data": event.data.model_copy(update={"role": role})}
    )


def test_the_leading_department_is_the_unit():
    event = assigned(AssignmentRole.LEAD)
    standing = advance(Standing(State.ACCEPTED), event)
    assert standing == Standing(State.ASSIGNED, event.data.department)


def test_a_contributor_does_not_take_over():
    before = Standing(State.INVESTIGATING, "quality")
    assert advance(before, assigned(AssignmentRole.CONTRIBUTOR)).unit == "quality"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_moves_a_case_or_leaves_it(name):
    before = Standing(State.INVESTIGATING, "quality")
    event = EXAMPLES[name]
    after = advance(before, event)
    assert after.state == (event.data.state_after(before.state) or before.state)


def test_nothing_is_shown_that_only_management_may_see():
    assert set(EVENTS) >= SHOWN
    for name in SHOWN:
        assert EVENTS[name].audience is not Audience.MANAGEMENT


@pytest.mark.parametrize(
    "ours", ["AssignmentReturned", "SettlementReturned", "RecordCorrected"]
)
def test_how_we_work_is_not_shown(ours):
    assert ours not in SHOWN
