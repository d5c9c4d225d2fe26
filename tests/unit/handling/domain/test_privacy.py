"""What forbids that a person is erased, and what a hold on their data needs."""

import datetime as dt
from dataclasses import replace
from uuid import UUID

import pytest

from events.examples import EXAMPLES
from events.vocabulary import ErasureBasis, State
from services.handling.domain.decisions.rules import require_writable
from services.handling.domain.evolution import evolve
from services.handling.domain.privacy import (
    Erasure,
    Hold,
    HoldReason,
    Person,
    require_erasable,
    require_holdable,
)
from services.kernel.errors import RefusedError

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
ANN = UUID(int=1)
OPEN = evolve(None, EXAMPLES["ComplaintReceived"])
ENDED = OPEN._replace(state=State.CLOSED)
HOLD = Hold(
    hold_id=UUID(int=9),
    subject_id=ANN,
    reason=HoldReason.LEGAL_CLAIM,
    until=NOW + DAY,
    placed_at=NOW - DAY,
    placed_by="officer",
)


def refused(person: Person, basis: ErasureBasis, now: dt.datetime = NOW) -> str | None:
    try:
        require_erasable(person, basis, now, dt.UTC)
    except RefusedError as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("basis", ErasureBasis)
def test_who_has_only_ended_cases_is_erased_on_any_basis(basis: ErasureBasis) -> None:
    assert refused(Person(ANN, (ENDED, ENDED)), basis) is None


@pytest.mark.parametrize("basis", ErasureBasis)
def test_an_open_case_keeps_its_data_unless_the_law_takes_it(
    basis: ErasureBasis,
) -> None:
    allowed = basis in {ErasureBasis.UNLAWFUL, ErasureBasis.COURT_ORDER}
    wanted = None if allowed else "privacy.open_cases"
    assert refused(Person(ANN, (ENDED, OPEN)), basis) == wanted


@pytest.mark.parametrize("basis", ErasureBasis)
def test_a_hold_keeps_data_on_any_basis_until_its_last_instant(
    basis: ErasureBasis,
) -> None:
    person = Person(ANN, (ENDED,), (HOLD,))
    assert refused(person, basis) == "privacy.held"
    assert refused(person, basis, HOLD.until - dt.timedelta(microseconds=1))
    assert refused(person, basis, HOLD.until) is None


def test_the_last_day_of_a_hold_is_named_where_the_organisation_is() -> None:
    shanghai = dt.timezone(dt.timedelta(hours=8))
    held = replace(HOLD, until=dt.datetime(2026, 3, 31, 16, 0, tzinfo=dt.UTC))
    with pytest.raises(RefusedError, match="to the end of 2026-03-31:"):
        require_erasable(
            Person(ANN, (ENDED,), (held,)), ErasureBasis.REQUEST, NOW, shanghai
        )


def test_of_several_holds_the_one_in_force_that_lasts_longest_is_named() -> None:
    ended = replace(HOLD, until=NOW + 9 * DAY, ended_at=NOW, ended_by="officer")
    over = replace(HOLD, until=NOW - DAY)
    longest = replace(HOLD, until=NOW + 3 * DAY)
    person = Person(ANN, (ENDED,), (HOLD, longest, ended, over))
    assert person.held_until(NOW) == longest.until
    with pytest.raises(RefusedError, match="to the end of 2026-03-04:"):
        require_erasable(person, ErasureBasis.REQUEST, NOW, dt.UTC)
    assert Person(ANN, (ENDED,), (ended, over)).held_until(NOW) is None


def test_a_hold_needs_a_day_to_come_and_data_to_keep() -> None:
    person = Person(ANN, (OPEN,))
    require_holdable(person, NOW + DAY, NOW)
    with pytest.raises(RefusedError, match=r"privacy\.hold_over"):
        require_holdable(person, NOW, NOW)
    erasure = Erasure(ANN, ErasureBasis.REQUEST, "officer", "privacy_officer", NOW)
    with pytest.raises(RefusedError, match=r"privacy\.erased"):
        require_holdable(replace(person, erasure=erasure), NOW + DAY, NOW)


def test_nothing_is_written_about_somebody_who_was_erased() -> None:
    require_writable(OPEN)
    with pytest.raises(RefusedError) as refusal:
        require_writable(OPEN._replace(erased=True))
    assert refusal.value.code == "case.erased"
