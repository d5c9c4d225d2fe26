"""The rules of the clocks as the policy states them: what starts, what stops, how long."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from events.catalogue import EVENTS
from events.envelope import Code, Instant, Part
from events.vocabulary import Severity
from services.handling.domain.matter import Matter

Holder = Literal["front_office", "lead", "unit"]
"""Who owes it: the front office, who has the case, or the unit that was given it."""

_ALWAYS: Final = datetime(1, 1, 1, tzinfo=UTC)
_SEVERITY_WEIGHT: Final = 40  # a severity is narrower than a scope, see Matter


class Within(Part):
    """How long a clock gives: exactly one of these."""

    hours: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Elapsed, day and night."""
    days: Annotated[int, Field(ge=0, le=3_650)] | None = None
    """To the end of the day that is so many days later; 0: of the same day."""
    working_hours: Annotated[int, Field(ge=1, le=2_000)] | None = None
    """Working time of the calendar."""
    working_days: Annotated[int, Field(ge=1, le=400)] | None = None
    """To the close of the working day so many working days later, the first not counted."""
    stated: Literal["expected_at"] | None = None
    """The instant that the starting event itself states."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError(
                "give one of hours, days, working_hours, working_days, stated"
            )
        return self

    @property
    def working(self) -> bool:
        return self.working_hours is not None or self.working_days is not None


class ClockRule(Matter):
    """How one clock runs for the complaints that it is for; of several, the narrowest."""

    code: Code
    basis: Code | None = None
    """Where the rule comes from, such as `S63`."""
    starts: Annotated[tuple[Code, ...], Field(min_length=1)]
    """Types of events."""
    stops: Annotated[tuple[Code, ...], Field(min_length=1)]
    within: Within
    calendar: Code | None = None
    holder: Holder = "front_office"
    contributors: bool = False
    """Whether units that are asked to contribute have it too."""
    severity: Severity | None = None
    effective_from: Instant = _ALWAYS
    """Cases that the server recorded from this instant on have the rule."""
    effective_to: Instant | None = None
    retroactive: bool = False
    """Whether cases recorded before `effective_from` have it as well."""

    @field_validator("starts", "stops")
    @classmethod
    def _are_events(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [name for name in types if name not in EVENTS]:
            raise ValueError(f"no such event: {', '.join(unknown)}")
        return types

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.within.working and self.calendar is None:
            raise ValueError("working time needs a calendar")
        if self.within.stated and self.starts != ("ReceiptAcknowledged",):
            raise ValueError("only ReceiptAcknowledged states an expected_at")
        if self.contributors and self.holder != "unit":
            raise ValueError("contributors have it only where a unit owes it")
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError("effective_to must lie behind effective_from")
        return self

    @property
    def specificity(self) -> int:
        return super().specificity + _SEVERITY_WEIGHT * (self.severity is not None)

    def in_force_for(self, recorded_at: datetime) -> bool:
        """Tell whether cases that were recorded then have the rule."""
        if self.effective_to is not None and recorded_at >= self.effective_to:
            return False
        return self.retroactive or recorded_at >= self.effective_from
