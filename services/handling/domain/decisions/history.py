"""The past of an imported case: what its source states, in order, and when it happened.

The guards of daily work do not ask here: whoever kept the source had rules of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple, assert_never
from uuid import UUID

from events.catalogue import (
    ComplaintAppealed,
    ComplaintClosed,
    ComplaintResolved,
    DeadlineStated,
    DepartmentAssigned,
)
from events.envelope import Actor
from events.vocabulary import CloseReason, Origin, Precision, State
from services.handling.domain.case import Case
from services.handling.domain.commands import Command, RecordHistory
from services.handling.domain.decisions.rules import Rule, Scene, require_listed
from services.handling.domain.refusals import refusal
from services.handling.domain.stated import (
    StatedAppeal,
    StatedAssignment,
    StatedDeadline,
    StatedEnd,
    StatedResult,
)
from services.kernel.errors import ForbiddenError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from events.catalogue import AnyEvent
    from services.handling.domain.decisions.rules import Decided
    from services.handling.domain.policy import Policy
    from services.handling.domain.stated import Fact

_BEFORE: Final = {
    "due": tuple(State),
    "assigned": (State.RECEIVED, State.ASSIGNED),
    "resolved": (State.RECEIVED, State.ASSIGNED, State.APPEALED),
    "appealed": (State.RESOLVED, State.CLOSED),
    "closed": (State.RECEIVED, State.ASSIGNED, State.RESOLVED, State.APPEALED),
}
"""Where a case may stand before each fact; `domain.md` 6.3 without daily work between."""


class When(NamedTuple):
    """When an event happened, and how exactly that is known."""

    at: datetime
    precision: Precision


def record_history(on: Scene, command: RecordHistory) -> Decided:
    """Give one event a fact, in the order given, dated by `happened`."""
    events: list[AnyEvent] = []
    state, level = on.case.state, on.case.level
    for place, fact in enumerate(command.facts):
        if state not in _BEFORE[fact.fact]:
            raise refusal(
                "case.history_order",
                allowed=_BEFORE[fact.fact],
                field=f"facts.{place}",
            )
        if fact.at is not None and fact.at > on.now:
            raise refusal("case.history_ahead", field=f"facts.{place}.at")
        if isinstance(fact, StatedAssignment):
            require_listed(
                "case.unknown_department",
                fact.department,
                on.policy.departments,
                field=f"facts.{place}.department",
            )
        level += isinstance(fact, StatedAppeal)
        event = _event(fact, level)
        state = event.state_after(state) or state
        events.append(event)
    return tuple(events)


def foreseen(
    facts: Sequence[Mapping[str, Any]], *, now: datetime, policy: Policy
) -> RefusedError | ForbiddenError | None:
    """Say why the history of a case that is just imported would be refused, or None."""
    nobody = UUID(int=0)
    case = Case(
        id=nobody,
        version=1,
        state=State.RECEIVED,
        receipt_no="",
        origin=Origin.MIGRATION,
        received_at=now,
        subject_id=nobody,
    )
    command = RecordHistory.model_validate_json(json.dumps({"facts": facts}))
    try:
        record_history(
            Scene(case, Actor(id="import", role="migration"), now, policy), command
        )
    except (RefusedError, ForbiddenError) as refused:
        return refused
    return None


def happened(
    case: Case, command: Command, facts: Decided, now: datetime
) -> tuple[When, ...]:
    """Say when each of the decided events happened: now, or as a history states.

    A fact without a date did not happen before the latest dated one ahead of it.
    """
    if not isinstance(command, RecordHistory):
        return (When(now, Precision.INSTANT),) * len(facts)
    known, latest = [], case.received_at
    for fact in command.facts:
        if fact.at is None:
            known.append(When(latest, Precision.NOT_BEFORE))
        else:
            known.append(When(fact.at, Precision(fact.precision)))
            latest = max(latest, fact.at)
    return tuple(known)


def _event(fact: Fact, level: int) -> AnyEvent:
    match fact:
        case StatedAssignment():
            return DepartmentAssigned(department=fact.department, reason=fact.reason)
        case StatedDeadline():
            return DeadlineStated(due_at=fact.due_at, overdue=fact.overdue)
        case StatedResult():
            return ComplaintResolved(
                outcome=fact.outcome,
                stated_as=fact.stated_as,
                remedies=fact.remedies,
                level=level,
            )
        case StatedAppeal():
            return ComplaintAppealed(
                level=level, grounds=fact.grounds, within_window=fact.within_window
            )
        case StatedEnd():
            return ComplaintClosed(reason=CloseReason(fact.reason))
        case _:
            assert_never(fact)


def _may_record(on: Scene) -> None:
    """Record the past of what was imported, before anything else is recorded of it."""
    if on.case.origin != Origin.MIGRATION:
        raise refusal("case.not_imported")
    if on.case.version > 1:
        raise refusal("case.history_begun")


RULES = (Rule(RecordHistory, _may_record, record_history),)
