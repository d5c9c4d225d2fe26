"""Why people complain: a Pareto of the root causes, as reported or as found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from services.analytics.application.figures import BASES, ROOT_CAUSES
from services.analytics.pages.showing import MOST_BARS, Cell, Head, Shown, Table
from services.kernel.i18n import msgid

if TYPE_CHECKING:
    from services.analytics.application.figures import Answer, Figures, Question
    from services.analytics.pages.asking import Pairs, Read
    from services.analytics.pages.contents import Section
    from services.analytics.pages.showing import Reader


def asked(pairs: Pairs, read: Read) -> Question:
    return read(pairs).question(ROOT_CAUSES)


@dataclass(frozen=True, slots=True)
class Causes:
    section: Section
    question: Question
    answer: Answer

    def show(self, reader: Reader) -> Shown:
        basis = self.question.basis
        rows = self.answer.lines
        names = [
            reader.name(basis, row.values["cause"]) for row in rows[: self.section.many]
        ]
        numbers = [row.numbers for row in rows[: self.section.many]]
        drawn = [each for each in numbers[:MOST_BARS] if each["count"].value]
        bars = len(drawn)
        count, running = reader.say(_COMPLAINTS), reader.say(_CUMULATIVE)
        lines = tuple(
            (
                Cell(
                    name,
                    "code",
                    reader.narrowed(BASES[basis], cases) if cases else None,
                ),
                reader.number("count", each["count"]),
                reader.number("share", each["share"]),
                Cell(each["cumulative_share"].value, "share"),
            )
            for name, each in zip(names, numbers, strict=True)
            for cases in (each["count"].cases,)
        )
        heads = (
            Head(reader.say(_CAUSE), "label"),
            Head(count, "count"),
            Head(reader.say(_SHARE), "share"),
            Head(running, "share"),
        )
        plot = {
            "kind": "pareto",
            "words": {"count": count, "cumulative": running},
            "names": names[:bars],
            "counts": [each["count"].value for each in drawn],
            "cumulative": [each["cumulative_share"].value for each in drawn],
        }
        return Shown(
            section=self.section,
            counters=(),
            plot=plot if rows else None,
            tables=(Table(reader.say(_RANKED), heads, lines, len(rows) - len(lines)),),
            definition=(
                reader.word("counts", "root-causes"),
                reader.word("by", "root-causes"),
                reader.word("out_of", "root-causes"),
            ),
            note=reader.word("meaning", basis),
            drawn=bars,
            lines=len(rows),
        )


def causes(
    section: Section, question: Question, figures: Figures, position: int
) -> Causes:
    answer = figures.answer(ROOT_CAUSES, replace(question, as_of=position))
    return Causes(section, question, answer)


_COMPLAINTS: Final = msgid("Complaints")
_SHARE: Final = msgid("Share")
_CUMULATIVE: Final = msgid("Cumulative share")
_CAUSE: Final = msgid("Root cause")
_RANKED: Final = msgid("Root causes, the most frequent first")
