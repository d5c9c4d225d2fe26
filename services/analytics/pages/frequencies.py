"""How often people complain: complaints over time, whole or split by a dimension."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from services.analytics.application.figures import FREQUENCY
from services.analytics.pages.showing import (
    Cell,
    Counter,
    Head,
    Shown,
    Table,
    periods,
)
from services.kernel.errors import FieldError, MalformedError
from services.kernel.i18n import msgid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.analytics.application.figures import (
        Figures,
        Frequency,
        FrequencyRow,
        Question,
    )
    from services.analytics.domain.figures import Selection
    from services.analytics.domain.periods import Period
    from services.analytics.pages.asking import Pairs, Read
    from services.analytics.pages.contents import Section
    from services.analytics.pages.showing import Reader

MOST_SERIES: Final = 8
"""So many values are told apart over time; the rest is drawn as one."""


def asked(pairs: Pairs, read: Read) -> Question:
    """Read the question; its periods are months. Raises `MalformedError`."""
    question = read([("group_by", "period"), *pairs]).question(FREQUENCY)
    if len(question.dimensions) > 1:
        raise MalformedError(
            "analytics.question",
            "Correct the named parameters.",
            errors=[FieldError("group_by", "is given more than once", "give it once")],
        )
    return question


class _Line(NamedTuple):
    """One period: in all, by the values told apart, and what is left of them."""

    label: str
    span: Selection
    received: int
    cells: tuple[FrequencyRow | None, ...]
    others: int


@dataclass(frozen=True, slots=True)
class Frequencies:
    """One answer over time, and where it is split the same in all."""

    section: Section
    question: Question
    over_time: Frequency
    in_all: Frequency | None

    @property
    def split(self) -> str | None:
        return next(iter(self.question.dimensions), None)

    @property
    def period(self) -> Period:
        return cast("Period", self.question.period)  # `asked` groups by it always

    def show(self, reader: Reader) -> Shown:
        told = [row.values for row in self.in_all.rows] if self.in_all else []
        split = self.split
        apart = [each[split] for each in told[:MOST_SERIES]] if split else []
        names = [reader.name(split, value) for value in apart] if split else []
        lines = self._lines(apart)
        more = len(told) > MOST_SERIES
        total = sum(line.received for line in lines)
        tables = [self._over_time(reader, lines, names, more)]
        if self.in_all is not None:
            tables.append(self._in_all(reader, self.in_all))
        whole = reader.count(total, self.question.selection)
        return Shown(
            section=self.section,
            counters=(Counter(whole, reader.say(_RECEIVED)),),
            plot=self._plot(reader, lines, names, more),
            tables=tuple(tables),
            definition=(
                reader.word("counts", "frequency"),
                reader.word("by", "frequency"),
            ),
            split=split is not None,
        )

    def _lines(self, apart: Sequence[str | None]) -> list[_Line]:
        """Give the periods that have complaints, in order."""
        split, filters = self.split, self.question.selection.filters
        found: dict[str, list[FrequencyRow]] = defaultdict(list)
        for row in self.over_time.rows:
            found[row.values["period"] or ""].append(row)
        lines = []
        for label, rows in found.items():
            cells = {row.values[split]: row for row in rows} if split else {}
            told = [cells.get(value) for value in apart]
            count = sum(row.count for row in rows)
            others = count - sum(row.count for row in told if row) if split else 0
            span = replace(rows[0].cases, filters=filters)
            lines.append(_Line(label, span, count, tuple(told), others))
        return lines

    def _over_time(
        self, reader: Reader, lines: list[_Line], names: list[str], more: bool
    ) -> Table:
        heads = [
            Head(reader.word("period", self.period), "label"),
            Head(reader.say(_COMPLAINTS), "count"),
            *(Head(name, "code") for name in names),
        ]
        if more:
            heads.append(Head(reader.say(_OTHERS), "count"))
        rows = []
        for line in reversed(lines[-self.section.many :]):
            here = reader.opened(self.period, line.span)
            cells = [Cell(line.label, "label", here)]
            cells.append(reader.count(line.received, line.span))
            cells += [
                reader.count(row.count, row.cases) if row else Cell(0, "count")
                for row in line.cells
            ]
            if more:
                others = here if line.others else None
                cells.append(Cell(line.others, "count", others))
            rows.append(tuple(cells))
        return Table(
            reader.say(_OVER_TIME), tuple(heads), tuple(rows), len(lines) - len(rows)
        )

    def _in_all(self, reader: Reader, answer: Frequency) -> Table:
        split = self.split or ""
        whole = sum(row.count for row in answer.rows)
        dimension = reader.word("dimension", split)
        rows = [
            (
                Cell(
                    reader.name(split, row.values[split]),
                    "code",
                    reader.narrowed(split, row.cases),
                ),
                reader.count(row.count, row.cases),
                Cell(row.count / whole, "share"),
            )
            for row in answer.rows[: self.section.many]
        ]
        return Table(
            reader.say(_BY_DIMENSION, dimension=dimension),
            (
                Head(dimension, "label"),
                Head(reader.say(_COMPLAINTS), "count"),
                Head(reader.say(_SHARE), "share"),
            ),
            tuple(rows),
            len(answer.rows) - len(rows),
        )

    def _plot(
        self, reader: Reader, lines: list[_Line], names: list[str], more: bool
    ) -> dict[str, Any] | None:
        """Give every period between the first and the last, also those without any."""
        if not lines:
            return None
        labels = periods(self.period, lines[0].span, lines[-1].span, reader.zone)
        by_label = {line.label: line for line in lines}
        found = [by_label.get(label) for label in labels]
        drawn = [
            {"name": name, "values": [_cell(line, index) for line in found]}
            for index, name in enumerate(names)
        ]
        if more:
            rest = [line.others if line else 0 for line in found]
            drawn.append({"name": reader.say(_OTHERS), "values": rest})
        if not drawn:
            whole = [line.received if line else 0 for line in found]
            drawn = [{"name": reader.say(_COMPLAINTS), "values": whole}]
        return {
            "kind": "time",
            "unit": "count",
            "stacked": True,
            "periods": labels,
            "series": drawn,
        }


def frequencies(
    section: Section, question: Question, figures: Figures, position: int
) -> Frequencies:
    """Ask for both answers at one position."""

    def counted(period: Period | None) -> Frequency:
        return figures.frequency(
            question.selection,
            dimensions=question.dimensions,
            period=period,
            level=question.level,
            as_of=position,
        )

    in_all = counted(None) if question.dimensions else None
    return Frequencies(section, question, counted(question.period), in_all)


def _cell(line: _Line | None, index: int) -> int:
    row = line.cells[index] if line else None
    return row.count if row else 0


_RECEIVED: Final = msgid("complaints received")
_COMPLAINTS: Final = msgid("Complaints")
_OTHERS: Final = msgid("Others")
_SHARE: Final = msgid("Share")
_OVER_TIME: Final = msgid("Complaints received over time")
_BY_DIMENSION: Final = msgid("Complaints received, by %(dimension)s")
