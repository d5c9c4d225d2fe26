"""Time as it passes in the story: the clock of the services, and hours of work."""

import datetime as dt
import math
import random
import zoneinfo
from typing import Final

_MICROSECOND: Final = dt.timedelta(microseconds=1)
_DAY: Final = dt.timedelta(days=1)
_OPENS: Final = 9
_CLOSES: Final = 18
_SUNDAY: Final = 6


class StoryClock:
    """Gives the story's present; it moves on a little with each look at it."""

    def __init__(self, now: dt.datetime) -> None:
        self._now = now
        self._step = _MICROSECOND

    def __call__(self) -> dt.datetime:
        self._now += self._step
        return self._now

    def spread(self, until: dt.datetime, looks: int) -> None:
        """Have so many looks from now on take the time until then."""
        left = max(until - self._now, dt.timedelta())
        self._step = max(left / (looks + 1), _MICROSECOND)

    def move(self, instant: dt.datetime) -> None:
        """Move on to an instant; never back."""
        self._now = max(self._now, instant)
        self._step = _MICROSECOND


class WorkingTime:
    """Hours in which the house works: nine to six, on Sundays not."""

    def __init__(self, zone: zoneinfo.ZoneInfo) -> None:
        self._zone = zone

    def after(self, instant: dt.datetime, hours: float) -> dt.datetime:
        """Give the instant at which so many hours of work have passed."""
        local = self._open(instant.astimezone(self._zone))
        left = dt.timedelta(hours=hours)
        while (room := self._closing(local) - local) < left:
            left -= room
            local = self._open(_at(local + _DAY, 0))
        return (local + left).astimezone(dt.UTC)

    def by_day(self, instant: dt.datetime, days: float) -> dt.datetime:
        """Give an instant so many days later at which people are awake."""
        local = (instant + dt.timedelta(days=days)).astimezone(self._zone)
        if local.hour < _OPENS - 1:
            local += dt.timedelta(hours=_OPENS - 1 - local.hour)
        return local.astimezone(dt.UTC)

    def _open(self, local: dt.datetime) -> dt.datetime:
        """Give the first moment from `local` on at which there is work."""
        if local.hour >= _CLOSES:
            local = _at(local + _DAY, 0)
        if local.hour < _OPENS:
            local = _at(local, _OPENS)
        return _at(local + _DAY, _OPENS) if local.weekday() == _SUNDAY else local

    @staticmethod
    def _closing(local: dt.datetime) -> dt.datetime:
        return _at(local, _CLOSES)


def _at(local: dt.datetime, hour: int) -> dt.datetime:
    return local.replace(hour=hour, minute=0, second=0, microsecond=0)


def about(rng: random.Random, median: float, spread: float = 0.6) -> float:
    """Draw a duration of which half are longer than the median, some much longer."""
    return rng.lognormvariate(math.log(median), spread)
