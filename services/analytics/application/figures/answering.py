"""What a figure is: a name, what it counts, and a function from one state to its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

    from services.analytics.domain.figures import Selection
    from services.analytics.domain.periods import Period
    from services.analytics.ports import Snapshot

AsOf = int | datetime | None
"""A position of handling's log, an instant of knowledge time, or now."""


@dataclass(frozen=True, slots=True)
class Known:
    """Which state of the log an answer speaks of.

    `as_of` is the instant that was asked for, or when `position` was known.
    `unfit` above 0 means that the rows are damaged and wait for a rebuild; `held`
    counts events up to there that no one here can read yet, so that nothing counts them.
    """

    position: int
    as_of: datetime | None
    unfit: int
    held: int


@dataclass(frozen=True, slots=True)
class Question:
    """What one asks of a figure; each figure names in `parameters` what it reads of it.

    What is open is as old as it was `at` that instant; by default that of `as_of`, and
    `now` where none is asked for.
    """

    selection: Selection
    now: datetime
    as_of: AsOf = None
    dimensions: tuple[str, ...] = ()
    period: Period | None = None
    level: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a line: a count, a share (0 to 1) or a duration in seconds.

    None where there is nothing to divide by. `cases` selects exactly the complaints that
    it counts; None where it is no count of complaints.
    """

    value: float | None
    cases: Selection | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a figure's table: what it is of, and its numbers by their names."""

    values: Mapping[str, str | None]
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Answer:
    """The lines of a figure in their order, and the same numbers of all of them."""

    lines: list[Line]
    total: Mapping[str, Number]
    known: Known


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, put to one state of the rows; `at` is the instant that state is of."""

    question: Question
    rows: Snapshot
    known: Known
    at: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. Its name is that of its route, `/api/analytics/<name>`.

    `counts` says in one sentence what a line counts, `out_of` what a share is of, `by`
    which time a period goes by. `parameters` are those of `Question` that it reads beside
    the filters, `from`, `to` and `as_of`. `columns` names the numbers of a line in their
    order with the kind of each: count, share or seconds. `source` is the row of the
    domain that asks for it.
    """

    name: str
    counts: str
    by: str
    columns: Mapping[str, str]
    answer: Callable[[Asked], Answer] = field(repr=False)
    out_of: str | None = None
    parameters: tuple[str, ...] = ()
    source: str | None = None
