"""A case's clocks for whoever looks: ours, what its source states, and what if."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from events.catalogue import DeadlineStated
from services.handling.domain.clocks import clocks, told_to_departments, what_if

if TYPE_CHECKING:
    from uuid import UUID

    from services.handling.application.cases import AsOf, History
    from services.handling.domain.clocks import Clock, Clockwork


@dataclass(frozen=True, slots=True)
class StatedDue:
    """By when an imported case was due, and whether that was kept, as its source says."""

    event_id: UUID
    due_at: datetime | None
    overdue: bool | None


@dataclass(frozen=True, slots=True)
class Timed:
    """The clocks of a case at an instant; `what_if` are those that nobody was held to."""

    at: datetime
    clocks: tuple[Clock, ...]
    stated: tuple[StatedDue, ...]
    what_if: tuple[Clock, ...]

    @property
    def running(self) -> tuple[Clock, ...]:
        return tuple(clock for clock in self.clocks if clock.running)

    @property
    def stopped(self) -> tuple[Clock, ...]:
        return tuple(clock for clock in self.clocks if not clock.running)


def timed(history: History, by: Clockwork, at: datetime, *, unit: bool) -> Timed:
    """Derive the clocks of a case as it stood; a unit is told what its events tell it."""
    found = clocks(history.case, by, at)
    if unit:
        found = tuple(clock for clock in found if _told(clock))
    return Timed(at, found, stated_of(history), what_if(history.case, by, at))


def stated_of(history: History) -> tuple[StatedDue, ...]:
    """Give what an imported record states of deadlines, in the order of its events."""
    return tuple(
        StatedDue(known.event.event_id, data.due_at, data.overdue)
        for known in history.events
        if isinstance(data := known.event.data, DeadlineStated)
    )


def looked_at(history: History, as_of: AsOf, now: datetime) -> datetime:
    """Give the instant at which a case is looked at: the present, or when it stood so."""
    if isinstance(as_of, datetime):
        return min(as_of, now)
    return history.events[-1].committed_at if history.past else now


def _told(clock: Clock) -> bool:
    events = (clock.started_by, clock.stopped_by)
    return told_to_departments(clock.rule, *filter(None, events))
