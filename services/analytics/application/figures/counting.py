"""Answer figures as they were known at any position of the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    AsOf,
    Figure,
    Known,
    Question,
)
from services.analytics.application.figures.comparing import compared
from services.analytics.application.figures.frequency import FREQUENCY
from services.analytics.domain.figures import MOST_GROUPS, TooManyGroupsError
from services.analytics.domain.periods import MOST_PERIODS, TooManyPeriodsError
from services.kernel.errors import FieldError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures.answering import Line
    from services.analytics.domain.figures import Selection
    from services.analytics.domain.periods import Period
    from services.analytics.domain.versions import Version
    from services.analytics.ports import FactStore, Snapshot

_NOW: Final = datetime.max.replace(tzinfo=UTC)
"""Neither of the two older figures tells an age."""


@dataclass(frozen=True, slots=True)
class FrequencyRow:
    """How many complaints share `values`; `cases` selects exactly them."""

    values: dict[str, str | None]
    count: int
    cases: Selection


@dataclass(frozen=True, slots=True)
class Frequency:
    rows: list[FrequencyRow]
    known: Known


@dataclass(frozen=True, slots=True)
class Cases:
    """A page of the complaints that a figure counts; `more` when others follow."""

    rows: list[Version]
    known: Known
    more: bool


class Figures:
    """Every answer is of one state of the rows, complete up to the position it names.

    Positions beyond what has arrived without a hole are answered as far as it has.
    """

    def __init__(self, store: FactStore, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone

    def known(self, as_of: AsOf) -> Known:
        """Say of which state answers are now, so that several can be of the same."""
        with self._store.snapshot() as rows:
            return _known(rows, as_of)

    def frequency(
        self,
        selection: Selection,
        *,
        dimensions: Sequence[str] = (),
        period: Period | None = None,
        level: int | None = None,
        as_of: AsOf = None,
    ) -> Frequency:
        """Count complaints by dimensions and by the period of their receipt (S135).

        `level` cuts paths to so many codes. Groups without a complaint have no row.
        Raises `MalformedError` where the answer would have too many periods or groups.
        """
        question = Question(
            selection, _NOW, as_of, tuple(dimensions), period=period, level=level
        )
        found = self.answer(FREQUENCY, question)
        rows = [FrequencyRow(dict(line.values), *_count(line)) for line in found.lines]
        return Frequency(rows, found.known)

    def answer(self, figure: Figure, question: Question) -> Answer:
        """Answer any figure of the register.

        Raises `MalformedError` where the answer would have too many periods or groups.
        """
        with self._store.snapshot() as rows:
            known = _known(rows, question.as_of)
            then = None if question.as_of is None else known.as_of
            at = question.at or then or question.now
            asked = Asked(question, rows, known, at, self._zone)
            try:
                if question.compare is not None:
                    return compared(figure, asked, question.compare)
                return figure.answer(asked)
            except TooManyPeriodsError:
                raise _too_many("period", f"{MOST_PERIODS} periods") from None
            except TooManyGroupsError:
                by = "group_by" if "group_by" in figure.parameters else "basis"
                raise _too_many(by, f"{MOST_GROUPS} groups") from None

    def cases(
        self,
        selection: Selection,
        *,
        as_of: AsOf = None,
        after: UUID | None = None,
        limit: int = 100,
    ) -> Cases:
        """List the complaints that a figure counts, by case id."""
        with self._store.snapshot() as rows:
            known = _known(rows, as_of)
            found = rows.cases(selection, known.position, after=after, limit=limit + 1)
        return Cases(found[:limit], known, more=len(found) > limit)


def _count(line: Line) -> tuple[int, Selection]:
    number = line.numbers["count"]
    assert number.value is not None and number.cases is not None  # noqa: S101, PT018 counts are links
    return int(number.value), number.cases


def _known(rows: Snapshot, as_of: AsOf) -> Known:
    complete_to, unfit, _ = rows.standing
    if isinstance(as_of, datetime):
        position = min(rows.position_at(as_of), complete_to)
        return Known(position, as_of, unfit, rows.held(position))
    position = complete_to if as_of is None else min(as_of, complete_to)
    beyond = as_of is not None and as_of > position
    return Known(
        position, rows.known_at(position), unfit, rows.held(position), beyond=beyond
    )


def _too_many(field: str, what: str) -> MalformedError:
    return MalformedError(
        "analytics.too_many_rows",
        f"The answer would have more than {what}: narrow `from` and `to`, take longer"
        " periods, or group by less.",
        errors=[
            FieldError(field, f"more than {what}", "ask for less, or filter more"),
        ],
    )
