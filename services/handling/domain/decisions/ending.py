"""From agreement to the file: resolve, follow up, close; reopen, withdraw, correct."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from events.catalogue import (
    EVENTS,
    ComplaintClosed,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintWithdrawn,
    Correction,
    EvidenceAdded,
    FollowUpAttempted,
    RecordCorrected,
    SatisfactionRecorded,
)
from events.vocabulary import CloseReason, EvidenceSource, State
from services.handling.domain.commands import (
    AttemptFollowUp,
    CloseComplaint,
    CorrectRecord,
    RecordSatisfaction,
    ReopenComplaint,
    ResolveComplaint,
    WithdrawComplaint,
)
from services.handling.domain.decisions.rules import (
    Rule,
    concerned,
    only_in,
    require_amounts,
    require_authority,
    require_state,
    while_open,
)
from services.handling.domain.refusals import refusal

if TYPE_CHECKING:
    from services.handling.domain.decisions.rules import Decided, Scene


def resolve(on: Scene, command: ResolveComplaint) -> Decided:
    """State that all is done; there are no tasks apart yet, so none is open (S103)."""
    if on.case.state is State.ACCEPTED:
        return _resolve_at_once(on, command)
    case = on.case
    approved = case.approved or ()
    if command.remedies is not None and command.remedies != approved:
        raise refusal("case.remedy_not_approved")
    if command.outcome is not None and case.outcome not in (None, command.outcome):
        raise refusal("case.outcome_differs")
    outcome = case.outcome or command.outcome
    if outcome is None:
        raise refusal("case.outcome_missing")
    resolved = ComplaintResolved(
        outcome=outcome,
        remedies=approved,
        level=case.level,
        corrective_action=command.corrective_action,
    )
    return (resolved,)


def _resolve_at_once(on: Scene, command: ResolveComplaint) -> Decided:
    """Settle at the first contact, within the actor's own authority (S96).

    The customer's acceptance is kept as evidence.
    """
    if command.outcome is None:
        raise refusal("case.outcome_missing")
    remedies = command.remedies or ()
    require_amounts(on, remedies)
    require_authority(on, remedies)
    if command.agreement is None:
        raise refusal("case.acceptance_missing")
    return (
        EvidenceAdded(document=command.agreement, source=EvidenceSource.CUSTOMER),
        ComplaintResolved(
            outcome=command.outcome,
            remedies=remedies,
            first_contact=True,
            level=on.case.level,
            corrective_action=command.corrective_action,
        ),
    )


def follow_up(on: Scene, command: AttemptFollowUp) -> Decided:
    return (
        FollowUpAttempted(
            attempt=on.case.attempts + 1, result=command.result, medium=command.medium
        ),
    )


def rate(_on: Scene, command: RecordSatisfaction) -> Decided:
    return (
        SatisfactionRecorded(
            score=command.score, about=command.about, comment=command.comment
        ),
    )


def close(on: Scene, _command: CloseComplaint) -> Decided:
    return (ComplaintClosed(reason=_close_reason(on)),)


def reopen(_on: Scene, command: ReopenComplaint) -> Decided:
    return (ComplaintReopened(new_facts=command.new_facts, reason=command.reason),)


def withdraw(_on: Scene, command: WithdrawComplaint) -> Decided:
    return (ComplaintWithdrawn(reason=command.reason, note=command.note),)


def correct(on: Scene, command: CorrectRecord) -> Decided:
    """Correct a field that the event has, by a value that it can have; never edit."""
    types = {event.event_id: event.type for event in on.case.history}
    target = types.get(command.target_event_id)
    if target is None:
        raise refusal("case.no_such_event")
    right = Correction(**dict(command.correction))
    leaf = TypeAdapter[Any](_leaf(EVENTS[target], right.field.split(".")))
    try:
        if right.value is not None:
            leaf.validate_strings(right.value)
        else:
            leaf.validate_python(right.document)
    except ValidationError:
        raise refusal("case.value_not_valid") from None
    return (
        RecordCorrected(
            target_event_id=command.target_event_id,
            why=command.why,
            correction=right,
        ),
    )


def _leaf(annotation: Any, path: list[str]) -> Any:
    """Give the type of the field at `path`: names of fields, places in lists."""
    if not path:
        return annotation
    name, *below = path
    known: list[str] = []
    for each in _alternatives(annotation):
        if isinstance(each, type) and issubclass(each, BaseModel):
            known += each.model_fields
            if name in each.model_fields:
                field = each.model_fields[name]
                return _leaf(Annotated[field.annotation, field], below)
        elif get_origin(each) is tuple and name.isdecimal():
            return _leaf(get_args(each)[0], below)
    raise refusal("case.no_such_field", allowed=known or ["those above it"])


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Look through `Annotated` and unions."""
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (UnionType, Union):
        return get_args(annotation)
    return (annotation,)


def _may_resolve(on: Scene) -> None:
    """Resolve after agreement (S100), or at once where that is allowed (S96)."""
    case, barred = on.case, on.policy.first_contact
    require_state(on, "case.not_agreed", State.IMPLEMENTING, State.ACCEPTED)
    if case.state is State.IMPLEMENTING:
        return
    if (
        case.complaint_class in barred.not_classes
        or case.severity in barred.not_severities
        or case.systemic
        or case.returns
    ):
        raise refusal("case.not_first_contact")
    require_authority(on, ())


def _may_reopen(on: Scene) -> None:
    """Reopen what was finished; a declined complaint is appealed instead."""
    if on.case.state not in (State.RESOLVED, State.CLOSED):
        raise refusal("case.not_reopenable")


def _may_close(on: Scene) -> None:
    require_state(on, "case.not_resolved", State.REPLIED, State.RESOLVED)
    _close_reason(on)


def _close_reason(on: Scene) -> CloseReason:
    """Find in the record why the case may be closed (S105).

    Before a result only an answer to a decision that promises nothing closes it:
    else the remedies, still waiting for agreement, would be lost (S100).
    """
    case, policy = on.case, on.policy
    satisfied = case.score is not None and case.score >= policy.satisfied_from
    if case.state is State.REPLIED and satisfied and not case.approved:
        return CloseReason.DECISION_ACCEPTED
    if case.state is State.RESOLVED and satisfied:
        return CloseReason.SATISFIED
    if case.state is State.RESOLVED and case.unreached >= policy.follow_up_attempts:
        return CloseReason.FOLLOW_UP_EXHAUSTED
    if case.told_at is not None and on.now - case.told_at > policy.answer_window:
        return CloseReason.LAPSED
    raise refusal("case.answer_awaited")


def _closed_before(on: Scene) -> bool:
    return on.case.state is State.CLOSED


def _withdrawn_before(on: Scene) -> bool:
    return on.case.state is State.WITHDRAWN


_TOLD = (State.REPLIED, State.RESOLVED)

RULES = (
    Rule(ResolveComplaint, _may_resolve, resolve),
    Rule(AttemptFollowUp, only_in("case.not_resolved", *_TOLD), follow_up),
    Rule(RecordSatisfaction, only_in("case.not_resolved", *_TOLD, State.CLOSED), rate),
    Rule(CloseComplaint, _may_close, close, _closed_before),
    Rule(ReopenComplaint, _may_reopen, reopen),
    Rule(WithdrawComplaint, while_open, withdraw, _withdrawn_before),
    Rule(CorrectRecord, concerned, correct),
)
