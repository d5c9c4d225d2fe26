"""Any figure of the register: its total, its lines, and the plot that fits them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from services.analytics.application.figures import FIGURES
from services.analytics.pages.showing import (
    MOST_BARS,
    Cell,
    Counter,
    Head,
    Shown,
    Table,
    periods,
)
from services.kernel.i18n import msgid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.analytics.application.figures import (
        Answer,
        Figure,
        Figures,
        Line,
        Number,
        Question,
    )
    from services.analytics.domain.figures import Selection
    from services.analytics.pages.asking import Pairs, Read
    from services.analytics.pages.contents import Section
    from services.analytics.pages.showing import Kind, Reader

MOST_BESIDE: Final = 5
"""A table with more numbers stands below its plot."""

JOINT: Final = " · "
"""Between the names of a line that is of several things."""


def asked(section: Section, pairs: Pairs, read: Read) -> Question:
    return read(pairs).question(FIGURES[section.figure])


@dataclass(frozen=True, slots=True)
class Lines:
    section: Section
    figure: Figure
    question: Question
    answer: Answer

    @property
    def over_time(self) -> bool:
        return self.question.period is not None

    def show(self, reader: Reader) -> Shown:
        section, total = self.section, self.answer.total
        counters = tuple(
            Counter(self._cell(reader, name, total[name]), self._named(reader, name))
            for name in section.lead
        )
        one_row_each = section.drawing == "columns"
        told = any(number.value for number in total.values())
        empty = not told or not (one_row_each or self.answer.lines)
        in_rows = self._of_columns if one_row_each else self._of_lines
        name = self.figure.name
        definition = [reader.word("counts", name), reader.word("by", name)]
        if self.figure.out_of is not None:
            definition.append(reader.word("out_of", name))
        limited = section.drawing != "none" and not one_row_each and not self.over_time
        return Shown(
            section=section,
            counters=counters,
            plot=None if empty or section.drawing == "none" else self._plot(reader),
            tables=() if empty else (in_rows(reader),),
            split=not one_row_each and len(self.figure.columns) > MOST_BESIDE,
            definition=tuple(definition),
            drawn=min(MOST_BARS, len(self.answer.lines)) if limited else 0,
            lines=len(self.answer.lines) if limited else 0,
        )

    def _named(self, reader: Reader, column: str) -> str:
        return reader.word("column", f"{self.figure.name}.{column}")

    def _cell(self, reader: Reader, column: str, number: Number) -> Cell:
        return reader.number(cast("Kind", self.figure.columns[column]), number)

    def _title(self, reader: Reader) -> str:
        return reader.word("section", self.section.key)

    def _of_columns(self, reader: Reader) -> Table:
        """Give the total alone, a column in each row."""
        total = self.answer.total
        rows = tuple(
            (
                Cell(self._named(reader, name), "label"),
                self._cell(reader, name, total[name]),
            )
            for name in self.figure.columns
        )
        heads = (
            Head(reader.word("of", self.figure.name), "label"),
            Head(reader.say(_NUMBER), "count"),
        )
        return Table(self._title(reader), heads, rows)

    def _of_lines(self, reader: Reader) -> Table:
        """Give a row of each line, periods the newest first, the total at the foot."""
        lines, many = self.answer.lines, self.section.many
        shown = lines[: -many - 1 : -1] if self.over_time else lines[:many]
        kinds = self.figure.columns
        first = list(lines[0].values)
        heads = [
            *(Head(reader.word("of", name), "label") for name in first),
            *(
                Head(self._named(reader, name), cast("Kind", kind))
                for name, kind in kinds.items()
            ),
        ]
        rows = [
            (
                *self._names(reader, line),
                *(self._cell(reader, name, line.numbers[name]) for name in kinds),
            )
            for line in shown
        ]
        total: tuple[Cell, ...] = ()
        if len(lines) > 1 and not self.section.only:
            blank = [Cell(None, "label")] * (len(first) - 1)
            of_all = self.answer.total
            total = (
                Cell(reader.say(_IN_ALL), "label"),
                *blank,
                *(self._cell(reader, name, of_all[name]) for name in kinds),
            )
        left_out = len(lines) - len(rows)
        return Table(self._title(reader), tuple(heads), tuple(rows), left_out, total)

    def _names(self, reader: Reader, line: Line) -> list[Cell]:
        """Say what a line is of; a name leads to its complaints alone."""
        cases = self._cases(line)
        cells = []
        for name, value in line.values.items():
            here = None
            if name == "period" and cases is not None and self.question.period:
                here = reader.opened(self.question.period, cases)
            elif cases is not None and name in self.question.dimensions:
                here = reader.narrowed(name, cases)
            kind: Kind = "label" if name == "period" else "code"
            cells.append(Cell(reader.name(name, value), kind, here))
        return cells

    def _plot(self, reader: Reader) -> dict[str, Any]:
        columns, lines = self.section.columns, self.answer.lines
        plot: dict[str, Any] = {
            "kind": "time" if self.over_time else "bars",
            "unit": self.figure.columns[columns[0]],
            "stacked": self.section.drawing == "stacked",
        }
        if self.section.drawing == "columns":
            values = [self.answer.total[name].value for name in columns]
            return {
                **plot,
                "names": [self._named(reader, name) for name in columns],
                "series": [{"name": self._title(reader), "values": values}],
            }
        drawn: Sequence[Line | None] = lines[:MOST_BARS]
        if self.over_time:
            plot["periods"], drawn = self._periods(reader)
        else:
            plot["names"] = [self._name(reader, line) for line in lines[:MOST_BARS]]
        return {
            **plot,
            "series": [
                {
                    "name": self._named(reader, name),
                    "values": [line and line.numbers[name].value for line in drawn],
                }
                for name in columns
            ],
        }

    def _name(self, reader: Reader, line: Line) -> str:
        return JOINT.join(reader.name(*value) for value in line.values.items())

    def _periods(self, reader: Reader) -> tuple[list[str], list[Line | None]]:
        """Give every period from the first line to the last, also those without one."""
        lines = {self._name(reader, line): line for line in self.answer.lines}
        first, last = (self._cases(self.answer.lines[at]) for at in (0, -1))
        labels = periods(self.question.period, first, last, reader.zone)
        return labels, [lines.get(label) for label in labels]

    def _cases(self, line: Line) -> Selection | None:
        """Give the complaints of a line: those of the first number that has any."""
        found = (number.cases for number in line.numbers.values())
        return next(filter(None, found), None)


def lines(
    section: Section,
    question: Question,
    figures: Figures,
    position: int,
    *,
    at: datetime,
) -> Lines:
    """Ask one figure at a position; what is open is as old as it was `at` that moment."""
    figure = FIGURES[section.figure]
    question = replace(question, as_of=position, at=at)
    answer = figures.answer(figure, question)
    if question.period is not None and question.compare and question.spans:
        # Beside the periods, each with the one before, all of them with the time before.
        whole = replace(question, period=None, dimensions=())
        answer = replace(answer, total=figures.answer(figure, whole).total)
    if section.only:
        kept = [line for line in answer.lines if line.numbers[section.only].value]
        answer = replace(answer, lines=kept)
    return Lines(section, figure, question, answer)


_NUMBER: Final = msgid("Value")
_IN_ALL: Final = msgid("In all")
