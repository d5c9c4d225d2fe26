"""A person and their data: what forbids its erasure, and what is a hold on it.

Erasure is decided once for a person and recorded in each of their cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from events.vocabulary import ErasureBasis
from services.handling.domain.decisions.rules import OPEN
from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
    from uuid import UUID

    from services.handling.domain.case import Case

WHILE_OPEN: Final = frozenset({ErasureBasis.UNLAWFUL, ErasureBasis.COURT_ORDER})
"""Bases on which data goes although it is still needed for an open case.

The others leave us the right to keep what a running complaint needs (GDPR 17(3)(e),
PIPL 47): the case ends first, or the person withdraws the complaint.
"""


class HoldReason(StrEnum):
    """Why somebody's data must be kept, whatever they ask for."""

    LEGAL_CLAIM = "legal_claim"
    AUTHORITY = "authority"
    INTERNAL_INQUIRY = "internal_inquiry"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's data is kept until an instant, unless somebody ends it before.

    `document_id` is what was written about the reason, sealed with their data.
    """

    hold_id: UUID
    subject_id: UUID
    reason: HoldReason
    until: datetime
    placed_at: datetime
    placed_by: str
    document_id: UUID | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None

    def in_force(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.until


@dataclass(frozen=True, slots=True)
class Erasure:
    """That a person was erased: when, on what basis, who decided it; in codes.

    `case_ids` are the cases that are known to be theirs.
    """

    subject_id: UUID
    basis: ErasureBasis
    actor: str
    role: str
    erased_at: datetime
    case_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with their cases, every hold that ever was, and the erasure if any."""

    subject_id: UUID
    cases: tuple[Case, ...]
    holds: tuple[Hold, ...] = ()
    erasure: Erasure | None = None

    @property
    def open_cases(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.state in OPEN)

    def held_until(self, now: datetime) -> datetime | None:
        """Give the end of the hold that lasts longest, of those in force."""
        return max(
            (hold.until for hold in self.holds if hold.in_force(now)), default=None
        )


def require_erasable(
    person: Person, basis: ErasureBasis, now: datetime, zone: tzinfo
) -> None:
    """Raise RefusedError where a person's data must stay for now; days are `zone`'s."""
    until = person.held_until(now)
    if until is not None:
        last = (until.astimezone(zone) - timedelta(microseconds=1)).date()
        raise RefusedError(
            "privacy.held",
            f"This data must be kept to the end of {last}: wait, or end the hold if its"
            " reason is gone.",
        )
    if person.open_cases and basis not in WHILE_OPEN:
        raise RefusedError(
            "privacy.open_cases",
            f"Still open, of this person's cases: {len(person.open_cases)}. End them"
            " first, or have the complaint withdrawn.",
        )


def require_holdable(person: Person, until: datetime, now: datetime) -> None:
    """Raise RefusedError where there is nothing to hold, or no time to hold it."""
    if person.erasure is not None:
        raise RefusedError(
            "privacy.erased", "This person's data was erased: nothing is left of it."
        )
    if until <= now:
        raise RefusedError(
            "privacy.hold_over", "This day is over: choose one that is still to come."
        )
