"""Why people complain: a Pareto of the root causes, as reported or as found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.analytics.application.figures import BASES, ROOT_CAUSES
from services.analytics.pages.showing import MOST_BARS, Cell, Head, Shown, Table
from services.kernel.i18n import msgid

if TYPE_CHECKING:
    from services.analytics.application.figures import Figures, Question, RootCauses
    from services.analytics.pages.asking import Pairs, Read
    from services.analytics.pages.contents import Section
    from services.analytics.pages.showing import Reader


def asked(pairs: Pairs, read: Read) -> Question:
    return read(pairs).question(ROOT_CAUSES)


@dataclass(frozen=True, slots=True)
class Causes:
    section: Section
    question: Question
    answer: RootCauses

    def show(self, reader: Reader) -> Shown:
        basis = self.question.basis
        rows = self.answer.rows
        names = [reader.name(basis, row.cause) for row in rows[: self.section.many]]
        bars = min(MOST_BARS, len(names))
        count, running = reader.say(_COMPLAINTS), reader.say(_CUMULATIVE)
        lines = tuple(
            (
                Cell(name, "code", reader.narrowed(BASES[basis], row.cases)),
                reader.count(row.count, row.cases),
                Cell(row.share, "share"),
                Cell(row.cumulative_share, "share"),
            )
            for name, row in zip(names, rows, strict=False)
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
            "counts": [row.count for row in rows[:bars]],
            "cumulative": [row.cumulative_share for row in rows[:bars]],
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
    answer = figures.root_causes(
        question.selection, basis=question.basis, level=question.level, as_of=position
    )
    return Causes(section, question, answer)


_COMPLAINTS: Final = msgid("Complaints")
_SHARE: Final = msgid("Share")
_CUMULATIVE: Final = msgid("Cumulative share")
_CAUSE: Final = msgid("Root cause")
_RANKED: Final = msgid("Root causes, the most frequent first")
