"""Have events take effect, and find those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import structlog

from services.kernel.errors import UnavailableError
from services.kernel.inbox.patience import HungError, within
from services.kernel.store.database import Tx, about_the_store

if TYPE_CHECKING:
    from uuid import UUID

    from services.kernel.inbox.quarantine import Place

_log = structlog.get_logger(__name__)

Fault = Literal["poison", "newer"]


@dataclass(frozen=True, slots=True)
class Arrived:
    """One event as it came. `fault` says why its `event` cannot be read, if so.

    `position` is its place in the source's log; `reason` explains a fault in codes;
    `subject` is what it came under on the bus, empty where it came from a log.
    """

    case_id: UUID
    version: int
    position: int
    body: bytes
    event: object | None
    fault: Fault | None = None
    reason: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


Effect = Callable[[Tx, Sequence[Arrived]], None]
"""Writes what follows from events: case after case, each in its order.

What it raises is the fault of an event, which is found and parked alone, unless it
speaks of the database, the system or a service that is away: then all come again.
So is the event over which it computes without end.
"""

HANDLER_FAILED: Final = "consumer.handler_failed"
"""Why an event is poison that can be read, but whose effect raises."""
HANDLER_HUNG: Final = "consumer.handler_hung"
"""Why an event is poison that can be read, but whose effect does not end."""

NOT_IN_RECORD: Final = "consumer.not_in_record"
"""Why an event is poison before which another is missing, in its source's log too."""

LONGEST_FOR_ONE: Final = 0.5
"""Seconds of computing after which the effect of one event counts as hanging.

Some hundred times what the slowest takes.
"""

_LONGEST_TO_BEGIN: Final = 0.05  # for many: cut early, it only leads to halving
_LONGEST_FOR_EACH: Final = 0.002

Culprits = dict["Place", str]
"""The first event of each case that cannot take effect, and the code of why."""


def culprits(
    tx: Tx, events: Sequence[Arrived], effect: Effect, *, watched: bool = True
) -> Culprits:
    """Have events take effect, and name the first of each case that cannot.

    What raises, or does not end, is halved until the culprits stand alone; the later
    events of their cases take no effect.
    """
    if not events:
        return {}
    alone = len(events) == 1
    many = _LONGEST_TO_BEGIN + _LONGEST_FOR_EACH * len(events)
    try:
        with tx.savepoint():
            if watched:
                within(LONGEST_FOR_ONE if alone else many, lambda: effect(tx, events))
            else:
                effect(tx, events)
    except HungError:
        if alone:
            return _culprit(events[0], HANDLER_HUNG)
    except Exception as error:
        if _comes_from_outside(error):
            raise
        if alone:
            return _culprit(events[0], HANDLER_FAILED)
    else:
        return {}
    half = len(events) // 2
    found = culprits(tx, events[:half], effect, watched=watched)
    held = {case_id for case_id, _ in found}
    rest = [event for event in events[half:] if event.case_id not in held]
    return found | culprits(tx, rest, effect, watched=watched)


def _culprit(event: Arrived, reason: str) -> Culprits:
    _log.warning(
        reason,
        case_id=str(event.case_id),
        version=event.version,
        position=event.position,
        exc_info=True,
    )
    return {(event.case_id, event.version): reason}


def _comes_from_outside(error: Exception) -> bool:
    """Say whether an effect failed for a reason that lies in no event."""
    outside = OSError, MemoryError, UnavailableError
    return about_the_store(error) or isinstance(error, outside)
