"""The case: what it is now, and how each event changes it.

Evolution refuses nothing and reads no clock: rules change, history does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from events.catalogue import (
    AssignmentReturned,
    ComplaintAccepted,
    ComplaintAppealed,
    ComplaintReceived,
    DepartmentAssigned,
)
from events.vocabulary import AssignmentRole, State

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from events.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Case:
    """A complaint's case, folded from its events. `version` counts them."""

    id: UUID
    version: int
    state: State
    receipt_no: str
    origin: str
    received_at: datetime
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    supplier: str | None = None
    severity: str | None = None
    department: str | None = None
    level: int = 0


def evolve(case: Case | None, event: Envelope[Any]) -> Case:
    """Give the case after `event`. Raises ValueError where a history does not begin
    with ComplaintReceived: such a history was never stored by amends.
    """
    data = event.data
    if isinstance(data, ComplaintReceived):
        return _received(event, data)
    if case is None:
        raise ValueError(f"{event.type} cannot be a case's first event")
    state = data.state_after(case.state) or case.state
    case = replace(case, version=event.version, state=state)
    match data:
        case ComplaintAccepted():
            return replace(case, category=data.category, severity=data.severity)
        case DepartmentAssigned(role=AssignmentRole.LEAD):
            return replace(case, department=data.department)
        case AssignmentReturned(role=AssignmentRole.LEAD):
            return replace(case, department=None)
        case ComplaintAppealed():
            return replace(case, level=data.level)
        case _:  # the others change the state alone
            return case


def _received(event: Envelope[Any], data: ComplaintReceived) -> Case:
    product = data.product
    return Case(
        id=event.case_id,
        version=event.version,
        state=State.RECEIVED,
        receipt_no=data.receipt_no,
        origin=event.origin,
        received_at=event.occurred_at,
        channel=event.channel,
        category=data.category,
        product=product.model if product else None,
        supplier=product.supplier if product else None,
    )
