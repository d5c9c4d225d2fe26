"""The slider's steps: where a case stands, and what had happened but was not known."""

from __future__ import annotations

import datetime as dt

import pytest

from events.examples import EXAMPLES
from events.vocabulary import Precision
from services.handling.application.cases import Known
from services.handling.pages.desk_moments import moments, position_of

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def known(
    position: int, day: int, happened: int, precision: Precision = Precision.INSTANT
) -> Known:
    event = EXAMPLES["EvidenceAdded"].model_copy(
        update={
            "occurred_at": NOON + happened * DAY,
            "occurred_precision": precision,
        }
    )
    return Known(position, NOON + day * DAY, event)


STOPS = [known(3, 0, 0), known(5, 2, 2), known(8, 4, 1), known(9, 5, 5)]
"""Known on days 0, 2, 4 and 5; the third had happened on day 1."""


def test_what_had_happened_and_was_known_only_later_is_told_apart() -> None:
    then = moments(STOPS, 5, NOON + 2 * DAY)
    assert then.at == 2
    assert then.unknown == (STOPS[2],)
    assert (then.earlier, then.later) == (STOPS[0], STOPS[2])
    assert moments(STOPS, 3, NOON).unknown == (), "it happened the day after"
    assert moments(STOPS, 3, NOON + DAY).unknown == (STOPS[2],), "an instant between"


def test_what_became_known_at_the_same_instant_is_not_later() -> None:
    at_once = [known(3, 0, 0), known(4, 0, 0)]
    assert moments(at_once, 3, NOON).unknown == ()


def test_the_ends_lead_nowhere_but_to_the_present() -> None:
    first, last = moments(STOPS, 4, NOON), moments(STOPS, 9, NOON)
    assert (first.at, first.earlier) == (1, None)
    assert (last.at, last.later, last.unknown) == (4, None, ())
    assert moments(STOPS, 8, NOON).later is None, "the next one is the present"


def test_a_time_that_is_only_a_lower_bound_tells_nothing() -> None:
    vague = known(8, 4, 1, Precision.NOT_BEFORE)
    assert moments([STOPS[0], vague], 3, NOON + 2 * DAY).unknown == ()


@pytest.mark.parametrize(
    ("step", "position"),
    [
        ("1", 3),
        ("3", 8),
        ("4", None),
        ("99", None),
        ("0", None),
        ("-1", None),
        ("²", None),
    ],
)
def test_a_step_means_a_position_and_the_last_one_the_present(
    step: str, position: int | None
) -> None:
    assert position_of(STOPS, step) == position
