"""Turn the answers into what a page shows: rows with links, and plots of the same rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from services.analytics.application.questions import address
from services.analytics.domain.periods import buckets
from services.analytics.pages.asking import CASES, FINER, changed, days, narrowed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures import (
        Figures,
        Frequency,
        FrequencyRow,
        Known,
        RootCauses,
    )
    from services.analytics.domain.figures import Selection
    from services.analytics.pages.asking import Asked, Pairs

MOST_SERIES: Final = 8
"""So many values are told apart over time; the rest is drawn as one."""

MOST_BARS: Final = 20
"""So many causes are drawn; the table has more."""

MOST_LINES: Final = 500
"""A table has at most so many lines."""


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers of one page, of one state of the log."""

    over_time: Frequency
    by_value: Frequency | None
    causes: RootCauses

    @property
    def known(self) -> Known:
        return self.over_time.known

    @property
    def total(self) -> int:
        return sum(row.count for row in self.over_time.rows)


@dataclass(frozen=True, slots=True)
class Number:
    """A count, and where its complaints are listed; None where one may not look."""

    count: int
    href: str | None


class TimeLine(NamedTuple):
    """One period: in all, by the values told apart, and what is left of it."""

    label: str
    href: str
    total: Number
    cells: tuple[Number | None, ...]
    others: int


class ValueLine(NamedTuple):
    """One value of the dimension by which one splits, or one cause of the Pareto."""

    name: str
    href: str
    number: Number
    share: float
    cumulative: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What the template needs; `left_out` lines had no room in their table."""

    total: Number
    series: tuple[str, ...]
    has_others: bool
    times: tuple[TimeLine, ...]
    times_left_out: int
    values: tuple[ValueLine, ...]
    values_left_out: int
    causes: tuple[ValueLine, ...]
    causes_left_out: int
    time_plot: dict[str, Any]
    cause_plot: dict[str, Any]


def answers(figures: Figures, question: Asked) -> Answers:
    """Ask for everything at the position that the first answer is of."""
    frequency, causes = question.frequency, question.causes
    over_time = figures.frequency(
        frequency.selection,
        dimensions=frequency.dimensions,
        period=frequency.period,
        level=frequency.level,
        as_of=frequency.as_of,
    )
    position = over_time.known.position
    by_value = None
    if question.split is not None:
        by_value = figures.frequency(
            frequency.selection,
            dimensions=frequency.dimensions,
            level=frequency.level,
            as_of=position,
        )
    ranked = figures.root_causes(
        causes.selection, basis=causes.basis, level=causes.level, as_of=position
    )
    return Answers(over_time, by_value, ranked)


class Showing:
    """Shows the answers to one reader: in their words, with the links they may follow."""

    def __init__(
        self,
        question: Asked,
        pairs: Pairs,
        *,
        zone: ZoneInfo,
        name: Callable[[str, str | None], str],
        others: str,
        total: str,
        lists: bool,
    ) -> None:
        """`others` and `total` name these two series; `lists`: cases may be listed."""
        self._question = question
        self._pairs = pairs
        self._zone = zone
        self._name = name
        self._words = {"others": others, "total": total}
        self._lists = lists

    def show(self, found: Answers) -> Shown:
        position = found.known.position
        values = self._values(found.by_value, position)
        told = [row.values for row in found.by_value.rows] if found.by_value else []
        split = self._question.split
        apart = [each[split] for each in told[:MOST_SERIES]] if split else []
        has_others = len(told) > MOST_SERIES
        times = self._times(found.over_time, apart, position)
        causes = self._causes(found.causes, position)
        series = tuple(line.name for line in values[:MOST_SERIES])
        return Shown(
            total=self._number(
                found.total, self._question.frequency.selection, position
            ),
            series=series,
            has_others=has_others,
            times=tuple(reversed(times[-MOST_LINES:])),
            times_left_out=max(0, len(times) - MOST_LINES),
            values=tuple(values[:MOST_LINES]),
            values_left_out=max(0, len(values) - MOST_LINES),
            causes=tuple(causes[:MOST_LINES]),
            causes_left_out=max(0, len(causes) - MOST_LINES),
            time_plot=self._time_plot(found.over_time, times, series, has_others),
            cause_plot={
                "kind": "pareto",
                "names": [line.name for line in causes[:MOST_BARS]],
                "counts": [line.number.count for line in causes[:MOST_BARS]],
                "cumulative": [line.cumulative for line in causes[:MOST_BARS]],
            },
        )

    def _number(self, count: int, cases: Selection, position: int) -> Number:
        return Number(count, address(CASES, cases, position) if self._lists else None)

    def _times(
        self, answer: Frequency, apart: Sequence[str | None], position: int
    ) -> list[TimeLine]:
        """Give the periods that have complaints, in order."""
        split = self._question.split
        periods: dict[str, list[FrequencyRow]] = defaultdict(list)
        for row in answer.rows:
            periods[row.values["period"] or ""].append(row)
        lines = []
        for label, rows in periods.items():
            cells = {row.values[split]: row for row in rows} if split else {}
            span = rows[0].cases
            filters = self._question.frequency.selection.filters
            count = sum(row.count for row in rows)
            lines.append(
                TimeLine(
                    label,
                    self._opened(span),
                    self._number(count, replace(span, filters=filters), position),
                    tuple(
                        self._number(cells[value].count, cells[value].cases, position)
                        if value in cells
                        else None
                        for value in apart
                    ),
                    count - sum(cells[value].count for value in apart if value in cells)
                    if split
                    else 0,
                )
            )
        return lines

    def _opened(self, span: Selection) -> str:
        """Give the address of one period alone, in finer ones."""
        assert span.received_from is not None  # noqa: S101 a period has both ends
        assert span.received_to is not None  # noqa: S101 as above
        ends = days(span.received_from, span.received_to, self._zone)
        finer = FINER[self._question.period]
        return changed(self._pairs, **ends, period=finer)

    def _values(self, answer: Frequency | None, position: int) -> list[ValueLine]:
        split = self._question.split
        if answer is None or split is None:
            return []
        whole = sum(row.count for row in answer.rows)
        lines, running = [], 0
        for row in answer.rows:
            running += row.count
            lines.append(
                ValueLine(
                    self._name(split, row.values[split]),
                    self._narrowed(row.cases),
                    self._number(row.count, row.cases, position),
                    row.count / whole,
                    running / whole,
                )
            )
        return lines

    def _causes(self, answer: RootCauses, position: int) -> list[ValueLine]:
        basis = self._question.causes.basis
        return [
            ValueLine(
                self._name(basis, row.cause),
                self._narrowed(row.cases),
                self._number(row.count, row.cases, position),
                row.share,
                row.cumulative_share,
            )
            for row in answer.rows
        ]

    def _narrowed(self, cases: Selection) -> str:
        name, values = cases.filters[-1]
        return narrowed(self._pairs, name, ",".join(values))

    def _time_plot(
        self,
        answer: Frequency,
        times: Sequence[TimeLine],
        series: Sequence[str],
        has_others: bool,
    ) -> dict[str, Any]:
        """Give every period between the first and the last, also those without any."""
        if not times:
            return {"kind": "time", "periods": [], "series": []}
        first, last = answer.rows[0].cases, answer.rows[-1].cases
        assert first.received_from is not None  # noqa: S101 a period has both ends
        assert last.received_to is not None  # noqa: S101 as above
        spans = buckets(
            self._question.period,
            first.received_from,
            last.received_to - timedelta(microseconds=1),
            self._zone,
        )
        lines = {line.label: line for line in times}
        found = [lines.get(span.label) for span in spans]
        drawn = [
            {"name": name, "values": [_cell(line, index) for line in found]}
            for index, name in enumerate(series)
        ]
        if has_others:
            rest = [line.others if line else 0 for line in found]
            drawn.append({"name": self._words["others"], "values": rest})
        if not drawn:
            whole = [line.total.count if line else 0 for line in found]
            drawn = [{"name": self._words["total"], "values": whole}]
        return {
            "kind": "time",
            "periods": [span.label for span in spans],
            "series": drawn,
        }


def _cell(line: TimeLine | None, index: int) -> int:
    number = line.cells[index] if line else None
    return number.count if number else 0
