"""The answers of one page: all of its figures, of one state of the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from services.analytics.application.figures import Figures
from services.analytics.pages import causes, frequencies, lines
from services.analytics.pages.asking import EVERYWHERE
from services.kernel.errors import FieldError, MalformedError

if TYPE_CHECKING:
    from services.analytics.application.figures import Known
    from services.analytics.domain.figures import Selection
    from services.analytics.pages.asking import Pairs, Read
    from services.analytics.pages.contents import Section, View
    from services.analytics.pages.showing import Reader, Shown


class Answered(Protocol):
    """One section's answer."""

    def show(self, reader: Reader) -> Shown: ...


class Answers(NamedTuple):
    """`counted` complaints are selected at all; each figure tells more of them."""

    selection: Selection
    known: Known
    counted: int
    found: list[Answered]


Ask = Callable[[Figures, int, datetime], Answered]
"""Gives the answer of a position, by which the open are as old as at an instant."""


def answers(
    view: View, pairs: Pairs, figures: Figures, read: Read, now: datetime
) -> Answers:
    """Ask for everything at the position that the first answer is of.

    Raises `MalformedError` with the faults of all questions, each once.
    """
    ready: list[Ask] = []
    faults: list[FieldError] = []
    for section in view.sections:
        try:
            ready.append(_ask(section, section.pairs(pairs, view.asks), read))
        except MalformedError as error:
            faults += error.errors
    if faults:
        raise MalformedError(
            "analytics.question",
            "Correct the named parameters.",
            errors={(fault.field, fault.message): fault for fault in faults}.values(),
        )
    of_all = read([pair for pair in pairs if pair[0] in EVERYWHERE]).cases()
    known = figures.known(of_all.as_of)
    counted = figures.frequency(of_all.selection, as_of=known.position)
    at = now if of_all.as_of is None or known.as_of is None else known.as_of
    return Answers(
        of_all.selection,
        known,
        sum(row.count for row in counted.rows),
        [ask(figures, known.position, at) for ask in ready],
    )


def _ask(section: Section, pairs: Pairs, read: Read) -> Ask:
    """Read a section's question; gives what answers it. Raises `MalformedError`."""
    if section.drawing == "time":
        often = frequencies.asked(pairs, read)
        return lambda figures, position, _: frequencies.frequencies(
            section, often, figures, position
        )
    if section.drawing == "pareto":
        why = causes.asked(pairs, read)
        return lambda figures, position, _: causes.causes(
            section, why, figures, position
        )
    question = lines.asked(section, pairs, read)
    return lambda figures, position, at: lines.lines(
        section, question, figures, position, at=at
    )
