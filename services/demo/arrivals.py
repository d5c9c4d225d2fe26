"""What comes in, and when: seasons, weekdays, holidays, bursts, lots with a defect."""

import datetime as dt
import itertools
import random
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.demo.story import Goods, Matter, Planted, Story, Weights

_WEEK: Final = dt.timedelta(weeks=1)
_SILENT: Final = dt.timedelta(days=150)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One complaint to come; `planted` where its lot has the defect."""

    at: dt.datetime
    matter: Matter
    goods: Goods
    lot: str | None
    channel: str
    source: str | None
    planted: Planted | None = None


def arrivals(
    story: Story,
    rng: random.Random,
    *,
    start: dt.datetime,
    until: dt.datetime,
    cases: int,
) -> list[Arrival]:
    """Give so many complaints in `[start, until)`, in order of time."""
    drawing = _Drawing(story, rng, start, until)
    hidden = [
        each
        for planted in story.planted
        for each in drawing.of_lot(planted, round(cases * planted.share))
    ]
    usual = drawing.usual(cases - len(hidden))
    return sorted([*usual, *hidden], key=lambda each: each.at)


def lot_of(goods: Goods, made: dt.date) -> str:
    """Name the lot of a week, as `W2417`."""
    year, week, _ = made.isocalendar()
    return f"{goods.lot_prefix}{year % 100:02d}{week:02d}"


def planted_lot(
    story: Story, planted: Planted, start: dt.datetime, until: dt.datetime
) -> str:
    """Name the lot with the defect: made two months before it shows."""
    burst = start + (until - start) * planted.at
    made = burst - (planted.rising_weeks + 9) * _WEEK
    return lot_of(story.made(planted.model), made.date())


class _Drawing:
    def __init__(
        self,
        story: Story,
        rng: random.Random,
        start: dt.datetime,
        until: dt.datetime,
    ) -> None:
        self._story, self._rng = story, rng
        self._start, self._until = start, until
        self._zone = zoneinfo.ZoneInfo(story.time_zone)
        first = start.astimezone(self._zone).date()
        last = until.astimezone(self._zone).date()
        self._days = [
            first + dt.timedelta(days=n) for n in range((last - first).days + 1)
        ]

    def usual(self, count: int) -> Iterator[Arrival]:
        """Draw days and matters together: each matter has seasons of its own."""
        pairs = list(itertools.product(range(len(self._days)), self._story.matters))
        weights = [self._weight(day, matter) for day, matter in pairs]
        for day, matter in self._rng.choices(pairs, weights=weights, k=count):
            at = self._moment(self._days[day])
            if at is not None:
                yield self._arrival(at, matter, self._goods(matter))

    def of_lot(self, planted: Planted, count: int) -> Iterator[Arrival]:
        """Draw complaints about one lot: rising for weeks, a burst, then falling."""
        story = self._story
        matter, goods = story.matter(planted.matter), story.made(planted.model)
        lot = planted_lot(story, planted, self._start, self._until)
        burst = self._start + (self._until - self._start) * planted.at
        first = burst - planted.rising_weeks * _WEEK
        weeks = [2.0 ** (n - planted.rising_weeks) for n in range(planted.rising_weeks)]
        weeks += [1.6] * planted.burst_weeks
        weeks += [1.2 * 0.7**n for n in range(planted.falling_weeks)]
        for week in self._rng.choices(range(len(weeks)), weights=weeks, k=count):
            day = (first + week * _WEEK).astimezone(self._zone).date()
            at = self._moment(day + dt.timedelta(days=self._rng.randrange(7)))
            if at is not None:
                yield self._arrival(at, matter, goods, lot=lot, planted=planted)

    def _weight(self, day: int, matter: Matter) -> float:
        story, date = self._story, self._days[day]
        share = day / max(1, len(self._days) - 1)
        weight = matter.weight * matter.months[date.month - 1]
        weight *= story.months[date.month - 1] * story.weekdays[date.weekday()]
        weight *= story.holidays.get(f"{date:%m-%d}", 1.0) * (1 + story.trend * share)
        for burst in story.bursts:
            begins = burst.at * len(self._days)
            if burst.matter == matter.code and begins <= day < begins + burst.days:
                weight *= burst.times
        return weight

    def _moment(self, day: dt.date) -> dt.datetime | None:
        """Give a time of the day, None where that day is not over by then."""
        [hour] = self._rng.choices(range(24), weights=self._story.hours)
        second = self._rng.randrange(3600)
        local = dt.datetime.combine(day, dt.time(hour), self._zone)
        at = (local + dt.timedelta(seconds=second)).astimezone(dt.UTC)
        return at if self._start <= at < self._until else None

    def _goods(self, matter: Matter) -> Goods:
        fitting = [each for each in self._story.goods if each.kind in matter.kinds]
        weights = [each.weight for each in fitting]
        return self._rng.choices(fitting, weights=weights)[0]

    def _arrival(
        self,
        at: dt.datetime,
        matter: Matter,
        goods: Goods,
        *,
        lot: str | None = None,
        planted: Planted | None = None,
    ) -> Arrival:
        if lot is None and goods.lot_prefix is not None:
            made = at.date() - dt.timedelta(days=self._rng.randrange(40, 200))
            stated = self._rng.random() < self._story.chances.lot_stated
            lot = lot_of(goods, made) if stated else None
        return Arrival(
            at=at,
            matter=matter,
            goods=goods,
            lot=lot,
            channel=_drawn(self._rng, self._story.channels),
            source=self._source(at),
            planted=planted,
        )

    def _source(self, at: dt.datetime) -> str | None:
        if self._rng.random() >= self._story.chances.sourced:
            return None
        source = _drawn(self._rng, self._story.sources)
        silent = source == self._story.silent_source and at > self._until - _SILENT
        return None if silent else source


def _drawn(rng: random.Random, weights: Weights) -> str:
    return rng.choices(list(weights), weights=list(weights.values()))[0]
