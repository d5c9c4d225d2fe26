"""Due dates under any calendar: later starts are due later, holidays only take time away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.handling.domain.calendars import (
    Calendar,
    PublicDays,
    WorkingTime,
    end_of_day,
)
from services.handling.domain.clocks import clocks, next_due
from tests.support.given import STAGES, enveloped, folded
from tests.support.timing import CLOCKWORK

if TYPE_CHECKING:
    from collections.abc import Collection

WEEKDAYS = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FIRST = date(2026, 1, 1)
PERHAPS = settings(max_examples=100)

zones = st.sampled_from(
    ["UTC", "Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe"]
)
starts = st.integers(0, 600 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + minutes * MINUTE
)
holidays = st.frozensets(
    st.integers(0, 700).map(lambda days: FIRST + timedelta(days=days)), max_size=60
)


@st.composite
def weeks(draw: st.DrawFn) -> dict[str, list[str]]:
    """Hours of some weekdays, one part or two, none at night when clocks are changed."""
    days = draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))
    found = {}
    for day in days:
        cuts = sorted(draw(st.sets(st.integers(6, 24), min_size=2, max_size=4)))
        pairs = zip(cuts[::2], cuts[1::2], strict=False)
        found[day] = [f"{start:02}:00-{stop:02}:00" for start, stop in pairs]
    return found


def working(
    week: dict[str, Any], zone: str, off: Collection[date] = frozenset()
) -> WorkingTime:
    calendar = Calendar.model_validate({"code": "any", "hours": week})
    names = dict.fromkeys(off, "A feast")
    return WorkingTime(calendar, ZoneInfo(zone), PublicDays(names.get, lambda _: False))


def walked(
    week: dict[str, Any],
    zone: str,
    off: Collection[date],
    start: datetime,
    minutes: int,
) -> datetime:
    """Add working time by looking at every single minute; what the code must equal."""
    open_at = {
        weekday: {
            minute
            for part in hours
            for minute in range(int(part[:2]) * 60, int(part[6:8]) * 60)
        }
        for weekday, hours in week.items()
    }
    at = start
    while minutes:
        local = at.astimezone(ZoneInfo(zone))
        counts = local.hour * 60 + local.minute in open_at.get(
            WEEKDAYS[local.weekday()], ()
        )
        minutes -= counts and local.date() not in off
        at += MINUTE
    return at


@given(weeks(), zones, holidays, starts, st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_working_time_is_what_a_walk_through_its_minutes_gives(
    week: dict[str, Any], zone: str, off: frozenset[date], start: datetime, hours: int
) -> None:
    time = working(week, zone, off)
    due = time.add(start, hours * HOUR)
    assert due == walked(week, zone, off, start, hours * 60)
    assert time.between(start, due) == hours * HOUR


@given(weeks(), zones, holidays, starts, starts, st.integers(1, 60))
@PERHAPS
def test_who_starts_later_is_due_no_earlier(  # noqa: PLR0917 one a strategy
    week: dict[str, Any],
    zone: str,
    off: frozenset[date],
    one: datetime,
    other: datetime,
    amount: int,
) -> None:
    time, (first, second) = working(week, zone, off), sorted((one, other))
    assert time.add(first, amount * HOUR) <= time.add(second, amount * HOUR)
    assert time.close_of(first, amount) <= time.close_of(second, amount)
    days = end_of_day(first, amount, ZoneInfo(zone))
    assert days <= end_of_day(second, amount, ZoneInfo(zone))
    assert first < days


@given(weeks(), zones, holidays, holidays, starts, st.integers(1, 60))
@PERHAPS
def test_another_holiday_makes_nothing_due_earlier(  # noqa: PLR0917 as above
    week: dict[str, Any],
    zone: str,
    off: frozenset[date],
    more: frozenset[date],
    start: datetime,
    amount: int,
) -> None:
    few, many = working(week, zone, off), working(week, zone, off | more)
    assert few.add(start, amount * HOUR) <= many.add(start, amount * HOUR)
    assert few.close_of(start, amount) <= many.close_of(start, amount)


@given(
    st.sampled_from(sorted(STAGES)),
    st.integers(0, 30 * 24 * 60),
    st.integers(0, 30 * 24 * 60),
)
@PERHAPS
def test_no_claim_makes_a_deadline_later(stage: str, claimed: int, at: int) -> None:
    """Whatever event of a life is claimed to have been earlier (design 1.4)."""
    plain = enveloped(STAGES[stage])
    moved = [
        event.model_copy(update={"occurred_at": event.recorded_at - claimed * MINUTE})
        if number == at % len(plain)
        else event
        for number, event in enumerate(plain)
    ]
    before, after = folded(plain), folded(moved)
    now = plain[-1].recorded_at
    for was, is_ in zip(
        sorted(clocks(before, CLOCKWORK, now), key=_place),
        sorted(clocks(after, CLOCKWORK, now), key=_place),
        strict=True,
    ):
        assert (was.code, was.stopped_at) == (is_.code, is_.stopped_at)
        assert is_.due_at <= was.due_at
    first, second = next_due(before, CLOCKWORK), next_due(after, CLOCKWORK)
    assert (first is None) == (second is None)
    assert first is None or second is None or second.at <= first.at


def _place(clock: Any) -> tuple[str, datetime]:
    return clock.code, clock.started_by.at
