"""The one form of all pages of `/insight`: what it offers, and what the address says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from events.vocabulary import Channel, Origin, Severity, Source, State
from services.analytics.application.figures import BASES
from services.analytics.domain.comparison import COMPARISONS
from services.analytics.domain.facts import REVOKED, Countermeasure, FirstContact
from services.analytics.domain.figures import (
    DEEPEST,
    DIMENSIONS,
    PASSED,
    REPEATS,
    UNSTATED,
)
from services.analytics.domain.handled import Appeal, Overdue, Said, Satisfied
from services.analytics.domain.periods import PERIODS, local_day
from services.analytics.pages.asking import NOTHING, changed, spans, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures import Figures
    from services.analytics.domain.figures import Selection
    from services.analytics.pages.asking import Pairs
    from services.analytics.pages.contents import View

CODES: Final = ("category", "product", "supplier", "department")
"""Filters that are typed, with those that occur to choose from."""

VOCABULARIES: Final[Mapping[str, Iterable[str]]] = {
    "channel": Channel,
    "source": Source,
    "state": State,
    "severity": Severity,
    "origin": (*Origin, REVOKED),
}
"""Filters that are chosen from a closed list."""

RESULTS: Final[Mapping[str, Iterable[str]]] = {
    "responded": Said,
    "solved": Said,
    "satisfied": Satisfied,
    "appeal": Appeal,
    "overdue": Overdue,
    "first_contact": FirstContact,
    "countermeasure": Countermeasure,
}
"""The same, for what became of the complaints."""

SPLITS: Final = tuple(
    name for name in DIMENSIONS if name not in {"lot", "reported_category"}
)
"""By what one may split with the form; the address takes every dimension."""

MOST_OFFERED: Final = 300
"""A field offers at most so many codes, the most frequent ones."""

FIELDS: Final = (
    "from",
    "to",
    "period",
    "group_by",
    "basis",
    "level",
    "compare",
    "as_of",
    *CODES,
    *VOCABULARIES,
    *RESULTS,
)

Says = Callable[[str, str], str]
"""Gives the words for the values of a filter."""


def form(
    view: View, pairs: Pairs, offered: Mapping[str, list[str]], said: Says
) -> dict[str, Any]:
    """Fill in the form: the first value of each field; further ones stay hidden."""
    values: dict[str, str] = dict.fromkeys(FIELDS, "")
    hidden: list[tuple[str, str]] = []
    for name, value in pairs:
        if values.get(name) == "":
            values[name] = value
        else:
            hidden.append((name, value))
    return {
        "values": values,
        "hidden": hidden,
        "offered": offered,
        "asks": [name for name in FIELDS if name in view.asks],
        "periods": PERIODS,
        "splits": SPLITS,
        "bases": tuple(BASES),
        "levels": range(1, DEEPEST + 1),
        "comparisons": (NOTHING, *COMPARISONS) if view.compares else COMPARISONS,
        "choices": _lists(VOCABULARIES, values, said),
        "results": _lists(RESULTS, values, said),
        "filtered": any(
            name in {*DIMENSIONS, *PASSED, REPEATS} - RESULTS.keys()
            for name, _ in pairs
        ),
    }


def _lists(
    offered: Mapping[str, Iterable[str]], values: Mapping[str, str], said: Says
) -> dict[str, list[tuple[str, str]]]:
    return {
        name: _choices(name, codes, values[name], said)
        for name, codes in offered.items()
    }


def _choices(
    name: str, offered: Iterable[str], chosen: str, said: Says
) -> list[tuple[str, str]]:
    """Give what a list offers, and what the address says beyond it."""
    codes = [str(code) for code in offered]
    if name != "origin":
        codes.append(UNSTATED)
    if chosen and chosen not in codes:
        codes.append(chosen)
    return [(code, said(name, code)) for code in codes]


def offered(figures: Figures, selection: Selection) -> dict[str, list[str]]:
    """Give the codes that occur among `selection`, the most frequent first."""
    found: dict[str, list[str]] = {}
    for name in CODES:
        rows = figures.frequency(selection, dimensions=(name,)).rows
        codes = [code for row in rows if (code := row.values[name])]
        found[name] = codes[:MOST_OFFERED]
    return found


def chips(view: View, pairs: Pairs, said: Says) -> list[tuple[str, str, str]]:
    """Give the filters in words: dimension, values, the address without it."""
    return [
        (name, said(name, value), without(view.path, pairs, (name, value)))
        for name, value in pairs
        if name in {*DIMENSIONS, *PASSED, REPEATS}
    ]


def choices_of_days(
    view: View, pairs: Pairs, now: datetime, zone: ZoneInfo
) -> list[tuple[str, str, bool]]:
    """Give spans of days to choose at once: name, address, and if it is asked now."""
    asked = {name: value for name, value in pairs if name in {"from", "to"}}
    found = [("always", changed(view.path, pairs, **_ALWAYS), not asked)]
    for name, first, last in spans(local_day(now, zone)):
        ends = {"from": first.isoformat(), "to": last.isoformat()}
        found.append((name, changed(view.path, pairs, **ends), ends == asked))
    return found


_ALWAYS: Final[dict[str, None]] = {"from": None, "to": None}
