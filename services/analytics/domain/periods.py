"""Calendar periods in the tenant's time zone, and the instants at which they begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: Final[tuple[Period, ...]] = get_args(Period)

MOST_PERIODS: Final = 10_000
"""More periods than this in one figure are refused: 27 years of days."""

_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_EARLIEST: Final = date(2, 1, 1)
_LATEST: Final = date(9998, 12, 31)


class TooManyPeriodsError(ValueError):
    """The span holds more than `MOST_PERIODS` periods."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One period: complaints received in `[start, stop)` belong to `label`."""

    label: str
    start: datetime
    stop: datetime


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """Give the day of the tenant's calendar; the ends of datetime's range are clamped."""
    try:
        return min(max(instant.astimezone(zone).date(), _EARLIEST), _LATEST)
    except OverflowError:
        return _EARLIEST if instant.year < 2 else _LATEST  # noqa: PLR2004 year 1


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Give the instant, in UTC, at which `day` begins in `zone`."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def first_day(period: Period, day: date) -> date:
    """Give the first day of the period that holds `day`; weeks begin on Monday."""
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[period]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def next_day(period: Period, start: date) -> date:
    """Give the first day of the period after the one that begins on `start`."""
    if period in {"day", "week"}:
        return start + timedelta(days=7 if period == "week" else 1)
    month = start.month - 1 + _MONTHS[period]
    return date(start.year + month // 12, month % 12 + 1, 1)


def label(period: Period, start: date) -> str:
    """Name a period so that names sort: 2026-01-31, 2026-W05, 2026-01, 2026-Q1, 2026."""
    if period == "day":
        return start.isoformat()
    if period == "week":
        year, week, _ = start.isocalendar()
        return f"{year:04}-W{week:02}"
    if period == "month":
        return f"{start.year:04}-{start.month:02}"
    if period == "quarter":
        return f"{start.year:04}-Q{(start.month + 2) // 3}"
    return f"{start.year:04}"


def buckets(
    period: Period, first: datetime, last: datetime, zone: ZoneInfo
) -> Sequence[Bucket]:
    """Give the periods, without a hole, from that of `first` to that of `last`.

    Raises `TooManyPeriodsError`.
    """
    start = first_day(period, local_day(first, zone))
    end = local_day(last, zone)
    found: list[Bucket] = []
    while start <= end:
        if len(found) == MOST_PERIODS:
            raise TooManyPeriodsError
        stop = next_day(period, start)
        found.append(
            Bucket(label(period, start), midnight(start, zone), midnight(stop, zone))
        )
        start = stop
    return found
