"""Turns a row of somebody else's table into what it states of a complaint's past.

The `[history]` of a mapping file lists the facts that a row may state, in the order in
which they happen. Nothing is filled in: a fact without a column for its date has none.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from events.vocabulary import Outcome, Precision, RemedyKind
from services.intake.domain.dates import Stated, UnreadDateError
from services.kernel.errors import FieldError, MalformedError


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Rule):
    """What a cell must be; spaces around it do not count."""

    column: str
    begins: str | None = None
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not (self.begins or self.one_of or self.none_of):
            raise ValueError("ask something: begins, one_of or none_of")
        return self

    def holds(self, row: Mapping[str, str]) -> bool:
        cell = row[self.column].strip()
        return (
            (self.begins is None or cell.startswith(self.begins))
            and (not self.one_of or cell in self.one_of)
            and cell not in self.none_of
        )

    def names(self, cell: str) -> bool:
        """Tell whether the rule knows the word, whatever follows from it."""
        begun = self.begins is not None and cell.startswith(self.begins)
        return begun or cell in (*self.one_of, *self.none_of)


class FactRule(_Rule):
    """A fact that a row states where all of `when` holds, and its date, if any, is there.

    A row states a deadline where it says one of `due` and `verdict`.
    """

    fact: Literal["due", "assigned", "resolved", "appealed", "closed"]
    when: tuple[Condition, ...] = ()
    at: str | None = None
    """The column of its date. A row where this is empty does not state the date, and,
    where there is no `when`, not the fact either."""
    department: str | None = None
    reason: Literal["migrated", "migrated_undecided"] | None = None
    result: str | None = None
    """The column with the result in the source's own words: kept as a code."""
    outcomes: Mapping[str, Outcome] = Field(default_factory=dict)
    """What the words of `result` mean as an outcome; others mean none."""
    remedies: Mapping[str, tuple[RemedyKind, ...]] = Field(default_factory=dict)
    """What the words of `result` say was done for the customer."""
    due: str | None = None
    """The column that says by when the case was due."""
    verdict: str | None = None
    """The column that says whether that was kept, and by `overdue` what its words mean."""
    overdue: Mapping[str, bool] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_its_fact(self) -> Self:
        if (self.fact == "assigned") != (self.department is not None):
            raise ValueError("assigned, and no other fact, names a department")
        if self.reason is not None and self.fact != "closed":
            raise ValueError("reason is of the fact closed")
        if self.result is not None and self.fact != "resolved":
            raise ValueError("result is of the fact resolved")
        if (self.fact == "due") != bool(self.due or self.verdict):
            raise ValueError("due, and no other fact, names due, verdict or both")
        if bool(self.verdict) != bool(self.overdue):
            raise ValueError("verdict needs overdue: what its words mean")
        if not self.when and self.at is None and self.fact != "due":
            raise ValueError("say when: a row that states it, or a column of its date")
        return self

    def names(self, column: str, cell: str) -> bool:
        """Tell whether a word of a column is one that this rule knows."""
        if column == self.verdict and cell in self.overdue:
            return True
        return any(each.column == column and each.names(cell) for each in self.when)

    def columns(self) -> Iterator[str]:
        yield from (each.column for each in self.when)
        named = (self.at, self.result, self.due, self.verdict)
        yield from (name for name in named if name is not None)

    def looked_up(self) -> Iterator[str]:
        """Name its columns, the one of its date first."""
        if self.at is not None:
            yield self.at
        yield from self.columns()


class HistoryMapping(_Rule):
    """The facts that a row may state, in the order in which they happen."""

    facts: Annotated[tuple[FactRule, ...], Field(min_length=1)]
    known: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Words of a column that is asked which no fact names, and which state nothing."""

    @model_validator(mode="after")
    def _knows_of_what_it_asks(self) -> Self:
        for column in self.known:
            if column not in self.asked():
                raise ValueError(f"known: no fact asks what {column} is")
        return self

    def asked(self) -> tuple[str, ...]:
        """Name every column whose words decide what a row states."""
        named = (
            name
            for each in self.facts
            for name in (*(one.column for one in each.when), each.verdict)
            if name is not None
        )
        return tuple(dict.fromkeys(named))

    def departments(self) -> Iterator[tuple[str, str]]:
        """Give every department that is named, behind its place in the mapping."""
        for place, each in enumerate(self.facts):
            if each.department is not None:
                yield f"history.facts.{place}.department", each.department

    def unknown(self, row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Give the columns and words of a row that no fact names or takes as a result."""
        taken = {each.result for each in self.facts if _states(each, row)}
        for column in self.asked():
            word = row[column].strip()
            if not word or column in taken or word in self.known.get(column, ()):
                continue
            if not any(each.names(column, word) for each in self.facts):
                yield column, word

    def columns(self) -> tuple[str, ...]:
        """Name every column that a table must have for its histories."""
        return tuple(
            dict.fromkeys(name for each in self.facts for name in each.columns())
        )


@dataclass(frozen=True, slots=True)
class StatedHistory:
    """The facts of one row, as the command `record-history` takes them.

    `contradictions` say what of it cannot all be true; it is kept as it is stated.
    `unknown` are columns and words that the mapping does not know.
    """

    facts: tuple[Mapping[str, Any], ...]
    contradictions: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = field(default=(), compare=False)
    """For each fact the column that it is best looked up in."""


def history_of(
    mapping: HistoryMapping,
    row: Mapping[str, str],
    *,
    received: tuple[str, dt.datetime],
    read: Callable[[str], Stated],
    zone: ZoneInfo,
    code: Callable[[str], str],
) -> StatedHistory:
    """Give what a row states; `received` is the column of its receipt, and when.

    `read` gives the date in a cell, or raises `UnreadDateError`; `code` makes a code of
    a text. Raises `MalformedError` naming the columns whose dates cannot
    be read; a deadline that is no time there is left out and told with what contradicts.
    """
    facts: list[Mapping[str, Any]] = []
    columns: list[str] = []
    contradictions: list[str] = []
    faults: list[FieldError] = []
    latest = received
    for rule in mapping.facts:
        if not _states(rule, row):
            continue
        fact: dict[str, Any] = {"fact": rule.fact, **dict(_content(rule, row, code))}
        unread: list[FieldError] = []
        due = _dated(rule.due, row, read, unread)
        contradictions += [f"{each.field} {each.message}" for each in unread]
        if due is not None:
            fact["due_at"] = due.at.isoformat()
        elif unread and "overdue" not in fact:
            continue
        stated = _dated(rule.at, row, read, faults)
        if stated is not None and rule.at is not None:
            at, day = stated.at, stated.precision is Precision.DAY
            fact |= {"at": at.isoformat(), "precision": stated.precision.value}
            if _before(at, latest[1], zone if day else None):
                contradictions.append(f"{rule.at} lies before {latest[0]}")
            else:
                latest = rule.at, at
        facts.append(fact)
        columns.append(next(rule.looked_up(), received[0]))
    if faults:
        raise MalformedError(
            "import.row", "Correct the named columns of this row.", errors=faults
        )
    return StatedHistory(
        tuple(facts),
        tuple(contradictions),
        tuple(mapping.unknown(row)),
        tuple(columns),
    )


def _states(rule: FactRule, row: Mapping[str, str]) -> bool:
    """Tell whether the row states the fact at all."""
    if not all(each.holds(row) for each in rule.when):
        return False
    if rule.fact == "due":
        said = row[rule.verdict].strip() if rule.verdict else ""
        return said in rule.overdue or bool(rule.due and row[rule.due].strip())
    return bool(rule.when) or bool(rule.at and row[rule.at].strip())


def _dated(
    column: str | None,
    row: Mapping[str, str],
    read: Callable[[str], Stated],
    faults: list[FieldError],
) -> Stated | None:
    """Read the date in a column; None where there is none, or none that can be read."""
    if column is None or not (cell := row[column].strip()):
        return None
    try:
        return read(cell)
    except UnreadDateError as error:
        remedy = "Correct the date, or leave the cell empty."
        faults.append(FieldError(column, str(error), remedy))
        return None


def _before(one: dt.datetime, other: dt.datetime, zone: ZoneInfo | None) -> bool:
    """Tell whether one instant lies before another; of days, given a zone, the day."""
    if zone is None:
        return one < other
    return one.astimezone(zone).date() < other.astimezone(zone).date()


def _content(
    rule: FactRule, row: Mapping[str, str], code: Callable[[str], str]
) -> Iterator[tuple[str, Any]]:
    if rule.department is not None:
        yield "department", rule.department
    if rule.reason is not None:
        yield "reason", rule.reason
    if rule.verdict is not None and (said := row[rule.verdict].strip()) in rule.overdue:
        yield "overdue", rule.overdue[said]
    if rule.result is None or not (words := row[rule.result].strip()):
        return
    yield "stated_as", code(words)
    if words in rule.outcomes:
        yield "outcome", rule.outcomes[words].value
    if words in rule.remedies:
        yield "remedies", [{"kind": kind.value} for kind in rule.remedies[words]]
