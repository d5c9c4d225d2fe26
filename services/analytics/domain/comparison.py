"""With which span or period one is compared: the one before, or that of a year before."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

from services.analytics.domain.periods import Period, first_day, label, midnight

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Compare = Literal["previous", "last_year"]
COMPARISONS: Final[tuple[Compare, ...]] = get_args(Compare)

_DAY: Final = timedelta(days=1)
_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


def earlier_span(
    start: datetime, stop: datetime, compare: Compare, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """Give the span before `[start, stop)`, or the same a year before.

    Before whole months lie as many whole months, before whole days as many days, else
    the same time. A 29 February is a 28 February a year before. Before the beginning of
    the calendar lies nothing.
    """
    try:
        return _span_before(start, stop, compare, zone)
    except (OverflowError, ValueError):
        return start, start


def _span_before(
    start: datetime, stop: datetime, compare: Compare, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    if compare == "last_year":
        return _moved(start, 12, 0, zone), _end_moved(stop, 12, 0, zone)
    first, after = (instant.astimezone(zone).date() for instant in (start, stop))
    if midnight(first, zone) != start or midnight(after, zone) != stop:
        return start - (stop - start), start
    months = (after.year - first.year) * 12 + after.month - first.month
    if first.day == after.day == 1:
        return midnight(_earlier(first, months, 0), zone), start
    return midnight(first - (after - first), zone), start


def shifted_span(
    start: datetime | None,
    stop: datetime | None,
    period: Period,
    compare: Compare,
    zone: ZoneInfo,
) -> tuple[datetime | None, datetime | None]:
    """Move both ends by one period, or by a year: 12 months, of weeks 52."""
    months, days = _distance(period, compare)
    try:
        return (
            None if start is None else _moved(start, months, days, zone),
            None if stop is None else _end_moved(stop, months, days, zone),
        )
    except (OverflowError, ValueError):
        return start or stop, start or stop


def _distance(period: Period, compare: Compare) -> tuple[int, int]:
    if period in _DAYS:
        year = (0, 364) if period == "week" else (12, 0)
        return year if compare == "last_year" else (0, _DAYS[period])
    return 12 if compare == "last_year" else _MONTHS[period], 0


def earlier_label(period: Period, name: str, compare: Compare) -> str | None:
    """Name the period before, or that of a year before: of weeks the 52nd before.

    None for a 29 February, which the year before had not.
    """
    start = _start(period, name)
    if compare == "previous":
        return label(period, first_day(period, start - _DAY))
    if period == "week":
        return label(period, start - 364 * _DAY)
    if period == "day" and (start.month, start.day) == (2, 29):
        return None
    return label(period, start.replace(year=start.year - 1))


def _start(period: Period, name: str) -> date:
    if period == "day":
        return date.fromisoformat(name)
    year = int(name[:4])
    if period == "week":
        return date.fromisocalendar(year, int(name[6:]), 1)
    if period == "month":
        return date(year, int(name[5:]), 1)
    return date(year, 3 * int(name[6:]) - 2 if period == "quarter" else 1, 1)


def _earlier(day: date, months: int, days: int) -> date:
    """Go back; a day that a month has not is its last."""
    count = day.year * 12 + day.month - 1 - months
    year, month = count // 12, count % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1])) - days * _DAY


def _moved(instant: datetime, months: int, days: int, zone: ZoneInfo) -> datetime:
    local = instant.astimezone(zone)
    day = _earlier(local.date(), months, days)
    return datetime.combine(day, local.timetz()).astimezone(UTC)


def _end_moved(stop: datetime, months: int, days: int, zone: ZoneInfo) -> datetime:
    """Move the end of a whole day with that day; the end of a month stays one."""
    after = stop.astimezone(zone).date()
    if midnight(after, zone) != stop or after.day == 1:
        return _moved(stop, months, days, zone)
    return midnight(_earlier(after - _DAY, months, days) + _DAY, zone)
