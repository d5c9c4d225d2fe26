"""How often people complain: complaints over time, whole or split by a dimension."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from services.analytics.application.figures import FREQUENCY, Number
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
    from collections.abc import Iterable, Sequence

    from services.analytics.application.figures import (
        Answer,
        Figures,
        Line,
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
    received: Number
    cells: tuple[Number, ...]
    others: Number


@dataclass(frozen=True, slots=True)
class Frequencies:
    """One answer over time, and where it is split or compared the same in all."""

    section: Section
    question: Question
    over_time: Answer
    in_all: Answer | None

    @property
    def split(self) -> str | None:
        return next(iter(self.question.dimensions), None)

    @property
    def period(self) -> Period:
        return cast("Period", self.question.period)  # `asked` groups by it always

    def show(self, reader: Reader) -> Shown:
        split, in_all = self.split, self.in_all
        told = [line.values for line in in_all.lines] if in_all and split else []
        apart = [each[split] for each in told[:MOST_SERIES]] if split else []
        names = [reader.name(split, value) for value in apart] if split else []
        lines = self._lines(apart)
        more = len(told) > MOST_SERIES
        tables = [self._over_time(reader, lines, names, more)]
        if split and in_all is not None:
            tables.append(self._in_all(reader, split, in_all))
        if in_all is not None:
            total = in_all.total["count"]
        else:
            total = Number(sum(line.received.value or 0 for line in lines))
        whole = replace(total, cases=self.question.selection)
        return Shown(
            section=self.section,
            counters=(Counter(reader.number("count", whole), reader.say(_RECEIVED)),),
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
        found: dict[str, list[Line]] = defaultdict(list)
        for line in self.over_time.lines:
            found[line.values["period"] or ""].append(line)
        lines = []
        for label, rows in found.items():
            counts = [row.numbers["count"] for row in rows]
            cases = next(number.cases for number in counts if number.cases)
            span = replace(cases, filters=filters)
            of = {row.values[split]: row.numbers["count"] for row in rows if split}
            told = tuple(of.pop(value, self._nothing) for value in apart)
            others = self._sum(of.values())
            received = replace(self._sum(counts), cases=span)
            lines.append(_Line(label, span, received, told, others))
        return lines

    @property
    def _nothing(self) -> Number:
        return Number(0, before=Number(0) if self.question.compare else None)

    def _sum(self, numbers: Iterable[Number]) -> Number:
        """Count all together, and what they were before."""
        now: float = 0
        then: float = 0
        before: list[Number] = []
        for number in numbers:
            now += number.value or 0
            if number.before is not None:
                before.append(number.before)
                then += number.before.value or 0
        if not self.question.compare:
            return Number(now)
        return Number(now, before=before[0] if len(before) == 1 else Number(then))

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
            cells += [
                reader.number("count", each) for each in (line.received, *line.cells)
            ]
            if more:
                others = reader.number("count", line.others)
                cells.append(others._replace(href=here if others.value else None))
            rows.append(tuple(cells))
        return Table(
            reader.say(_OVER_TIME), tuple(heads), tuple(rows), len(lines) - len(rows)
        )

    def _in_all(self, reader: Reader, split: str, answer: Answer) -> Table:
        whole = answer.total["count"].value
        dimension = reader.word("dimension", split)
        rows = []
        for line in answer.lines[: self.section.many]:
            count, value = line.numbers["count"], line.values[split]
            here = reader.narrowed(split, count.cases) if count.cases else None
            rows.append(
                (
                    Cell(reader.name(split, value), "code", here),
                    reader.number("count", count),
                    Cell((count.value or 0) / whole if whole else None, "share"),
                )
            )
        return Table(
            reader.say(_BY_DIMENSION, dimension=dimension),
            (
                Head(dimension, "label"),
                Head(reader.say(_COMPLAINTS), "count"),
                Head(reader.say(_SHARE), "share"),
            ),
            tuple(rows),
            len(answer.lines) - len(rows),
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
            rest = [line.others.value if line else 0 for line in found]
            drawn.append({"name": reader.say(_OTHERS), "values": rest})
        if not drawn:
            whole = [line.received.value if line else 0 for line in found]
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
    question = replace(question, as_of=position)
    over_time = figures.answer(FREQUENCY, question)
    in_all = None
    if question.dimensions or (question.compare and question.spans):
        compare = question.compare if question.spans else None
        whole = replace(question, period=None, compare=compare)
        in_all = figures.answer(FREQUENCY, whole)
    return Frequencies(section, question, over_time, in_all)


def _cell(line: _Line | None, index: int) -> float:
    return line.cells[index].value or 0 if line else 0


_RECEIVED: Final = msgid("complaints received")
_COMPLAINTS: Final = msgid("Complaints")
_OTHERS: Final = msgid("Others")
_SHARE: Final = msgid("Share")
_OVER_TIME: Final = msgid("Complaints received over time")
_BY_DIMENSION: Final = msgid("Complaints received, by %(dimension)s")
