"""The appeal: against which decision, until when, and by whom it is reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.catalogue import AppealAccepted, AppealDismissed, ComplaintAppealed
from events.vocabulary import State
from services.handling.domain.commands import (
    AcceptAppeal,
    AppealComplaint,
    DismissAppeal,
)
from services.handling.domain.decisions.rules import Rule, require_state
from services.handling.domain.refusals import refusal

if TYPE_CHECKING:
    from services.handling.domain.case import Happened
    from services.handling.domain.decisions.rules import Decided, Scene

_APPEALABLE = (State.DECLINED, State.REPLIED, State.RESOLVED, State.CLOSED)


def appeal(on: Scene, command: AppealComplaint) -> Decided:
    """Contest a decision that stands, inside its window (S114, S115)."""
    contested = on.case.contestable[-1]
    if command.contested_event_id is not None:
        contested = _named(on, command.contested_event_id)
    if not _in_time(on, contested):
        raise refusal("case.appeal_window_over")
    return (
        ComplaintAppealed(
            level=on.case.level + 1,
            contested_event_id=contested.event_id,
            grounds=command.grounds,
            statement=command.statement,
            evidence=command.evidence,
            expected_outcome=command.expected_outcome,
            within_window=True,
        ),
    )


def accept_appeal(on: Scene, _command: AcceptAppeal) -> Decided:
    return (AppealAccepted(reviewer=on.actor.id, level=on.case.level),)


def dismiss_appeal(on: Scene, command: DismissAppeal) -> Decided:
    """Let the decision stand; the last level names the outside body (S116)."""
    body = command.outside_body
    if on.case.level >= on.policy.last_appeal_level:
        body = body or on.policy.outside_body
        if body is None:
            raise refusal("case.outside_body_missing")
    return (
        AppealDismissed(
            reasons=command.reasons,
            explanation=command.explanation,
            level=on.case.level,
            outside_body=body,
        ),
    )


def _may_appeal(on: Scene) -> None:
    """Appeal while a level is left and a decision is fresh enough (S115, S116)."""
    case = on.case
    if case.state not in _APPEALABLE or not case.contestable:
        raise refusal("case.nothing_to_appeal")
    if case.level >= on.policy.last_appeal_level:
        raise refusal("case.appeal_levels_exhausted")
    if not any(_in_time(on, event) for event in case.contestable):
        raise refusal("case.appeal_window_over")


def _may_review(on: Scene) -> None:
    """Let a reviewer decide who never acted on the case (S115)."""
    require_state(on, "case.not_appealed", State.APPEALED)
    if on.actor.id in on.case.actors:
        raise refusal("case.reviewer_involved")


def _taken_up_before(on: Scene) -> bool:
    return on.case.state is State.INVESTIGATING and on.case.reviewer == on.actor.id


def _named(on: Scene, event_id: object) -> Happened:
    for event in on.case.contestable:
        if event.event_id == event_id:
            return event
    standing = (event.event_id for event in on.case.contestable)
    raise refusal("case.not_contestable", allowed=standing)


def _in_time(on: Scene, contested: Happened) -> bool:
    """Count from the server's time of the event: no claim shortens the window."""
    return on.now - contested.at <= on.policy.appeal_window


RULES = (
    Rule(AppealComplaint, _may_appeal, appeal),
    Rule(AcceptAppeal, _may_review, accept_appeal, _taken_up_before),
    Rule(DismissAppeal, _may_review, dismiss_appeal),
)
