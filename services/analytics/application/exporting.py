"""Figures, and the complaints behind a number, as tables for files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.analytics.application.figure_words import BY, COUNTS, OUT_OF
from services.analytics.application.figures import FIGURES, FREQUENCY
from services.analytics.application.words import FIGURES as NAMES
from services.analytics.application.words import named
from services.analytics.domain.figures import DIMENSIONS
from services.kernel.clock import from_micros, rfc3339, stated_day
from services.kernel.errors import NotFoundError
from services.kernel.i18n import Catalogues, msgid
from services.kernel.spreadsheets import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures import (
        Cases,
        Figure,
        Figures,
        Kind,
        Known,
        Number,
        Question,
    )
    from services.analytics.application.questions import Parameters
    from services.analytics.domain.figures import Selection
    from services.analytics.domain.versions import Version

CASES: Final = "cases"
EXPORTED: Final = (*FIGURES, CASES)
"""Whatever comes as a file."""

LOCALE: Final = Path(__file__).parent.parent / "locale"
PAGE: Final = 1_000  # complaints read at once
_DAY: Final = 86_400

_DAYS: Final = msgid("days")
_ABOUT: Final = msgid("About")
_BEFORE: Final = msgid("Before")
_CHANGE: Final = msgid("Change")
_ONLY: Final = msgid("Only")
_TOTAL: Final = msgid("Total")

_SHOWN: Final = {"instant": "moment", "flag": "text"}
"""What a file calls the kinds of a figure's columns that are no numbers in it."""

_BASES: Final = {"reported": msgid("As reported"), "found": msgid("As found")}
_COMPARED: Final = {
    "previous": msgid("The time before"),
    "last_year": msgid("A year before"),
}

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Told:
    """A column behind what a line is of, and how it is read from the line's numbers."""

    heading: str
    kind: Kind
    of: Callable[[Mapping[str, Number]], float | None]


class Exports:
    """Makes the tables of files: the numbers of the API, with what they are about.

    Headings and the words about the table are in the reader's language; values are
    codes, as everywhere.
    """

    def __init__(self, figures: Figures, zone: ZoneInfo) -> None:
        self._figures = figures
        self._zone = zone
        self._catalogues = Catalogues([LOCALE])

    def table(self, name: str, parameters: Parameters, language: str) -> Table:
        """Give any of `EXPORTED`. Raises `NotFoundError`, and what `parameters` raises."""
        say: Callable[[str], str] = self._catalogues.of(language).ugettext
        if name == CASES:
            return self._cases(parameters, say)
        figure = FIGURES.get(name)
        if figure is None:
            raise NotFoundError(
                "analytics.no_such_figure", f"Use one of {', '.join(EXPORTED)}."
            )
        return self._figure(figure, parameters, say)

    def _figure(
        self, figure: Figure, parameters: Parameters, say: Callable[[str], str]
    ) -> Table:
        question = parameters.question(figure)
        answer = self._figures.answer(figure, question)
        by = [*(["period"] if question.period else []), *question.dimensions]
        names = [*(answer.lines[0].values if answer.lines else by)]
        told = [*_told(figure, say, compared=question.compare is not None)]
        totals = [(each, each.of(answer.total)) for each in told]
        about = [
            *_defined(say, figure),
            *_asked(say, by, figure, question),
            *self._chosen(say, question.selection),
            *_state(say, answer.known),
            *(
                (f"{say(_TOTAL)}: {each.heading}", _shown(value, each.kind, say))
                for each, value in totals
                if value is not None and each.kind not in _SHOWN
            ),
        ]
        numbers = [
            Column(each.heading, _SHOWN.get(each.kind, each.kind), days=say(_DAYS))  # type: ignore[arg-type] # what is no number has another kind
            for each in told
        ]
        return _table(
            figure.name,
            answer.known,
            columns=[*_columns(dict.fromkeys(names, "text"), say), *numbers],
            rows=[
                [
                    *(line.values[name] for name in names),
                    *(self._cell(each.of(line.numbers), each.kind) for each in told),
                ]
                for line in answer.lines
            ],
            about=lambda: about,
            say=say,
        )

    def _cell(self, value: float | None, kind: Kind) -> Cell:
        if value is None or kind not in _SHOWN:
            return value
        if kind == "flag":
            return "yes" if value else "no"
        at = from_micros(round(value * 1_000_000))
        return at.astimezone(self._zone).replace(tzinfo=None)

    def _cases(self, parameters: Parameters, say: Callable[[str], str]) -> Table:
        """List complaints, read page by page as of the position of the first."""
        asked = parameters.listed()
        first = self._figures.cases(asked.selection, as_of=asked.as_of, limit=PAGE)
        lines = 0

        def rows() -> Iterator[Sequence[Cell]]:
            nonlocal lines
            for version in self._following(asked.selection, first):
                lines += 1
                yield self._listed(version)

        def about() -> Pairs:
            return [
                *_defined(say, FREQUENCY),
                *self._chosen(say, asked.selection),
                *_state(say, first.known),
                (say(_TOTAL), str(lines)),
            ]

        texts = dict.fromkeys((*DIMENSIONS, "case_id"), "text")
        return _table(
            CASES,
            first.known,
            columns=_columns(
                {
                    "receipt_no": "text",
                    "received_at": "moment",
                    "received_precision": "text",
                    **texts,
                },
                say,
            ),
            rows=rows(),
            about=about,
            say=say,
        )

    def _following(self, selection: Selection, page: Cases) -> Iterator[Version]:
        """Go through all pages; each is read by itself, so that no reader holds rows."""
        position = page.known.position
        yield from page.rows
        while page.more:
            last = page.rows[-1].case_id
            page = self._figures.cases(
                selection, as_of=position, after=last, limit=PAGE
            )
            yield from page.rows

    def _listed(self, version: Version) -> Sequence[Cell]:
        facts = version.facts
        number, at = facts.receipt_no, facts.received_at
        return [
            # In groups it stays a text: spreadsheets round numbers of 16 digits.
            " ".join(number[start : start + 4] for start in range(0, len(number), 4)),
            stated_day(at)
            if facts.received_precision == "day"
            else at.astimezone(self._zone).replace(tzinfo=None),
            facts.received_precision,
            *(getattr(facts, name) for name in DIMENSIONS),
            str(version.case_id),
        ]

    def _chosen(self, say: Callable[[str], str], selection: Selection) -> Pairs:
        """Say which complaints the question is about."""
        pairs = [
            (f"{say(_ONLY)}: {named(name, say)}", ", ".join(values))
            for name, values in selection.filters
        ]
        for word, instant in (
            (msgid("Received from"), selection.received_from),
            (msgid("Received before"), selection.received_to),
        ):
            if instant is not None:
                pairs.append((say(word), rfc3339(instant)))
        return [*pairs, (say(msgid("Time zone")), self._zone.key)]


def _table(
    name: str,
    known: Known,
    *,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    about: Callable[[], Pairs],
    say: Callable[[str], str],
) -> Table:
    word = NAMES.get(name)
    title = say(word) if word else name.replace("-", " ").capitalize()
    return Table(
        name=f"{name}-{known.position}",
        title=title,
        columns=columns,
        rows=rows,
        about_title=say(_ABOUT),
        about=lambda: [(say(msgid("Figure")), title), *about()],
    )


def _columns(kinds: Mapping[str, str], say: Callable[[str], str]) -> list[Column]:
    return [
        Column(named(name, say), kind)  # type: ignore[arg-type] # texts and moments
        for name, kind in kinds.items()
    ]


def _told(
    figure: Figure, say: Callable[[str], str], *, compared: bool
) -> Iterator[_Told]:
    """Name the columns of the numbers: those of the API's answer, in its order."""
    headings = {name: named(name, say, figure.name) for name in figure.columns}
    for name, kind in figure.columns.items():
        yield _Told(headings[name], kind, _now(name))
    if figure is FREQUENCY:
        heading = named("has_countermeasure", say)
        yield _Told(heading, "flag", _now("countermeasures"))
    if not compared:
        return
    for name, kind in figure.columns.items():
        yield _Told(f"{say(_BEFORE)}: {headings[name]}", kind, _before(name))
    for name, kind in figure.columns.items():
        apart = "seconds" if kind == "instant" else kind
        yield _Told(f"{say(_CHANGE)}: {headings[name]}", apart, _change(name))


def _now(name: str) -> Callable[[Mapping[str, Number]], float | None]:
    return lambda numbers: numbers[name].value


def _before(name: str) -> Callable[[Mapping[str, Number]], float | None]:
    def before(numbers: Mapping[str, Number]) -> float | None:
        then = numbers[name].before
        return then.value if then else None

    return before


def _change(name: str) -> Callable[[Mapping[str, Number]], float | None]:
    return lambda numbers: numbers[name].change


def _defined(say: Callable[[str], str], figure: Figure) -> Pairs:
    """Say what is counted, of what shares are, and by which time.

    A figure without words for people says it as it does to programs.
    """
    told = {
        msgid("Counted"): COUNTS.get(figure.name) or figure.counts,
        msgid("Shares"): OUT_OF.get(figure.name) or figure.out_of,
        msgid("Time"): BY.get(figure.name) or figure.by,
    }
    return [(say(word), say(text)) for word, text in told.items() if text]


def _asked(
    say: Callable[[str], str], by: Iterable[str], figure: Figure, question: Question
) -> Pairs:
    """Say how the question groups, and what else of it the figure reads."""
    same = question.same
    found = {
        msgid("Grouped by"): ", ".join(named(name, say) for name in by),
        msgid("Period"): question.period,
        msgid("Category levels"): question.level and str(question.level),
        msgid("Compared with"): question.compare and say(_COMPARED[question.compare]),
    }
    if "basis" in figure.parameters:
        found[msgid("Root causes")] = say(_BASES[question.basis])
    if "days" in figure.parameters:
        found[msgid("Within days")] = str(question.days)
        found[msgid("Of the same")] = "" if same == "any" else named(same, say)
    return [(say(word), value) for word, value in found.items() if value]


def _state(say: Callable[[str], str], known: Known) -> Pairs:
    """Say which state of the log the numbers are of."""
    pairs = [(say(msgid("Position")), str(known.position))]
    if known.as_of is not None:
        pairs.append((say(msgid("As known at")), rfc3339(known.as_of)))
    if known.held:
        pairs.append((say(msgid("Events not counted")), str(known.held)))
    if known.unfit:
        pairs.append(
            (say(msgid("Damaged rows")), say(msgid("Have the figures rebuilt.")))
        )
    return pairs


def _shown(value: float, kind: Kind, say: Callable[[str], str]) -> str:
    """Say a number of the whole in the unit of its column."""
    if kind == "share":
        return f"{value * 100:.6g}%"
    if kind == "seconds":
        return f"{value / _DAY:.6g} {say(_DAYS)}"
    return str(int(value)) if value == int(value) else f"{value:.6g}"
