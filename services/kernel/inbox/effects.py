"""Have events take effect, and find those that cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import structlog

from services.kernel.errors import UnavailableError
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
"""

HANDLER_FAILED: Final = "consumer.handler_failed"
"""Why an event is poison that can be read, but whose effect raises."""


def culprits(tx: Tx, events: Sequence[Arrived], effect: Effect) -> list[Place]:
    """Have events take effect, and name the first of each case that cannot.

    What raises is halved until the culprits stand alone; the later events of their
    cases take no effect.
    """
    if not events:
        return []
    try:
        with tx.savepoint():
            effect(tx, events)
    except Exception as error:
        if _comes_from_outside(error):
            raise
        if len(events) == 1:
            (culprit,) = events
            _log.warning(
                "consumer.handler_failed",
                case_id=str(culprit.case_id),
                version=culprit.version,
                position=culprit.position,
                exc_info=True,
            )
            return [(culprit.case_id, culprit.version)]
    else:
        return []
    half = len(events) // 2
    found = culprits(tx, events[:half], effect)
    held = {case_id for case_id, _ in found}
    rest = [event for event in events[half:] if event.case_id not in held]
    return found + culprits(tx, rest, effect)


def _comes_from_outside(error: Exception) -> bool:
    """Say whether an effect failed for a reason that lies in no event."""
    outside = OSError, MemoryError, UnavailableError
    return about_the_store(error) or isinstance(error, outside)
