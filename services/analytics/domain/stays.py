"""How long a complaint stayed in a state, and with a department: what ends where it moves.

Only open states count, and only while one of them lasts does anybody hold a complaint;
before a department is its lead nobody does. Durations go by `occurred_at`. Where only
`not_before` is known of one end, there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, Protocol

from events.catalogue import AssignmentReturned, RecordCorrected
from events.vocabulary import AssignmentRole, Precision
from services.analytics.domain.figures import OPEN, UNSTATED

if TYPE_CHECKING:
    from datetime import datetime

    from events.envelope import Envelope, Event

Kind = Literal["state", "holder"]
"""What a complaint stays in, or with."""

NOBODY: Final = UNSTATED
"""The holder of what no department leads."""

_SECOND: Final = timedelta(seconds=1)


class Standing(Protocol):
    """Where a complaint is, and since when; None where that is not exactly known."""

    @property
    def state(self) -> str: ...
    @property
    def department(self) -> str | None: ...
    @property
    def state_since(self) -> datetime | None: ...
    @property
    def held_since(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Ended:
    """What an event ended: the stay in a state, with a holder, by a return; in seconds."""

    left_state: str | None = None
    state_took: int | None = None
    left_holder: str | None = None
    holder_took: int | None = None
    returned_by: str | None = None
    return_reason: str | None = None


NOTHING: Final = Ended()


@dataclass(frozen=True, slots=True)
class Passed:
    """The stays in one place of one group, and how long they took, in seconds.

    `cases` counts complaints, each once; `open` those that are there still, whose time
    runs; `left_out` stays of which one end is not exactly known.
    """

    place: str | None
    values: tuple[str | None, ...]
    bucket: int | None
    cases: int
    stays: int
    open: int
    left_out: int
    median: int | None
    p90: int | None
    mean: float | None
    longest: int | None


@dataclass(frozen=True, slots=True)
class Returned:
    """What one department had, and gave back, in one group; `reasons` count returns."""

    department: str | None
    values: tuple[str | None, ...]
    bucket: int | None
    assigned: int
    cases: int
    returns: int
    reasons: tuple[int, ...]


def when(event: Envelope[Event]) -> datetime | None:
    """Give when a stay begins with `event`; a day counts from its beginning."""
    if event.occurred_precision is Precision.NOT_BEFORE:
        return None
    return event.occurred_at


def holder(state: str, department: str | None) -> str | None:
    """Give who holds a complaint; None where it is not open."""
    return (department or NOBODY) if state in OPEN else None


def ended(before: Standing, after: Standing, event: Envelope[Event]) -> Ended:
    """Give what `event` ended; a correction tells of no move."""
    if isinstance(event.data, RecordCorrected):
        return NOTHING
    left_state = left_holder = returned_by = reason = None
    if after.state != before.state and before.state in OPEN:
        left_state = before.state
    held = holder(before.state, before.department)
    if held != holder(after.state, after.department):
        left_holder = held
    data = event.data
    if isinstance(data, AssignmentReturned) and data.role is AssignmentRole.LEAD:
        returned_by, reason = data.department, data.reason.value
    if not (left_state or left_holder or returned_by):
        return NOTHING
    at = when(event)
    return Ended(
        left_state,
        _took(before.state_since, at) if left_state else None,
        left_holder,
        _took(before.held_since, at) if left_holder else None,
        returned_by,
        reason,
    )


def _took(start: datetime | None, end: datetime | None) -> int | None:
    """Give whole seconds; claimed times may run backwards, a stay lasts 0 at least."""
    if start is None or end is None:
        return None
    return max(0, (end - start) // _SECOND)
