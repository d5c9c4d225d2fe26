"""What the addresses of `/insight` ask, and the addresses that its pages lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from services.analytics.application.questions import Parameters
from services.analytics.domain.figures import DIMENSIONS, PASSED, REPEATS
from services.analytics.domain.periods import Period, midnight
from services.kernel.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

INSIGHT: Final = "/insight"
CASES: Final = "/insight/cases"

EVERYWHERE: Final = frozenset({"from", "to", "as_of", *DIMENSIONS, *PASSED, REPEATS})
"""What every page takes: which complaints, and as known when."""

FINER: Final[Mapping[Period, Period]] = {
    "year": "month",
    "quarter": "month",
    "month": "day",
    "week": "day",
    "day": "day",
}
"""The periods into which one of them is opened."""

NOTHING: Final = "nothing"
"""With what a page compares whose reader wants no comparison."""

_OF_THE_PAGE: Final = frozenset({"lang"})

Pairs = tuple[tuple[str, str], ...]

Read = Callable[[Iterable[tuple[str, str]]], Parameters]
"""Takes parameters of an address, in the organisation's zone, at one moment."""


def given(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Keep what says something: a form sends its empty fields too."""
    return tuple(
        (name, value)
        for name, value in pairs
        if value.strip() and name not in _OF_THE_PAGE
    )


def address(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    query = urlencode(list(pairs), safe=":,/")
    return f"{path}?{query}" if query else path


def changed(path: str, pairs: Pairs, **values: str | None) -> str:
    """Give an address with some parameters set anew; None takes one away."""
    kept = [(name, value) for name, value in pairs if name not in values]
    added = [(name, value) for name, value in values.items() if value is not None]
    return address(path, [*kept, *added])


def narrowed(path: str, pairs: Pairs, name: str, value: str) -> str:
    """Give the address for fewer complaints: those that this holds for as well."""
    return address(path, dict.fromkeys([*pairs, (name, value)]))


def without(path: str, pairs: Pairs, pair: tuple[str, str]) -> str:
    return address(path, [each for each in pairs if each != pair])


def elsewhere(path: str, pairs: Pairs, takes: Collection[str]) -> str:
    """Give another page's address for the same complaints: with what it takes."""
    return address(
        path, [each for each in pairs if each[0] in EVERYWHERE or each[0] in takes]
    )


def spanned(pairs: Pairs) -> bool:
    """Tell whether a first and a last day are asked for."""
    return {"from", "to"} <= {name for name, _ in pairs}


def days(start: datetime, stop: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Give `from` and `to` for `[start, stop)`: as days where they begin and end one."""
    first, after = (instant.astimezone(zone).date() for instant in (start, stop))
    last = after - timedelta(days=1)
    return {
        "from": _day(first, start, first, zone),
        "to": _day(last, stop, after, zone),
    }


def spans(today: date) -> Sequence[tuple[str, date, date]]:
    """Give the spans of days that are asked for most, each by its name."""
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    quarter = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    return (
        ("this_month", month, today),
        ("last_month", before.replace(day=1), before),
        ("quarter", quarter, today),
        ("year", date(today.year, 1, 1), today),
        ("twelve_months", month.replace(year=month.year - 1), before),
    )


def _day(shown: date, instant: datetime, begins: date, zone: ZoneInfo) -> str:
    whole = midnight(begins, zone) == instant.astimezone(UTC)
    return shown.isoformat() if whole else rfc3339(instant)
