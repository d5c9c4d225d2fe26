"""What the record of another system states of a case: one model a fact.

A fact may say less than an event of daily work, and need not say when it happened; what
the source does not state is left out, never filled in.
"""

from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Discriminator

from events.catalogue import Remedy
from events.envelope import Code, DepartmentCode, Part
from events.vocabulary import AppealGround, AssignmentReason, Outcome

_Instant = Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))]


class Stated(Part):
    """One fact; without `at` the source does not say when."""

    at: _Instant | None = None
    precision: Literal["instant", "day"] = "instant"
    """`day`: the source gives a day, and `at` is its first moment there."""


class StatedAssignment(Stated):
    """A unit had the case."""

    fact: Literal["assigned"]
    department: DepartmentCode
    reason: AssignmentReason | None = None


class StatedResult(Stated):
    """The complaint was answered or put right."""

    fact: Literal["resolved"]
    outcome: Outcome | None = None
    remedies: tuple[Remedy, ...] = ()
    stated_as: Code | None = None
    """What the source calls the result, made a code."""


class StatedAppeal(Stated):
    """The customer contested the result."""

    fact: Literal["appealed"]
    grounds: tuple[AppealGround, ...] = ()
    within_window: bool | None = None


class StatedEnd(Stated):
    """The case was closed; undecided where an appeal was never answered."""

    fact: Literal["closed"]
    reason: Literal["migrated", "migrated_undecided"] = "migrated"


class StatedDeadline(Stated):
    """By when the case was due, and whether that was kept, as the source says."""

    fact: Literal["due"]
    due_at: _Instant | None = None
    overdue: bool | None = None


Fact = Annotated[
    StatedAssignment | StatedDeadline | StatedResult | StatedAppeal | StatedEnd,
    Discriminator("fact"),
]
