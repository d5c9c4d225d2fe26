"""What a suite measures with: turns that alternate, figures that something was checked for.

A suite is a module of `bench.suites` with a docstring, whose first line says what it
measures, and one function, `measure(run: Run) -> None`. It

1. does its work and its yardsticks' in turns: `run.turns({"ours": f, "raw": g})` calls
   each function once to warm up, then A B, B A, A B …, and gives every value measured;
2. holds what came of it against what had to come: `run.agree("rows", found, expected)`
   voids the whole run where they differ;
3. gives its figures: `run.ratio("append/raw", ours, raw)`, `run.figure("name", values,
   unit="events/s")`; before anything agreed this is an error. What a plot shows goes in
   as `points=[(x, y), …]`;
4. skips, with its reason, what this machine lacks: `run.skip("append/emmett", "no node")`.

`run.quick` asks for small work: all suites together have 60 seconds then. `run.folder` is
the suite's own and goes away; `run.cache` stays, for databases that take long to make.
A name of `bench.targets` is compared with its target; other figures are shown beside.
"""

from __future__ import annotations

import random
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

Better = Literal["higher", "lower"]

TURNS: Final = 5
QUICK_TURNS: Final = 1
_SHOWN: Final = 300  # characters of what differs


class Disagreement(Exception):  # noqa: N818 the bench's own word
    """What was measured is not what had to come out; there is no figure."""


class Absent(Exception):  # noqa: N818 as above
    """The machine lacks what a yardstick needs; the reason is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A median with its spread; `checked` says that the outcome agreed with the oracle."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    better: Better
    turns: int
    checked: bool
    points: Sequence[tuple[float, float]] = ()


@dataclass(slots=True, kw_only=True)
class Run:
    """One suite at work."""

    suite: str
    quick: bool
    seed: int
    folder: Path
    cache: Path
    say: Callable[[str], None] = lambda _: None
    figures: list[Figure] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    agreed: list[str] = field(default_factory=list)

    @property
    def chance(self) -> random.Random:
        """A generator that gives the same again for the same seed and suite."""
        return random.Random(f"{self.seed} {self.suite}")  # noqa: S311 it must repeat

    def turns(
        self,
        arms: Mapping[str, Callable[[], T]],
        *,
        turns: int | None = None,
        warm: bool | None = None,
    ) -> dict[str, list[T]]:
        """Call every arm once in each turn, in alternating order."""
        count = turns or (QUICK_TURNS if self.quick else TURNS)
        names = list(arms)
        measured: dict[str, list[T]] = {name: [] for name in names}
        if not self.quick if warm is None else warm:
            for name in names:
                self.say(f"{name}, warming up")
                arms[name]()
        for turn in range(count):
            for name in reversed(names) if turn % 2 else names:
                self.say(f"{name}, {turn + 1} of {count}")
                measured[name].append(arms[name]())
        return measured

    def agree(self, what: str, found: Any, expected: Any) -> None:
        """Note that the outcome is as it must be, or void the run."""
        if found != expected:
            shown = f"{_differing(found, expected)}"[: 2 * _SHOWN]
            raise Disagreement(f"{self.suite}: {what}: {shown}")
        self.agreed.append(what)

    def figure(
        self,
        name: str,
        values: Sequence[float],
        *,
        unit: str,
        better: Better = "higher",
        points: Sequence[tuple[float, float]] = (),
    ) -> float:
        """Give the median of what was measured, and return it."""
        if not self.agreed:
            raise Disagreement(
                f"{self.suite}: {name} was measured, nothing was checked"
            )
        value = statistics.median(values)
        self.figures.append(
            Figure(
                name=name,
                value=value,
                low=min(values),
                high=max(values),
                unit=unit,
                better=better,
                turns=len(values),
                checked=True,
                points=tuple(points),
            )
        )
        return value

    def ratio(
        self,
        name: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        *,
        better: Better = "higher",
        points: Sequence[tuple[float, float]] = (),
    ) -> float:
        """Give the median of what each turn's two values are to each other."""
        pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
        return self.figure(name, pairs, unit="ratio", better=better, points=points)

    def skip(self, name: str, reason: str) -> None:
        """Say why there is no such figure on this machine."""
        self.skipped[name] = reason


def _differing(found: Any, expected: Any) -> str:
    """Show where two outcomes differ, so that it can be found."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in [*expected, *found]:
            if found.get(key) != expected.get(key):
                return f"{key!r}: " + _differing(found.get(key), expected.get(key))
    if isinstance(found, (list, tuple)) and isinstance(expected, (list, tuple)):
        for place, (one, other) in enumerate(zip(found, expected, strict=False)):
            if one != other:
                return f"[{place}] " + _differing(one, other)
        return f"{len(found)} found, {len(expected)} expected"
    return f"found {found!r:.{_SHOWN}}, expected {expected!r:.{_SHOWN}}"
