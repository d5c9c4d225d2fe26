"""What became of what was handed in: Jepsen's five sets, and where the lost ones lay."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class Tried(NamedTuple):
    """One thing that a writer handed in, the `number`-th of its own."""

    writer: str
    number: int
    acked: bool
    """Whether it was answered for; if not, nobody knows."""


@dataclass(slots=True)
class Lost:
    """Answered for, and nowhere: before all that a writer has left, among it, behind it."""

    prefix: int = 0
    middle: int = 0
    postfix: int = 0

    @property
    def total(self) -> int:
        return self.prefix + self.middle + self.postfix

    def __add__(self, other: Lost) -> Lost:
        return Lost(
            self.prefix + other.prefix,
            self.middle + other.middle,
            self.postfix + other.postfix,
        )

    def __str__(self) -> str:
        parts = f"prefix={self.prefix} middle={self.middle} postfix={self.postfix}"
        return f"{self.total} ({parts})"


@dataclass(slots=True)
class Sets:
    """How many were kept as promised, lost, kept though unanswered, unknown, invented."""

    ok: int = 0
    lost: Lost = field(default_factory=Lost)
    recovered: int = 0
    unknown: int = 0
    unexpected: int = 0

    def __add__(self, other: Sets) -> Sets:
        return Sets(
            self.ok + other.ok,
            self.lost + other.lost,
            self.recovered + other.recovered,
            self.unknown + other.unknown,
            self.unexpected + other.unexpected,
        )


def compared(tried: Mapping[str, Tried], read: Collection[str]) -> Sets:
    """Hold what a reader found, by id, against what was tried."""
    read = set(read)
    found = Sets(unexpected=len(read - tried.keys()))
    writers: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for name, each in tried.items():
        kept = name in read
        if each.acked:
            writers[each.writer].append((each.number, kept))
            found.ok += kept
        else:
            found.recovered += kept
            found.unknown += not kept
    for acked in writers.values():
        found.lost += _lost([kept for _, kept in sorted(acked)])
    return found


def _lost(kept: Sequence[bool]) -> Lost:
    """Say where the gaps of one writer lie; all gone counts as behind."""
    if not any(kept):
        return Lost(postfix=len(kept))
    first, last = kept.index(True), len(kept) - kept[::-1].index(True)
    return Lost(first, kept[first:last].count(False), len(kept) - last)
