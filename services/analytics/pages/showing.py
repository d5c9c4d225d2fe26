"""What a page shows of a figure: counters, a plot and tables, in the reader's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from services.analytics.application.questions import address
from services.analytics.domain.periods import buckets
from services.analytics.pages.asking import CASES, FINER, changed, days, narrowed

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from services.analytics.application.figures import Known, Number
    from services.analytics.domain.figures import Selection
    from services.analytics.domain.periods import Period
    from services.analytics.pages.asking import Pairs
    from services.analytics.pages.contents import Section, View

MOST_BARS: Final = 20
"""So many lines are drawn; the table has more."""

Kind = Literal["count", "share", "seconds", "instant", "flag", "code", "label"]


class Cell(NamedTuple):
    """A number or a name of a table, and where it leads; None where nowhere.

    `before` is what the number was before, where it is compared.
    """

    value: float | str | datetime | None
    kind: Kind
    href: str | None = None
    before: Cell | None = None

    @property
    def change(self) -> float | None:
        """How much the number is more than before, as it is read: shares to a tenth."""
        then = self.before.value if self.before else None
        if not isinstance(self.value, (int, float)):
            return None
        if not isinstance(then, (int, float)):
            return None
        if self.kind == "share":
            return round(100 * (self.value - then), 1)
        return self.value - then


class Head(NamedTuple):
    """What stands over a column, with the kind of its cells."""

    text: str
    kind: Kind


class Table(NamedTuple):
    """`left_out` rows had no room; `total` stands at the foot."""

    caption: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Cell, ...], ...]
    left_out: int = 0
    total: tuple[Cell, ...] = ()


class Counter(NamedTuple):
    """A number that stands over the figure, and what it is of."""

    cell: Cell
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One section.

    `drawn` of `lines` lines are in the plot. `definition` has sentences on what is
    counted, `note` is one on how to read it.
    """

    section: Section
    counters: tuple[Counter, ...]
    plot: dict[str, Any] | None
    tables: tuple[Table, ...]
    definition: tuple[str, ...] = ()
    note: str = ""
    drawn: int = 0
    lines: int = 0
    split: bool = False


def periods(
    period: Period | None,
    first: Selection | None,
    last: Selection | None,
    zone: ZoneInfo,
) -> list[str]:
    """Name every period from the first selection's to the last one's, none left out."""
    if period is None or not first or not last:
        return []
    assert first.received_from is not None  # noqa: S101 a period has both ends
    assert last.received_to is not None  # noqa: S101 as above
    end = last.received_to - timedelta(microseconds=1)
    return [each.label for each in buckets(period, first.received_from, end, zone)]


class Says(Protocol):
    """Gives a message in the reader's language, with `%(name)s` filled in."""

    def __call__(self, message: str, **values: object) -> str: ...


class Names(Protocol):
    """Gives the words for a code of a kind; None is what is not stated."""

    def __call__(self, kind: str, code: str | None) -> str: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads which page at which address: their words, the links they may follow.

    `lists`: cases may be listed.
    """

    view: View
    pairs: Pairs
    known: Known
    zone: ZoneInfo
    say: Says
    name: Names
    word: Names
    lists: bool

    def count(self, count: float | None, cases: Selection | None) -> Cell:
        """Show a count, which leads to its complaints."""
        if cases is None or not self.lists:
            return Cell(count, "count")
        return Cell(count, "count", address(CASES, cases, self.known.position))

    def number(self, kind: Kind, number: Number) -> Cell:
        """Show a number of a figure, and what it was before."""
        if kind == "count":
            found = self.count(number.value, number.cases if number.value else None)
        elif kind == "instant" and number.value is not None:
            found = Cell(datetime.fromtimestamp(number.value, UTC), kind)
        else:
            found = Cell(number.value, kind)
        if number.before is None:
            return found
        return found._replace(before=self.number(kind, number.before))

    def narrowed(self, dimension: str, cases: Selection) -> str | None:
        """Lead to the same page for these complaints alone."""
        found = [values for name, values in cases.filters if name == dimension]
        if not found:
            return None
        here = self.view.path
        return narrowed(here, self.pairs, dimension, ",".join(found[-1]))

    def opened(self, period: Period, span: Selection) -> str:
        """Lead to the same page for one period alone, in finer ones."""
        assert span.received_from is not None  # noqa: S101 a period has both ends
        assert span.received_to is not None  # noqa: S101 as above
        ends = days(span.received_from, span.received_to, self.zone)
        return changed(self.view.path, self.pairs, **ends, period=FINER[period])
