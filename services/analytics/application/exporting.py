"""Figures, and the complaints behind a number, as tables for files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.analytics.application.figure_words import BY, COUNTS, OUT_OF
from services.analytics.application.figures import FIGURES, FREQUENCY, ROOT_CAUSES
from services.analytics.application.words import FIGURES as NAMES
from services.analytics.application.words import named
from services.analytics.domain.figures import DIMENSIONS
from services.kernel.clock import rfc3339, stated_day
from services.kernel.errors import NotFoundError
from services.kernel.i18n import Catalogues, msgid
from services.kernel.spreadsheets import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures import Cases, Figure, Figures, Known
    from services.analytics.application.questions import Parameters
    from services.analytics.domain.figures import Selection
    from services.analytics.domain.versions import Version

CASES: Final = "cases"
EXPORTED: Final = (*FIGURES, CASES)
"""Whatever comes as a file."""

LOCALE: Final = Path(__file__).parent.parent / "locale"
PAGE: Final = 1_000  # complaints read at once

_DAYS: Final = msgid("days")
_ABOUT: Final = msgid("About")
_ONLY: Final = msgid("Only")
_TOTAL: Final = msgid("Total")

_KINDS: Final = {"instant": "moment", "flag": "count"}
"""What a file calls the kinds of numbers that it has not."""

Pairs = list[tuple[str, str]]


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
        if name == "frequency":
            return self._frequency(parameters, say)
        if name == "root-causes":
            return self._root_causes(parameters, say)
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
        about = [
            *_defined(say, figure.name, figure),
            *_asked(say, by, question.period, question.level),
            *self._chosen(say, question.selection),
            *_state(say, answer.known),
            *(
                (
                    f"{say(_TOTAL)}: {named(name, say, figure.name)}",
                    _shown(number.value),
                )
                for name, number in answer.total.items()
                if figure.columns[name] != "instant"
            ),
        ]
        return _table(
            figure.name,
            answer.known,
            columns=_columns(
                names,
                {name: _KINDS.get(kind, kind) for name, kind in figure.columns.items()},
                say,
                figure.name,
            ),
            rows=[
                [
                    *(line.values[name] for name in names),
                    *(
                        self._written(line.numbers[name].value, kind)
                        for name, kind in figure.columns.items()
                    ),
                ]
                for line in answer.lines
            ],
            about=lambda: about,
            say=say,
        )

    def _written(self, value: float | None, kind: str) -> Cell:
        if value is None or kind != "instant":
            return value
        return datetime.fromtimestamp(value, self._zone).replace(tzinfo=None)

    def _frequency(self, parameters: Parameters, say: Callable[[str], str]) -> Table:
        asked = parameters.question(FREQUENCY)
        answer = self._figures.frequency(
            asked.selection,
            dimensions=asked.dimensions,
            period=asked.period,
            level=asked.level,
            as_of=asked.as_of,
        )
        by = [*(["period"] if asked.period else []), *asked.dimensions]
        about = [
            *_defined(say, "frequency"),
            *_asked(say, by, asked.period, asked.level),
            *self._chosen(say, asked.selection),
            *_state(say, answer.known),
            (say(_TOTAL), _shown(sum(row.count for row in answer.rows))),
        ]
        return _table(
            "frequency",
            answer.known,
            columns=_columns(by, {"count": "count"}, say),
            rows=[
                [*(row.values[name] for name in by), row.count] for row in answer.rows
            ],
            about=lambda: about,
            say=say,
        )

    def _root_causes(self, parameters: Parameters, say: Callable[[str], str]) -> Table:
        asked = parameters.question(ROOT_CAUSES)
        answer = self._figures.root_causes(
            asked.selection, basis=asked.basis, level=asked.level, as_of=asked.as_of
        )
        basis = {"reported": msgid("As reported"), "found": msgid("As found")}
        about = [
            *_defined(say, "root-causes"),
            (say(msgid("Root causes")), say(basis[asked.basis])),
            *_asked(say, (), None, asked.level),
            *self._chosen(say, asked.selection),
            *_state(say, answer.known),
            (say(_TOTAL), _shown(sum(row.count for row in answer.rows))),
        ]
        numbers = {"count": "count", "share": "share", "cumulative_share": "share"}
        return _table(
            "root-causes",
            answer.known,
            columns=_columns(["cause"], numbers, say),
            rows=[
                [row.cause, row.count, row.share, row.cumulative_share]
                for row in answer.rows
            ],
            about=lambda: about,
            say=say,
        )

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
                *_defined(say, "frequency"),
                *self._chosen(say, asked.selection),
                *_state(say, first.known),
                (say(_TOTAL), _shown(lines)),
            ]

        kinds = dict.fromkeys((*DIMENSIONS, "case_id"), "text")
        return _table(
            CASES,
            first.known,
            columns=_columns(
                ["receipt_no"],
                {"received_at": "moment", "received_precision": "text", **kinds},
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


def _columns(
    names: Iterable[str],
    numbers: Mapping[str, str],
    say: Callable[[str], str],
    figure: str = "",
) -> list[Column]:
    texts = dict.fromkeys(names, "text")
    return [
        Column(named(name, say, figure), kind, days=say(_DAYS))  # type: ignore[arg-type] # a figure's kinds are among them
        for name, kind in {**texts, **numbers}.items()
    ]


def _defined(
    say: Callable[[str], str], name: str, figure: Figure | None = None
) -> Pairs:
    """Say what is counted, of what shares are, and by which time.

    A figure without words for people says it as it does to programs.
    """
    told = {
        msgid("Counted"): COUNTS.get(name) or (figure and figure.counts),
        msgid("Shares"): OUT_OF.get(name) or (figure and figure.out_of),
        msgid("Time"): BY.get(name) or (figure and figure.by),
    }
    return [(say(word), say(text)) for word, text in told.items() if text]


def _asked(
    say: Callable[[str], str],
    by: Iterable[str],
    period: str | None,
    level: int | None,
) -> Pairs:
    """Say how the question groups."""
    found = {
        msgid("Grouped by"): ", ".join(named(name, say) for name in by),
        msgid("Period"): period,
        msgid("Category levels"): level and str(level),
    }
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


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else f"{value:.6g}"
