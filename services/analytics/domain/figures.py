"""Which complaints a figure counts, by what it groups them, and how it ranks causes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from events.vocabulary import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from services.analytics.domain.periods import Bucket

DIMENSIONS: Final = (
    "category",
    "reported_category",
    "product",
    "lot",
    "supplier",
    "channel",
    "source",
    "reported_via",
    "department",
    "state",
    "complaint_class",
    "severity",
    "root_cause",
    "outcome",
    "countermeasure",
    "first_contact",
    "origin",
    "responded",
    "decided",
    "solved",
    "satisfied",
    "appeal",
    "decline",
    "decline_reason",
    "overdue",
)
"""The facts by which one may group and filter, each by the name it has in `Facts`."""

PASSED: Final = ("was_in", "held_by", "returned_by")
"""Filters on what a complaint went through, of which it may have gone through several:
a state, a lead department, a department that gave it back."""

PATHS: Final = frozenset({"category", "reported_category", "root_cause"})
"""Dimensions whose values are paths of up to four codes, joined by `/`."""

DEEPEST: Final = 4

UNSTATED: Final = "-"
"""How a filter says "nothing": no code begins with it. `a/-`: exactly `a`."""

COUNTED_ORIGINS: Final[tuple[str, ...]] = ("live", "migration")
"""What is counted unless `origin` is asked for: a demonstration is no complaint."""

OPEN: Final = tuple(
    state.value
    for state in State
    if state not in {State.DECLINED, State.CLOSED, State.WITHDRAWN, State.MERGED}
)
"""The states in which somebody still owes something."""

MOST_GROUPS: Final = 50_000
"""A figure with more groups than this is refused."""


class TooManyGroupsError(ValueError):
    """The figure has more than `MOST_GROUPS` groups."""


Filters = tuple[tuple[str, tuple[str, ...]], ...]
"""Dimensions, each with the values of which one must hold; all filters must hold."""


Same = Literal["any", "category", "product"]
"""What an earlier complaint must be of, for a later one to repeat it."""

REPEATS: Final = "repeats"
"""A filter, but no dimension: `30/category` selects complaints of somebody who had
complained of the same category at most 30 days before."""

MOST_DAYS: Final = 3_660


def repeating(days: int, same: Same) -> str:
    """Give the value of the filter `repeats`."""
    return f"{days}/{same}"


def repeated(value: str) -> tuple[int, Same]:
    """Read a value of the filter `repeats`. Raises `ValueError`."""
    days, _, same = value.partition("/")
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= MOST_DAYS):
        raise ValueError(value)
    for known in get_args(Same):
        if known == same:
            return int(days), known
    raise ValueError(value)


@dataclass(frozen=True, slots=True)
class Selection:
    """The complaints to count: received in `[received_from, received_to)`, and matching.

    A filter is a dimension and the values of which one must hold: `-` for nothing
    stated; for a path `a` means `a` and all below it, `a/-` means `a` alone.
    """

    filters: Filters = (("origin", COUNTED_ORIGINS),)
    received_from: datetime | None = None
    received_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """How many complaints share these values; `bucket` numbers the period, if any.

    `also` counts those of them that answer to each further filter that was asked for,
    `customers` how many people complained, 0 unless it was asked for.
    """

    values: tuple[str | None, ...]
    count: int
    bucket: int | None = None
    also: tuple[int, ...] = ()
    customers: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """One row of a Pareto: shares are of all complaints counted, 0 to 1 (S137)."""

    cause: str | None
    count: int
    share: float
    cumulative_share: float


def counted_origins(*, demonstration: bool) -> tuple[str, ...]:
    """Give what is counted by default; where all is made up, what is made up."""
    return ("demo",) if demonstration else COUNTED_ORIGINS


def ranked(groups: Iterable[Group]) -> list[Group]:
    """Order periods in time, within each the most frequent group first (S135)."""
    return sorted(groups, key=_rank)


def pareto(counts: Mapping[str | None, int]) -> list[Cause]:
    """Rank causes by count, each with its share and that of all down to it (S137)."""
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], _text(item[0])))
    causes: list[Cause] = []
    running = 0
    for cause, count in ranked:
        running += count
        causes.append(Cause(cause, count, count / total, running / total))
    return causes


def filter_for(dimension: str, value: str | None, level: int | None = None) -> str:
    """Give the filter that selects exactly the complaints of one group's value."""
    if value is None:
        return UNSTATED
    if dimension not in PATHS or value.count("/") + 1 == (level or DEEPEST):
        return value
    return f"{value}/{UNSTATED}"


def narrowed(
    selection: Selection, values: Mapping[str, str | None], level: int | None = None
) -> Selection:
    """Select only those complaints that have these values, paths cut to `level`."""
    filters = tuple(
        (dimension, (filter_for(dimension, value, level),))
        for dimension, value in values.items()
    )
    return replace(selection, filters=(*selection.filters, *filters))


def within(selection: Selection, bucket: Bucket) -> Selection:
    """Select only those complaints that were received in the period too."""
    start, stop = selection.received_from, selection.received_to
    return replace(
        selection,
        received_from=bucket.start if start is None else max(start, bucket.start),
        received_to=bucket.stop if stop is None else min(stop, bucket.stop),
    )


def _rank(group: Group) -> tuple[int, int, tuple[tuple[bool, str], ...]]:
    bucket = -1 if group.bucket is None else group.bucket
    return bucket, -group.count, tuple(map(_text, group.values))


def _text(value: str | None) -> tuple[bool, str]:
    """Sort what is not stated behind everything that is."""
    return value is None, value or ""
