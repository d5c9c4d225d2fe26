"""Working calendars: which hours of which days count, and how far working time reaches.

A calendar of the policy says the hours of a week, days off and days worked all the same.
Put on the organisation's time zone and the public holidays of its country it is
`WorkingTime`, which adds and measures. It reads nothing itself.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import count, pairwise
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from events.envelope import Code, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY: Final = timedelta(days=1)
_DAYS_KEPT: Final = 4_096
_HOURS: Final = re.compile(
    r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)"
)


def _readable(text: str) -> str:
    start, stop = _minutes(text)
    if stop <= start:
        raise ValueError("ends before it starts: split what goes past midnight")
    return text


Hours = Annotated[
    str, StringConstraints(pattern=f"^{_HOURS.pattern}$"), AfterValidator(_readable)
]
"""Part of a day by the clock on the wall: `09:00-12:30`; it may end at `24:00`."""


class Week(Part):
    """The hours of each weekday, in their order; none: nobody works."""

    monday: tuple[Hours, ...] = ()
    tuesday: tuple[Hours, ...] = ()
    wednesday: tuple[Hours, ...] = ()
    thursday: tuple[Hours, ...] = ()
    friday: tuple[Hours, ...] = ()
    saturday: tuple[Hours, ...] = ()
    sunday: tuple[Hours, ...] = ()

    @property
    def days(self) -> tuple[tuple[str, ...], ...]:
        """The hours of Monday to Sunday."""
        return tuple(getattr(self, name) for name in type(self).model_fields)

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if not any(self.days):
            raise ValueError("some day must have hours")
        for hours in self.days:
            for earlier, later in pairwise(map(_minutes, hours)):
                if later[0] < earlier[1]:
                    raise ValueError("the hours of a day must follow each other")
        return self


class Calendar(Part):
    """The working time of an organisation or of a part of it (S65)."""

    code: Code
    hours: Week
    country: Code | None = None
    """Whose public holidays are days off, by ISO 3166; None: nobody's."""
    subdivision: Code | None = None
    """The state or province of `country` that has holidays of its own."""
    days_off: tuple[date, ...] = ()
    """Closed besides."""
    days_worked: tuple[date, ...] = ()
    """Worked whatever the weekday or holiday: with the hours of the first weekday."""

    @model_validator(mode="after")
    def _says_one_thing_of_a_day(self) -> Self:
        if both := set(self.days_off) & set(self.days_worked):
            named = ", ".join(sorted(map(str, both)))
            raise ValueError(f"both off and worked: {named}")
        if self.subdivision and not self.country:
            raise ValueError("a subdivision needs its country")
        return self


class PublicDays(NamedTuple):
    """What a country's calendar says of days: the name of a holiday; worked all the same."""

    holiday: Callable[[date], str | None]
    worked: Callable[[date], bool]


ORDINARY: Final = PublicDays(lambda _day: None, lambda _day: False)
"""No public holidays at all."""


class Skipped(NamedTuple):
    """A day without working time; `name` is that of a public holiday."""

    day: date
    why: str
    """`holiday`, `day_off`, or `weekday` where the week has no hours."""
    name: str | None = None


class WorkingTime:
    """A calendar in a time zone; immutable, and safe to share between threads."""

    def __init__(
        self, calendar: Calendar, zone: tzinfo, public: PublicDays = ORDINARY
    ) -> None:
        self.code = calendar.code
        self._zone = zone
        self._public = public
        self._off = frozenset(calendar.days_off)
        self._worked = frozenset(calendar.days_worked)
        self._week = calendar.hours.days
        self._first = next(hours for hours in self._week if hours)
        self.hours = lru_cache(_DAYS_KEPT)(self._hours)

    def skipped(self, day: date) -> Skipped | None:
        """Say why a day has no working time; None where it has."""
        if day in self._worked:
            return None
        if day in self._off:
            return Skipped(day, "day_off")
        if (name := self._public.holiday(day)) is not None:
            return Skipped(day, "holiday", name)
        if self._week[day.weekday()] or self._public.worked(day):
            return None
        return Skipped(day, "weekday")

    def add(self, start: datetime, working: timedelta) -> datetime:
        """Give the instant at which this much has been worked since `start`.

        The end of a working day, not the beginning of the next one.
        """
        left = working
        for opening, closing in self._from(start):
            here = closing - max(opening, start)
            if left <= here:
                return closing - (here - left)
            left -= here
        raise AssertionError  # days do not end

    def close_of(self, start: datetime, days: int) -> datetime:
        """Give the close of the working day that is `days` working days behind `start`'s."""
        first = start.astimezone(self._zone).date()
        for ahead in count(1):
            if hours := self.hours(first + ahead * DAY):
                days -= 1
                if not days:
                    return hours[-1][1]
        raise AssertionError  # days do not end

    def between(self, start: datetime, stop: datetime) -> timedelta:
        """Measure the working time from `start` to `stop`; none where stop is earlier."""
        worked = timedelta()
        for opening, closing in self._from(start):
            if opening >= stop:
                break
            worked += max(min(closing, stop) - max(opening, start), timedelta())
        return worked

    def skipped_between(self, start: datetime, stop: datetime) -> list[Skipped]:
        """Name the days without working time from the day of `start` to that of `stop`."""
        first, last = (at.astimezone(self._zone).date() for at in (start, stop))
        days = (first + ahead * DAY for ahead in range((last - first).days + 1))
        return [why for day in days if (why := self.skipped(day)) is not None]

    def _from(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        first = start.astimezone(self._zone).date()
        for ahead in count():
            for opening, closing in self.hours(first + ahead * DAY):
                if closing > start:
                    yield opening, closing

    def _hours(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """Give a day's working time in UTC, in order; no part overlaps the one before."""
        if self.skipped(day) is not None:
            return ()
        found: list[tuple[datetime, datetime]] = []
        for opening, closing in map(_minutes, self._week[day.weekday()] or self._first):
            start, stop = self._at(day, opening, 0), self._at(day, closing, 1)
            if found:  # an hour that the clock leaps over may throw them together
                start = max(start, found[-1][1])
            if stop > start:
                found.append((start, stop))
        return tuple(found)

    def _at(self, day: date, minutes: int, fold: int) -> datetime:
        """Give the instant of a time on the wall; of two, the first for fold 0.

        One that the clock leaps over is that long after the leap, as opening and close.
        """
        ahead, minutes = divmod(minutes, 24 * 60)
        on_wall = time(minutes // 60, minutes % 60)
        local = datetime.combine(day + ahead * DAY, on_wall, self._zone)
        return max(local.astimezone(UTC), local.replace(fold=fold).astimezone(UTC))


def end_of_day(start: datetime, days: int, zone: tzinfo) -> datetime:
    """Give the last instant of the day that is `days` days behind that of `start`."""
    last = start.astimezone(zone).date() + timedelta(days=days)
    latest = time.max.replace(fold=1)
    return datetime.combine(last, latest, zone).astimezone(UTC)


def _minutes(hours: str) -> tuple[int, int]:
    """Give opening and closing in minutes since midnight by the clock on the wall."""
    opening, closing = hours.split("-")
    return _minute(opening), _minute(closing)


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)
