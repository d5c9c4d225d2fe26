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


class Stated(Part):
    """One fact; without `at` the source does not say when."""

    at: Annotated[AwareDatetime, AfterValidator(lambda at: at.astimezone(UTC))] | (
        None
    ) = None
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


Fact = Annotated[
    StatedAssignment | StatedResult | StatedAppeal | StatedEnd, Discriminator("fact")
]
