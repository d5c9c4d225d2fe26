"""What figures read of one complaint, and how each event changes it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, assert_never, cast

from events.catalogue import (
    AnyEvent,
    AppealAccepted,
    AppealDismissed,
    AssignmentAccepted,
    AssignmentReturned,
    ComplaintAccepted,
    ComplaintAppealed,
    ComplaintClosed,
    ComplaintDeclined,
    ComplaintInvestigated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintWithdrawn,
    DeadlineStated,
    DecisionIssued,
    DepartmentAssigned,
    EvidenceAdded,
    FollowUpAttempted,
    Product,
    ReceiptAcknowledged,
    RecordCorrected,
    SatisfactionRecorded,
    SettlementAgreed,
    SettlementApproved,
    SettlementProposed,
    SettlementRefused,
    SettlementReturned,
    StatementConfirmed,
    SubjectErased,
)
from events.vocabulary import AssignmentRole, Origin, Precision
from services.analytics.domain.handled import at_first, handled
from services.analytics.domain.stays import holder, when

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from events.envelope import Envelope, Event


REVOKED: Final = "revoked"
"""The origin, for figures, of a complaint whose import was revoked (ADR 0018)."""


class Countermeasure(StrEnum):
    """What is done so that the same does not happen again (S16, S135)."""

    PROPOSED = "proposed"
    TAKEN = "taken"


class FirstContact(StrEnum):
    """Whether a resolved complaint was settled at the first contact (S96)."""

    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Facts:
    """One complaint as figures see it, in codes; None means not stated or not known.

    `received_at` is the claimed time of receipt (`occurred_at`), by which periods count.
    `category` is what was accepted, before that what was reported. `department` is the
    lead; the codes from `responded` to `overdue` are those of `handled`, the two times
    those of `stays`. `set_by` names the event behind each field that a later event than
    the receipt set, so that a correction changes what its target said and nothing newer.
    `subject` is the complainant's pseudonym. `documented_day` counts days from 1970 to
    the source's own document (S16), `countermeasure_after` seconds from receipt to the
    first countermeasure; None where one of the two has no date of its own.
    """

    receipt_event: UUID
    receipt_no: str
    subject: UUID
    received_at: datetime
    received_precision: str
    origin: str
    channel: str | None
    reported_via: str
    source: str | None
    reported_category: str | None
    category: str | None
    product: str | None
    lot: str | None
    supplier: str | None
    documented_day: int | None
    state: str
    department: str | None = None
    complaint_class: str | None = None
    severity: str | None = None
    root_cause: str | None = None
    outcome: str | None = None
    appeals: int = 0
    responded: str | None = None
    decided: str | None = None
    solved: str | None = None
    satisfied: str | None = None
    appeal: str | None = None
    contested: str | None = None
    decline: str | None = None
    decline_reason: str | None = None
    overdue: str | None = None
    countermeasure: str | None = None
    countermeasure_after: int | None = None
    first_contact: str | None = None
    returns: int = 0
    state_since: datetime | None = None
    held_since: datetime | None = None
    set_by: tuple[tuple[str, str], ...] = ()


_EPOCH: Final = date(1970, 1, 1)


class NoReceiptError(ValueError):
    """A history that does not begin with ComplaintReceived."""


def fold(facts: Facts | None, event: Envelope[Event]) -> Facts:
    """Give the facts after `event`; equal facts where no figure reads what it says.

    Refuses nothing but a first event that is no receipt (`NoReceiptError`).
    """
    data = cast("AnyEvent", event.data)
    if facts is None:
        if not isinstance(data, ComplaintReceived):
            raise NoReceiptError(event.type)
        return _received(event, data)
    if isinstance(data, RecordCorrected):
        return _corrected(facts, data)
    stated = _stated(data)
    changes: dict[str, Any] = {
        **handled(facts, data),
        **_put_right(facts, event, data),
        **stated,
    }
    if stated:
        set_by = dict(facts.set_by) | dict.fromkeys(stated, str(event.event_id))
        changes["set_by"] = tuple(sorted(set_by.items()))
    state = data.state_after(None)
    if state is not None and state.value != facts.state:
        changes["state"] = state.value
        changes["state_since"] = when(event)
    held = holder(facts.state, facts.department)
    department = stated.get("department", facts.department)
    if held != holder(changes.get("state", facts.state), department):
        changes["held_since"] = when(event)
    if isinstance(data, ComplaintAppealed):
        changes["appeals"] = facts.appeals + 1
    elif isinstance(data, AssignmentReturned) and data.role is AssignmentRole.LEAD:
        changes["returns"] = facts.returns + 1
    return _with(facts, changes) if changes else facts


_FIELDS: Final = tuple(field.name for field in fields(Facts))
_PLACES: Final = {name: place for place, name in enumerate(_FIELDS)}
_values: Final = attrgetter(*_FIELDS)


def _with(facts: Facts, changes: Mapping[str, Any]) -> Facts:
    """Give `replace(facts, **changes)` in half its time: every event comes by here."""
    values = list(_values(facts))
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Facts(*values)


def _stated(data: AnyEvent) -> dict[str, Any]:
    """Give the fields that a later event than the receipt puts a value into."""
    match data:
        case ComplaintAccepted():
            return {
                "category": data.category,
                "complaint_class": data.complaint_class.value,
                "severity": data.severity.value,
            }
        case DepartmentAssigned() if data.role is AssignmentRole.LEAD:
            return {"department": data.department}
        case AssignmentReturned() if data.role is AssignmentRole.LEAD:
            return {"department": None}
        case ComplaintInvestigated():
            return {"root_cause": data.root_cause.path}
        case DecisionIssued() | ComplaintResolved():
            return {"outcome": data.outcome.value if data.outcome else None}
        case (
            ComplaintReceived()
            | ReceiptAcknowledged()
            | ComplaintDeclined()
            | DepartmentAssigned()
            | AssignmentAccepted()
            | AssignmentReturned()
            | EvidenceAdded()
            | StatementConfirmed()
            | SettlementProposed()
            | SettlementApproved()
            | SettlementReturned()
            | SettlementAgreed()
            | SettlementRefused()
            | FollowUpAttempted()
            | SatisfactionRecorded()
            | DeadlineStated()
            | ComplaintClosed()
            | ComplaintAppealed()
            | AppealAccepted()
            | AppealDismissed()
            | ComplaintReopened()
            | ComplaintWithdrawn()
            | RecordCorrected()
            | SubjectErased()
        ):
            return {}
        case _:
            assert_never(data)


def _put_right(facts: Facts, event: Envelope[Event], data: AnyEvent) -> dict[str, Any]:
    """Note countermeasures, of proposals that of the last, and how it was settled."""
    changes: dict[str, Any] = {}
    measure = facts.countermeasure
    if isinstance(data, SettlementProposed) and measure != Countermeasure.TAKEN:
        measure = Countermeasure.PROPOSED.value if data.improvement else None
    elif isinstance(data, ComplaintResolved):
        # A record from elsewhere that does not say so has not said the opposite.
        if data.first_contact or event.origin is not Origin.MIGRATION:
            said = FirstContact.YES if data.first_contact else FirstContact.NO
            changes["first_contact"] = said.value
        measure = Countermeasure.TAKEN.value if data.corrective_action else measure
    if measure != facts.countermeasure:
        after = facts.countermeasure_after if measure else None
        if measure and after is None:
            after = _seconds_to(facts, event)
        changes |= {"countermeasure": measure, "countermeasure_after": after}
    return changes


def _seconds_to(facts: Facts, event: Envelope[Event]) -> int | None:
    vague = Precision.NOT_BEFORE
    if vague in {facts.received_precision, event.occurred_precision}:
        return None
    return max(0, int((event.occurred_at - facts.received_at).total_seconds()))


def _received(event: Envelope[Event], data: ComplaintReceived) -> Facts:
    product = data.product or Product()
    return Facts(
        receipt_event=event.event_id,
        receipt_no=data.receipt_no,
        subject=data.subject_id,
        received_at=event.occurred_at,
        received_precision=event.occurred_precision.value,
        origin=event.origin.value,
        channel=event.channel.value if event.channel else None,
        reported_via=data.reported_via.value,
        source=data.source.value if data.source else None,
        reported_category=data.category,
        category=data.category,
        product=product.model,
        lot=product.lot,
        supplier=product.supplier,
        documented_day=(data.source_document_on - _EPOCH).days
        if data.source_document_on
        else None,
        state=ComplaintReceived.leads_to.value,
        state_since=when(event),
        held_since=when(event),
        **at_first(event.origin),
    )


_CORRECTABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "reported_via": ("reported_via",),
    "source": ("source",),
    "category": ("reported_category", "category"),
    "product.model": ("product",),
    "product.lot": ("lot",),
    "product.supplier": ("supplier",),
    "complaint_class": ("complaint_class",),
    "severity": ("severity",),
    "department": ("department",),
    "root_cause.path": ("root_cause",),
    "outcome": ("outcome",),
}
"""Fields of events, and the facts that they become."""


def _corrected(facts: Facts, data: RecordCorrected) -> Facts:
    """Put the right value where the corrected event's value still stands."""
    if data.counted is not None:
        origin = Origin.MIGRATION.value if data.counted else REVOKED
        facts = _with(facts, {"origin": origin})
    if data.correction is None:
        return facts
    set_by = dict(facts.set_by)
    changes: dict[str, Any] = {
        name: data.correction.value
        for name in _CORRECTABLE.get(data.correction.field, ())
        if set_by.get(name, str(facts.receipt_event)) == str(data.target_event_id)
    }
    return _with(facts, changes)
