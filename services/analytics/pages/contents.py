"""Which figures stand on which page of `/insight`, and how each is drawn. All data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from events.vocabulary import ReturnReason
from services.analytics.application.figures import FIGURES
from services.analytics.pages.asking import (
    INSIGHT,
    NOTHING,
    Pairs,
    address,
    spanned,
)
from services.kernel.clock import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

Drawing = Literal["time", "pareto", "columns", "bars", "stacked", "lines", "none"]
"""How a figure is drawn: its total as a bar for each column, its lines as bars beside or
on each other, or as lines along the periods. `time` and `pareto` are for complaints over
time and for causes, which have drawings of their own."""


@dataclass(frozen=True, slots=True)
class Section:
    """One figure on a page.

    `key` names its words and its place on the page. Of the address it follows the
    filters, what it `takes`, and with what it is compared, if there is a time before;
    `fixed` parameters are always the same. Of its columns
    those in `lead` are told above the plot, `columns` are drawn, the table has all; it
    has `only` the lines of which that column holds, if it names one. Of the lines at most so `many` are shown; the page that it `opens` has more.
    """

    key: str
    figure: str
    drawing: Drawing
    takes: tuple[str, ...] = ()
    fixed: Pairs = ()
    lead: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    only: str = ""
    many: int = 500
    opens: str = ""

    def pairs(self, given: Pairs, asks: tuple[str, ...]) -> Pairs:
        """Give its parameters out of those of a page that `asks` these."""
        own = [
            (name, value)
            for name, value in given
            if self._follows(name, asks) or (name == COMPARE and self._compares(given))
        ]
        return (*self.fixed, *own)

    def file(
        self, ending: str, given: Pairs, asks: tuple[str, ...], *, now: datetime
    ) -> str:
        """Give the address of its numbers as a file, as known `now` unless asked."""
        own = [*self.pairs(given, asks)]
        if self.drawing == "time":
            own.insert(0, ("group_by", "period"))
        if not any(name == "as_of" for name, _ in own):
            own.append(("as_of", rfc3339(now)))
        return address(f"{INSIGHT}/{self.figure}.{ending}", own)

    def _compares(self, given: Pairs) -> bool:
        """Tell whether there is something before to compare with: a period, a span."""
        over_time = self.drawing == "time" or ("group_by", "period") in self.fixed
        takes = COMPARE in FIGURES[self.figure].parameters
        return takes and (over_time or spanned(given))

    def _follows(self, name: str, asks: tuple[str, ...]) -> bool:
        return name in self.takes or name not in asks


@dataclass(frozen=True, slots=True)
class View:
    """One page: its sections, and the parameters beside the filters that they take.

    One that `compares` does so by itself with the time before, where days are chosen.
    """

    name: str
    sections: tuple[Section, ...]
    compares: bool = False

    @property
    def path(self) -> str:
        return INSIGHT if self is VIEWS[0] else f"{INSIGHT}/{self.name}"

    @property
    def asks(self) -> tuple[str, ...]:
        taken = [name for section in self.sections for name in section.takes]
        return tuple(dict.fromkeys([*taken, COMPARE]))

    def meant(self, given: Pairs) -> Pairs:
        """Give what an address asks, with what the page compares by itself."""
        found = [value for name, value in given if name == COMPARE]
        if not found and self.compares and spanned(given):
            return (*given, (COMPARE, "previous"))
        return tuple(pair for pair in given if pair != (COMPARE, NOTHING))


COMPARE: Final = "compare"

_AGES: Final = (
    "under_1_day",
    "1_to_7_days",
    "7_to_30_days",
    "30_to_90_days",
    "over_90_days",
)
_RATES: Final = ("responded_share", "solved_share", "satisfied_share")
_APPEALS: Final = (
    "pending",
    "accepted",
    "dismissed",
    "confirmed",
    "overturned",
    "unclear",
)
_RETURNS: Final = tuple(reason.value for reason in ReturnReason)


def _by(name: str) -> Pairs:
    return (("group_by", name),)


VIEWS: Final = (
    View(
        "overview",
        (
            Section(
                "received", "frequency", "time", takes=("period",), opens="frequency"
            ),
            Section(
                "backlog",
                "backlog",
                "columns",
                lead=("open",),
                columns=_AGES,
                opens="departments",
            ),
            Section(
                "rates",
                "rates",
                "columns",
                lead=_RATES,
                columns=_RATES,
                opens="departments",
            ),
            Section(
                "causes",
                "root-causes",
                "pareto",
                takes=("basis",),
                many=10,
                opens="causes",
            ),
            Section(
                "silent",
                "coverage",
                "none",
                fixed=_by("source"),
                only="silent",
                opens="channels",
            ),
        ),
        compares=True,
    ),
    View(
        "frequency",
        (
            Section(
                "frequency", "frequency", "time", takes=("period", "group_by", "level")
            ),
            Section(
                "complainants",
                "frequency",
                "bars",
                takes=("group_by", "level"),
                lead=("count", "customers", "countermeasures"),
                columns=("count", "customers", "countermeasures"),
            ),
        ),
    ),
    View(
        "causes",
        (Section("causes", "root-causes", "pareto", takes=("basis", "level")),),
    ),
    View(
        "time",
        (
            Section("backlog", "backlog", "columns", lead=("open",), columns=_AGES),
            Section(
                "rates_over_time",
                "rates",
                "lines",
                takes=("period",),
                fixed=_by("period"),
                columns=_RATES,
            ),
            Section(
                "dwell",
                "dwell",
                "bars",
                lead=("median", "p90"),
                columns=("median", "p90"),
            ),
            Section(
                "repeats",
                "repeats",
                "lines",
                takes=("period",),
                fixed=_by("period"),
                lead=("repeats", "share", "customers"),
                columns=("repeats",),
            ),
            Section(
                "deadlines",
                "stated-deadlines",
                "stacked",
                takes=("period",),
                fixed=_by("period"),
                lead=("stated", "overdue", "overdue_share"),
                columns=("in_time", "overdue", "unsaid"),
            ),
        ),
    ),
    View(
        "departments",
        (
            Section(
                "backlog",
                "backlog",
                "stacked",
                fixed=_by("department"),
                lead=("open",),
                columns=_AGES,
            ),
            Section(
                "rates",
                "rates",
                "bars",
                fixed=_by("department"),
                lead=_RATES,
                columns=_RATES,
            ),
            Section(
                "holding",
                "holding",
                "bars",
                lead=("median", "p90"),
                columns=("median", "p90"),
            ),
            Section(
                "returns",
                "returns",
                "stacked",
                lead=("assigned", "returned", "returned_share"),
                columns=_RETURNS,
            ),
            Section(
                "first_contact",
                "first-contact",
                "bars",
                fixed=_by("department"),
                lead=("first_contact", "share"),
                columns=("share",),
            ),
        ),
    ),
    View(
        "channels",
        (
            Section(
                "received_by_channel",
                "frequency",
                "time",
                takes=("period",),
                fixed=_by("channel"),
            ),
            Section(
                "received_by_source",
                "frequency",
                "time",
                takes=("period",),
                fixed=_by("source"),
            ),
            Section(
                "coverage_by_channel",
                "coverage",
                "bars",
                fixed=_by("channel"),
                columns=("count",),
            ),
            Section(
                "coverage_by_source",
                "coverage",
                "bars",
                fixed=_by("source"),
                columns=("count",),
            ),
        ),
    ),
    View(
        "appeals",
        (
            Section(
                "appeals",
                "appeals",
                "columns",
                lead=("appealed", "appealed_share", "overturned_share"),
                columns=_APPEALS,
            ),
            Section(
                "appeals_over_time",
                "appeals",
                "lines",
                takes=("period",),
                fixed=_by("period"),
                columns=("appealed_share", "overturned_share"),
            ),
            Section(
                "declines",
                "declines",
                "columns",
                lead=("declined", "declined_share", "overturned_share"),
                columns=("stands", "contested", "overturned"),
            ),
            Section(
                "decline_reasons",
                "declines",
                "stacked",
                fixed=(
                    *_by("decline_reason"),
                    ("decline", "stands,contested,overturned"),
                ),
                columns=("stands", "contested", "overturned"),
            ),
        ),
    ),
)
