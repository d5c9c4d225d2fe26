"""What a figure is: a name, what it counts, and a function from one state to its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

    from services.analytics.domain.comparison import Compare
    from services.analytics.domain.figures import Same, Selection
    from services.analytics.domain.periods import Period
    from services.analytics.ports import Snapshot

Basis = Literal["reported", "found"]
"""What a cause is: what the complainant says, or what was investigated."""

Kind = Literal["count", "share", "seconds", "instant", "flag"]
"""What a number is: `instant` is in seconds since 1970, UTC, `flag` is 0 or 1."""

AsOf = int | datetime | None
"""A position of handling's log, an instant of knowledge time, or now."""


@dataclass(frozen=True, slots=True)
class Known:
    """Which state of the log an answer speaks of.

    `as_of` is the instant that was asked for, or when `position` was known.
    `unfit` above 0 means that the rows are damaged and wait for a rebuild; `held`
    counts events up to there that no one here can read yet, so that nothing counts them.
    `beyond`: a later position was asked for than has been read; this is the present.
    """

    position: int
    as_of: datetime | None
    unfit: int
    held: int
    beyond: bool = False


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
    basis: Basis = "reported"
    days: int = 30
    same: Same = "any"
    compare: Compare | None = None

    @property
    def spans(self) -> bool:
        """Tell whether it asks for the time between two instants."""
        chosen = self.selection
        return chosen.received_from is not None and chosen.received_to is not None


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a line, of the kind that its figure says; a share is 0 to 1.

    None where there is nothing to divide by, or nothing to tell. `cases` selects exactly
    the complaints that it counts; None where it is no count of complaints. `before` is
    what it was in the time with which the question compares.
    """

    value: float | None
    cases: Selection | None = None
    before: Number | None = None

    @property
    def change(self) -> float | None:
        """How much it is more than before, of its own kind."""
        if self.before is None or self.value is None or self.before.value is None:
            return None
        return self.value - self.before.value


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
class Parts:
    """The two counts of which a share is the quotient, each a column of the figure.

    `of_all`: divided by the count of the whole answer. `running`: of the sum down to
    the line.
    """

    of: str
    out_of: str
    of_all: bool = False
    running: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. Its name is that of its route, `/api/analytics/<name>`.

    `counts` says in one sentence what a line counts, `out_of` what a share is of, `by`
    which time a period goes by. `parameters` are those of `Question` that it reads beside
    the filters, `from`, `to` and `as_of`. `columns` names the numbers of a line in their
    order with the kind of each, `shares` the counts that each share divides. `by_default` are the dimensions of a question that
    names none, `only` those of which a question names one. `source` is the row of the domain that asks for it.
    """

    name: str
    counts: str
    by: str
    columns: Mapping[str, Kind]
    answer: Callable[[Asked], Answer] = field(repr=False)
    out_of: str | None = None
    parameters: tuple[str, ...] = ()
    by_default: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    source: str | None = None
    shares: Mapping[str, Parts] = field(default_factory=dict)
