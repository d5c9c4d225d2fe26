"""Read a figure's question from the address; every fault named with its remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast, get_args
from urllib.parse import urlencode
from uuid import UUID

from events.vocabulary import (
    Channel,
    ComplaintClass,
    DeclineReason,
    Origin,
    Outcome,
    ReportedVia,
    Severity,
    Source,
    State,
)
from services.analytics.application.figures import (
    BASES,
    AsOf,
    Basis,
    Figure,
    Question,
)
from services.analytics.domain.comparison import COMPARISONS, Compare
from services.analytics.domain.facts import REVOKED, Countermeasure, FirstContact
from services.analytics.domain.figures import (
    COUNTED_ORIGINS,
    DEEPEST,
    DIMENSIONS,
    MOST_DAYS,
    PASSED,
    PATHS,
    REPEATS,
    UNSTATED,
    Same,
    Selection,
    repeated,
)
from services.analytics.domain.handled import (
    Appeal,
    Decline,
    Overdue,
    Said,
    Satisfied,
)
from services.analytics.domain.periods import PERIODS, Period, midnight
from services.kernel.clock import parse_rfc3339, point_in_time, rfc3339
from services.kernel.errors import FieldError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence
    from zoneinfo import ZoneInfo

T = TypeVar("T")

MOST_VALUES: Final = 200
"""A filter may name at most so many values."""

MOST_CASES: Final = 1_000
"""A page of cases holds at most so many."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VOCABULARIES: Final[dict[str, Iterable[str]]] = {
    "channel": Channel,
    "source": Source,
    "reported_via": ReportedVia,
    "state": State,
    "complaint_class": ComplaintClass,
    "severity": Severity,
    "outcome": Outcome,
    "countermeasure": Countermeasure,
    "first_contact": FirstContact,
    "origin": (*Origin, REVOKED),
    "responded": Said,
    "decided": Said,
    "solved": Said,
    "satisfied": Satisfied,
    "appeal": Appeal,
    "decline": Decline,
    "decline_reason": DeclineReason,
    "overdue": Overdue,
    "was_in": State,
}


@dataclass(frozen=True, slots=True)
class CasesQuestion:
    selection: Selection
    as_of: AsOf
    after: UUID | None
    limit: int


@dataclass(frozen=True, slots=True)
class ListQuestion:
    selection: Selection
    as_of: AsOf


class Parameters:
    """The parameters of one request, read one by one; `done` raises all faults at once.

    A parameter given twice must hold twice; values after a comma are alternatives.
    """

    def __init__(
        self,
        given: Iterable[tuple[str, str]],
        *,
        zone: ZoneInfo,
        now: datetime,
        counted: tuple[str, ...] = COUNTED_ORIGINS,
    ) -> None:
        """Take what counts where the request names no origin as `counted`."""
        self._counted = counted
        self._given: dict[str, list[str]] = {}
        for name, value in given:
            self._given.setdefault(name, []).append(value)
        self._zone = zone
        self._now = now
        self._read: list[str] = []
        self._faults: list[FieldError] = []

    def question(self, figure: Figure) -> Question:
        """Read what `figure` takes; a parameter that it does not take is a fault."""
        takes = figure.parameters
        names, period = self._grouping(takes, figure.only, figure.columns)
        if "group_by" not in self._given:
            names = figure.by_default
        question = Question(
            selection=self._selection(),
            now=self._now,
            as_of=self._as_of(),
            dimensions=names,
            period=period,
            level=self._number("level", 1, DEEPEST) if "level" in takes else None,
            basis=self._basis() if "basis" in takes else "reported",
            days=(self._number("days", 1, MOST_DAYS) if "days" in takes else None)
            or 30,
            same=self._same() if "same" in takes else "any",
            compare=self._compare() if "compare" in takes else None,
        )
        if question.compare and not question.spans and question.period is None:
            remedy = "give both `from` and `to`, or a `period`"
            self._fault("compare", "has no span to compare", remedy)
        self._done()
        return question

    def _compare(self) -> Compare | None:
        return cast("Compare | None", self._choice("compare", COMPARISONS))

    def _same(self) -> Same:
        return cast("Same", self._choice("same", get_args(Same)) or "any")

    def _basis(self) -> Basis:
        return cast("Basis", self._choice("basis", tuple(BASES)) or "reported")

    def _grouping(
        self, takes: Sequence[str], only: Sequence[str], counted: Container[str]
    ) -> tuple[tuple[str, ...], Period | None]:
        """Read by what one groups; `group_by=period` alone means months.

        What a line counts by the same name cannot be what the line is of.
        """
        if only:
            one = self._choice("group_by", only)
            return (one,) if one else (), None
        allowed = tuple(name for name in DIMENSIONS if name not in counted)
        if "period" in takes:
            allowed = (*allowed, "period")
        names = self._names("group_by", allowed) if "group_by" in takes else []
        period = None
        if "period" in takes:
            period = cast("Period | None", self._choice("period", PERIODS))
            if "period" in names and period is None:
                period = "month"
        return tuple(name for name in names if name != "period"), period

    def cases(self) -> CasesQuestion:
        question = CasesQuestion(
            selection=self._selection(),
            as_of=self._as_of(),
            after=self._one("after", UUID, "is no case id", "use the `next` you got"),
            limit=self._number("limit", 1, MOST_CASES) or 100,
        )
        self._done()
        return question

    def listed(self) -> ListQuestion:
        """Read what asks for all complaints at once."""
        question = ListQuestion(self._selection(), self._as_of())
        self._done()
        return question

    def _selection(self) -> Selection:
        filters = [
            (name, values)
            for name in (*DIMENSIONS, *PASSED)
            for given in self._values(name)
            if (values := self._filter(name, given))
        ]
        filters += [
            (REPEATS, values)
            for given in self._values(REPEATS)
            if (values := self._repeating(given))
        ]
        if "origin" not in self._given:
            filters.append(("origin", self._counted))
        received_from = self._received("from", ends=False)
        received_to = self._received("to", ends=True)
        if received_from and received_to and received_from >= received_to:
            remedy = "give a `to` after `from`; a day as `to` counts whole"
            self._fault("from", "lies behind `to`", remedy)
            self._fault("to", "lies before `from`", remedy)
        return Selection(tuple(filters), received_from, received_to)

    def _filter(self, name: str, given: str) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(given.split(",")))
        if len(values) > MOST_VALUES:
            self._fault(name, f"names over {MOST_VALUES} values", "filter by fewer")
            return ()
        allowed = _VOCABULARIES.get(name)
        for value in values:
            if value == UNSTATED:
                continue
            words = () if allowed is None else (*map(str, allowed), UNSTATED)
            if words and value not in words:
                remedy = f"use one of {', '.join(words[:-1])} or {UNSTATED}"
                self._fault(name, "is not one of its words", remedy, words)
                return ()
            if allowed is None and not _codes(name, value):
                self._fault(name, "is no code", f"use {_form(name)}, or - for none")
                return ()
        return values

    def _repeating(self, given: str) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(given.split(",")))
        try:
            for value in values[:MOST_VALUES]:
                repeated(value)
        except ValueError:
            remedy = f"write days and one of {', '.join(get_args(Same))}: 30/category"
            self._fault(REPEATS, "is no span of days", remedy)
            return ()
        return values[:MOST_VALUES]

    def _received(self, name: Literal["from", "to"], *, ends: bool) -> datetime | None:
        """Read an instant, or a day of the tenant's calendar, which counts whole."""

        def parse(text: str) -> datetime:
            if _DAY.fullmatch(text):
                day = date.fromisoformat(text)
                return midnight(day + timedelta(days=1 if ends else 0), self._zone)
            return parse_rfc3339(text)

        return self._one(
            name,
            parse,
            "is neither a day nor an instant",
            "write 2026-01-31 or 2026-01-31T10:00:00Z (+ is %2B in an address)",
        )

    def _as_of(self) -> AsOf:
        as_of = self._one(
            "as_of",
            lambda text: point_in_time(text, self._zone),
            "is no point in time",
            "write 4711, 2026-01-31 (to its end) or 2026-01-31T10:00:00Z"
            " (+ is %2B in an address)",
        )
        # Today ends in the future, of which nothing is known: it means now.
        return min(as_of, self._now) if isinstance(as_of, datetime) else as_of

    def _names(self, name: str, allowed: Sequence[str]) -> list[str]:
        names = [
            part for value in self._values(name) for part in value.split(",") if part
        ]
        if any(part not in allowed for part in names):
            remedy = f"use some of {', '.join(allowed)}"
            self._fault(name, "names no dimension", remedy, allowed)
            return []
        return list(dict.fromkeys(names))

    def _choice(self, name: str, allowed: Sequence[str]) -> str | None:
        def parse(text: str) -> str:
            return allowed[allowed.index(text)]

        remedy = f"use one of {', '.join(allowed)}"
        return self._one(name, parse, "is not allowed", remedy, allowed)

    def _number(self, name: str, least: int, most: int) -> int | None:
        def parse(text: str) -> int:
            number = int(text) if text.isascii() and text.isdigit() else 0
            if not least <= number <= most:
                raise ValueError
            return number

        span = f"{least} to {most}"
        return self._one(
            name, parse, "is out of range", f"use a number from {span}", (span,)
        )

    def _one(
        self,
        name: str,
        parse: Callable[[str], T],
        message: str,
        remedy: str,
        allowed: Sequence[str] = (),
    ) -> T | None:
        values = self._values(name)
        if not values:
            return None
        if len(values) > 1:
            self._fault(name, "is given more than once", "give it once")
            return None
        try:
            return parse(values[0])
        except (ValueError, OverflowError):
            self._fault(name, message, remedy, allowed)
            return None

    def _values(self, name: str) -> list[str]:
        self._read.append(name)
        return self._given.get(name, [])

    def _fault(
        self, field: str, message: str, remedy: str, allowed: Sequence[str] = ()
    ) -> None:
        self._faults.append(FieldError(field, message, remedy, tuple(allowed)))

    def _done(self) -> None:
        for name in self._given.keys() - set(self._read):
            self._fault(
                name[:64],
                "is no parameter of this figure",
                f"use some of {', '.join(sorted(self._read))}",
            )
        if self._faults:
            raise MalformedError(
                "analytics.question",
                "Correct the named parameters.",
                errors=sorted(self._faults, key=lambda fault: fault.field),
            )


def address(path: str, selection: Selection, position: int) -> str:
    """Give the address at which the cases of `selection` are listed."""
    pairs = [(name, ",".join(values)) for name, values in selection.filters]
    if selection.received_from is not None:
        pairs.append(("from", rfc3339(selection.received_from)))
    if selection.received_to is not None:
        pairs.append(("to", rfc3339(selection.received_to)))
    pairs.append(("as_of", str(position)))
    return f"{path}?{urlencode(pairs, safe=':,/')}"


def _codes(name: str, value: str) -> bool:
    if name not in PATHS:
        return _CODE.fullmatch(value) is not None
    *codes, last = value.split("/")
    return (
        len(codes) < DEEPEST
        and all(_CODE.fullmatch(code) for code in codes)
        and (_CODE.fullmatch(last) is not None or (bool(codes) and last == UNSTATED))
    )


def _form(name: str) -> str:
    return "codes joined by /" if name in PATHS else "a code"
