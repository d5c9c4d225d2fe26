"""Which complaints a figure counts, by what it groups them, and how it ranks causes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

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
    "origin",
)
"""The facts by which one may group and filter, each by the name it has in `Facts`."""

PATHS: Final = frozenset({"category", "reported_category", "root_cause"})
"""Dimensions whose values are paths of up to four codes, joined by `/`."""

DEEPEST: Final = 4

UNSTATED: Final = "-"
"""How a filter says "nothing": no code begins with it. `a/-`: exactly `a`."""

COUNTED_ORIGINS: Final = ("live", "migration")
"""What is counted unless `origin` is asked for: a demonstration is no complaint."""

MOST_GROUPS: Final = 50_000
"""A figure with more groups than this is refused."""


class TooManyGroupsError(ValueError):
    """The figure has more than `MOST_GROUPS` groups."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The complaints to count: received in `[received_from, received_to)`, and matching.

    A filter is a dimension and the values of which one must hold: `-` for nothing
    stated; for a path `a` means `a` and all below it, `a/-` means `a` alone.
    """

    filters: tuple[tuple[str, tuple[str, ...]], ...] = (("origin", COUNTED_ORIGINS),)
    received_from: datetime | None = None
    received_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """How many complaints share these values; `bucket` numbers the period, if any."""

    values: tuple[str | None, ...]
    count: int
    bucket: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One row of a Pareto: shares are of all complaints counted, 0 to 1 (S137)."""

    cause: str | None
    count: int
    share: float
    cumulative_share: float


def shortened(path: str | None, level: int | None) -> str | None:
    """Cut a path to its first `level` codes; None keeps it whole."""
    if path is None or level is None:
        return path
    return "/".join(path.split("/")[:level])


def rolled_up(
    groups: Iterable[Group], dimensions: Sequence[str], level: int | None
) -> list[Group]:
    """Merge groups whose paths agree on the first `level` codes.

    Periods come in order, within each the most frequent first (S135).
    """
    levels = [level if name in PATHS else None for name in dimensions]
    counts: Counter[tuple[int | None, tuple[str | None, ...]]] = Counter()
    for group in groups:
        values = map(shortened, group.values, levels)
        counts[group.bucket, tuple(values)] += group.count
    merged = [
        Group(values, count, bucket) for (bucket, values), count in counts.items()
    ]
    return sorted(merged, key=_rank)


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


def _rank(group: Group) -> tuple[int, int, tuple[tuple[bool, str], ...]]:
    bucket = -1 if group.bucket is None else group.bucket
    return bucket, -group.count, tuple(map(_text, group.values))


def _text(value: str | None) -> tuple[bool, str]:
    """Sort what is not stated behind everything that is."""
    return value is None, value or ""
