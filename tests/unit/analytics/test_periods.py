"""Periods of the tenant's calendar: no instant lies in two of them or in none."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.periods import (
    MOST_PERIODS,
    PERIODS,
    Period,
    TooManyPeriodsError,
    buckets,
    label,
    local_day,
)

ZONES = st.sampled_from(
    ["UTC", "Asia/Shanghai", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu"]
).map(ZoneInfo)
INSTANTS = st.datetimes(
    datetime(1995, 1, 1),  # noqa: DTZ001 hypothesis adds the zone
    datetime(2030, 1, 1),  # noqa: DTZ001 hypothesis adds the zone
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("period", "name"),
    [
        ("day", "2026-12-31"),
        ("week", "2026-W53"),
        ("month", "2026-12"),
        ("quarter", "2026-Q4"),
        ("year", "2026"),
    ],
)
def test_a_period_has_a_name(period: Period, name: str) -> None:
    noon = datetime(2026, 12, 31, 12, tzinfo=UTC)
    [bucket] = buckets(period, noon, noon, ZoneInfo("UTC"))
    assert bucket.label == name
    assert bucket.start <= noon < bucket.stop


def test_a_week_belongs_to_the_year_that_has_its_thursday() -> None:
    assert label("week", date(2024, 12, 30)) == "2025-W01"


def test_a_day_begins_at_the_tenants_midnight() -> None:
    late = datetime(2025, 1, 31, 17, tzinfo=UTC)
    [bucket] = buckets("month", late, late, ZoneInfo("Asia/Shanghai"))
    assert bucket.label == "2025-02"
    assert bucket.start == datetime(2025, 1, 31, 16, tzinfo=UTC)


def test_a_day_may_have_23_or_25_hours() -> None:
    zone = ZoneInfo("America/New_York")
    lengths = {
        bucket.stop - bucket.start
        for bucket in buckets(
            "day",
            datetime(2025, 3, 1, 12, tzinfo=UTC),
            datetime(2025, 11, 30, tzinfo=UTC),
            zone,
        )
    }
    assert lengths == {timedelta(hours=hours) for hours in (23, 24, 25)}


@given(st.sampled_from(PERIODS), INSTANTS, INSTANTS, ZONES)
def test_periods_follow_one_another_without_a_hole(
    period: Period, one: datetime, other: datetime, zone: ZoneInfo
) -> None:
    first, last = sorted((one, other))
    try:
        found = buckets(period, first, last, zone)
    except TooManyPeriodsError:
        assert (last - first).days > MOST_PERIODS - 2
        return
    assert found[0].start <= first < found[0].stop
    assert found[-1].start <= last < found[-1].stop
    assert all(before.stop == after.start for before, after in pairwise(found))
    assert [bucket.label for bucket in found] == sorted({b.label for b in found})


def test_too_many_periods_are_refused() -> None:
    with pytest.raises(TooManyPeriodsError):
        buckets(
            "day",
            datetime(1990, 1, 1, tzinfo=UTC),
            datetime(2025, 1, 1, tzinfo=UTC),
            ZoneInfo("UTC"),
        )


def test_the_ends_of_time_have_a_day() -> None:
    for zone in ("America/New_York", "Asia/Shanghai"):
        first = datetime.min.replace(tzinfo=UTC)
        last = datetime.max.replace(tzinfo=UTC)
        assert local_day(first, ZoneInfo(zone)).year == 2
        assert local_day(last, ZoneInfo(zone)).year == 9998
        assert len(buckets("year", first, last, ZoneInfo(zone))) == 9997
