"""What the address of `/insight` asks: the questions of the API, two at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode

from services.analytics.application.questions import Parameters
from services.analytics.domain.figures import COUNTED_ORIGINS
from services.analytics.domain.periods import Period, midnight
from services.kernel.clock import rfc3339
from services.kernel.errors import FieldError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from services.analytics.application.questions import (
        CausesQuestion,
        FrequencyQuestion,
    )

INSIGHT: Final = "/insight"
CASES: Final = "/insight/cases"

FINER: Final[Mapping[Period, Period]] = {
    "year": "month",
    "quarter": "month",
    "month": "day",
    "week": "day",
    "day": "day",
}
"""The periods into which one of them is opened."""

_OF_FREQUENCY: Final = frozenset({"group_by", "period"})
_OF_CAUSES: Final = frozenset({"basis"})
_OF_THE_PAGE: Final = frozenset({"lang"})

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Both questions of one address, which speak of the same complaints."""

    frequency: FrequencyQuestion
    causes: CausesQuestion

    @property
    def split(self) -> str | None:
        """The dimension by which the frequency is split, if any."""
        return next(iter(self.frequency.dimensions), None)

    @property
    def period(self) -> Period:
        return cast("Period", self.frequency.period)  # `asked` groups by it always


def given(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Keep what says something: a form sends its empty fields too."""
    return tuple(
        (name, value)
        for name, value in pairs
        if value.strip() and name not in _OF_THE_PAGE
    )


def asked(
    pairs: Pairs,
    *,
    zone: ZoneInfo,
    now: datetime,
    counted: tuple[str, ...] = COUNTED_ORIGINS,
) -> Asked:
    """Read both questions. Raises `MalformedError` as the API does."""
    frequency = Parameters(
        [("group_by", "period"), *_without(pairs, _OF_CAUSES)],
        zone=zone,
        now=now,
        counted=counted,
    ).frequency()
    if len(frequency.dimensions) > 1:
        raise MalformedError(
            "analytics.question",
            "Correct the named parameters.",
            errors=[FieldError("group_by", "is given more than once", "give it once")],
        )
    causes = Parameters(
        _without(pairs, _OF_FREQUENCY), zone=zone, now=now, counted=counted
    ).causes()
    return Asked(frequency, causes)


def changed(pairs: Pairs, **values: str | None) -> str:
    """Give the page's address with some parameters set anew; None takes one away."""
    kept = _without(pairs, frozenset(values))
    added = [(name, value) for name, value in values.items() if value is not None]
    return _address([*kept, *added])


def narrowed(pairs: Pairs, name: str, value: str) -> str:
    """Give the page's address for fewer complaints: those that this holds for as well."""
    return _address(list(dict.fromkeys([*pairs, (name, value)])))


def without(pairs: Pairs, pair: tuple[str, str]) -> str:
    return _address([each for each in pairs if each != pair])


def days(start: datetime, stop: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Give `from` and `to` for `[start, stop)`: as days where they begin and end one."""
    first, after = (instant.astimezone(zone).date() for instant in (start, stop))
    last = after - timedelta(days=1)
    return {
        "from": _day(first, start, first, zone),
        "to": _day(last, stop, after, zone),
    }


def _day(shown: date, instant: datetime, begins: date, zone: ZoneInfo) -> str:
    whole = midnight(begins, zone) == instant.astimezone(UTC)
    return shown.isoformat() if whole else rfc3339(instant)


def _without(pairs: Pairs, names: frozenset[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in pairs if name not in names]


def _address(pairs: Sequence[tuple[str, str]]) -> str:
    query = urlencode(pairs, safe=":,/")
    return f"{INSIGHT}?{query}" if query else INSIGHT
