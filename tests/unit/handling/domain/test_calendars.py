"""Working time: which days count, how far it reaches, and clocks that are put on or back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from services.handling.domain.calendars import Calendar, PublicDays, WorkingTime
from services.handling.persistence.public_holidays import public_days
from tests.support.timing import BERLIN, SHANGHAI

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

HOURS = ["09:00-12:00", "13:00-18:00"]
WEEK = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday"), HOURS)
HOUR = timedelta(hours=1)


def calendar(**changes: Any) -> Calendar:
    return Calendar.model_validate({"code": "office", "hours": WEEK, **changes})


def office(zone: ZoneInfo = SHANGHAI, **changes: Any) -> WorkingTime:
    made = calendar(**changes)
    return WorkingTime(made, zone, public_days(made))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-03-03T10:00", 1, "2026-03-03T11:00"),
        ("2026-03-03T11:30", 1, "2026-03-03T13:30"),  # over lunch
        ("2026-03-03T12:10", 1, "2026-03-03T14:00"),  # from within it
        ("2026-03-03T17:00", 1, "2026-03-03T18:00"),  # the close, not the next opening
        ("2026-03-03T17:00", 2, "2026-03-04T10:00"),
        ("2026-03-06T17:30", 4, "2026-03-09T13:30"),  # over a weekend
        ("2026-03-08T03:00", 1, "2026-03-09T10:00"),  # from within it
        ("2026-03-03T09:00", 8, "2026-03-03T18:00"),
    ],
)
def test_working_hours_count_while_somebody_works(
    start: str, hours: int, due: str
) -> None:
    assert office().add(at(start), hours * HOUR) == at(due)
    assert office().between(at(start), at(due)) == hours * HOUR


def test_public_holidays_do_not_count_and_weekends_worked_instead_do() -> None:
    """China's National Day week of 2026, for which 10 October is worked."""
    national = office(country="CN")
    assert national.add(at("2026-09-30T17:00"), 2 * HOUR) == at("2026-10-08T10:00")
    assert national.skipped(date(2026, 10, 10)) is None
    assert national.close_of(at("2026-10-09T10:00"), 1) == at("2026-10-10T18:00")
    skipped = national.skipped_between(at("2026-09-30T17:00"), at("2026-10-08T10:00"))
    assert [each.day.day for each in skipped] == [1, 2, 3, 4, 5, 6, 7]
    assert (skipped[0].why, skipped[0].name) == ("holiday", "国庆节")


def test_a_day_off_and_a_day_worked_go_before_the_week_and_the_holidays() -> None:
    own = office(country="CN", days_off=["2026-03-04"], days_worked=["2026-10-01"])
    assert own.add(at("2026-03-03T17:30"), HOUR) == at("2026-03-05T09:30")
    (off,) = own.skipped_between(at("2026-03-03T17:30"), at("2026-03-05T09:30"))
    assert (off.why, off.name) == ("day_off", None)
    assert own.add(at("2026-10-01T08:00"), HOUR) == at("2026-10-01T10:00")


def test_the_day_of_the_start_is_not_one_of_the_working_days() -> None:
    tuesday, saturday = at("2026-03-03T08:00"), at("2026-03-07T12:00")
    assert office().close_of(tuesday, 3) == at("2026-03-06T18:00")
    assert office().close_of(tuesday, 4) == at("2026-03-09T18:00")
    assert office().close_of(saturday, 1) == at("2026-03-09T18:00")


def test_a_leap_day_is_a_day() -> None:
    assert office().close_of(at("2028-02-28T10:00"), 1) == at("2028-02-29T18:00")


def test_a_night_shift_is_an_hour_shorter_or_longer_where_the_clock_is_changed() -> (
    None
):
    """Berlin leaps from 02:00 to 03:00 on 29 March 2026, and back on 25 October."""
    nights = office(BERLIN, hours={"sunday": ["00:00-06:00"]})
    for day, hours in (("2026-03-29", 5), ("2026-10-25", 7), ("2026-07-05", 6)):
        start, stop = at(f"{day}T00:00", BERLIN), at(f"{day}T06:00", BERLIN)
        assert nights.between(start, stop) == hours * HOUR
        assert nights.add(start, hours * HOUR) == stop


def test_what_the_clock_leaps_over_is_never_counted_twice() -> None:
    odd = office(BERLIN, hours={"sunday": ["00:00-02:30", "02:30-04:00"]})
    parts = odd.hours(date(2026, 3, 29))
    assert sum((stop - start for start, stop in parts), timedelta()) == 3 * HOUR
    assert all(later[0] >= earlier[1] for earlier, later in pairwise(parts))


def test_a_day_may_last_to_its_end() -> None:
    around_the_clock = office(hours={day: ["00:00-24:00"] for day in WEEK})
    assert around_the_clock.add(at("2026-03-03T23:00"), 2 * HOUR) == at(
        "2026-03-04T01:00"
    )


def test_provinces_have_holidays_of_their_own() -> None:
    def closed(**where: str) -> bool:
        return office(BERLIN, **where).skipped(date(2026, 1, 6)) is not None

    assert closed(country="DE", subdivision="BY")
    assert not closed(country="DE")
    assert not closed()


def test_without_holidays_only_the_week_counts() -> None:
    bare = WorkingTime(calendar(), SHANGHAI)
    assert bare.add(at("2026-10-01T09:00"), HOUR) == at("2026-10-01T10:00")
    named = PublicDays({date(2026, 10, 1): "A feast"}.get, lambda _: False)
    assert WorkingTime(calendar(), UTC, named).skipped(date(2026, 10, 1)) is not None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hours": {}}, "some day must have hours"),
        ({"hours": {"monday": ["18:00-09:00"]}}, "ends before it starts"),
        ({"hours": {"monday": ["09:00-12:00", "11:00-18:00"]}}, "follow each other"),
        ({"hours": {"monday": ["9-12"]}}, "match pattern"),
        ({"hours": {"someday": ["09:00-12:00"]}}, "not permitted"),
        ({"days_off": ["2026-03-04"], "days_worked": ["2026-03-04"]}, "both off and"),
        ({"subdivision": "BY"}, "needs its country"),
    ],
)
def test_a_calendar_that_cannot_be_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        calendar(**changes)
