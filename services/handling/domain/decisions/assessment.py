"""From receipt to a department that signed: acknowledge, accept, decline, assign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.catalogue import (
    AssignmentAccepted,
    AssignmentReturned,
    ComplaintAccepted,
    ComplaintDeclined,
    DepartmentAssigned,
    ReceiptAcknowledged,
)
from events.vocabulary import (
    AssignmentReason,
    AssignmentRole,
    ComplaintClass,
    Severity,
    State,
)
from services.handling.domain.commands import (
    AcceptAssignment,
    AcceptComplaint,
    AcknowledgeReceipt,
    AssignDepartment,
    DeclineComplaint,
    ReturnAssignment,
)
from services.handling.domain.decisions.rules import (
    Rule,
    concerned,
    only_in,
    require_listed,
    require_state,
    while_open,
)
from services.handling.domain.policy import graver
from services.handling.domain.refusals import refusal

if TYPE_CHECKING:
    from services.handling.domain.decisions.rules import Decided, Scene
    from services.handling.domain.policy import Route


def acknowledge(on: Scene, command: AcknowledgeReceipt) -> Decided:
    """Promise an instant to come (S6)."""
    if command.expected_at <= on.now:
        raise refusal("case.expected_in_the_past")
    return (
        ReceiptAcknowledged(
            handler=command.handler or on.actor.id,
            expected_at=command.expected_at,
            medium=command.medium,
        ),
    )


def accept(on: Scene, command: AcceptComplaint) -> Decided:
    """Accept, and assign where the routing names a department (S17, S26, S31, S47-S49).

    A route that needs approval waits for one who may give it (S48).
    """
    require_listed("case.unknown_category", command.category, on.policy.categories)
    matter = (command.category, command.complaint_class, command.scope_kind)
    least = on.policy.severity(*matter, on.case.price)
    severity = command.severity or least
    if graver(least, severity):
        enough = [each for each in Severity if not graver(least, each)]
        raise refusal("case.severity_too_low", allowed=enough)
    claim = command.complaint_class is ComplaintClass.CLAIM
    if claim and command.contract is None:
        raise refusal("case.contract_missing")
    accepted = ComplaintAccepted(
        complaint_class=command.complaint_class,
        category=command.category,
        scope_kind=command.scope_kind,
        severity=severity,
        order_check=command.order_check,
        shipment_check=command.shipment_check,
        contract=command.contract,
    )
    if command.first_contact:
        barred = on.policy.first_contact
        if (
            command.complaint_class in barred.not_classes
            or severity in barred.not_severities
        ):
            raise refusal("case.not_first_contact")
        return (accepted,)
    route = on.policy.route(*matter)
    if route is None or not _may_assign(on, route):
        return (accepted,)
    return (accepted, _routed(route))


def decline(_on: Scene, command: DeclineComplaint) -> Decided:
    """Decline with a reason and its explanation (S28)."""
    return (ComplaintDeclined(reason=command.reason, explanation=command.explanation),)


def assign(on: Scene, command: AssignDepartment) -> Decided:
    """Assign the lead, or ask a contributor; no state but 6.3's leads to ASSIGNED."""
    case = on.case
    route = _route(on)
    department = command.department or (route.department if route else None)
    known = on.policy.departments
    if department is None:
        raise refusal("case.no_route", allowed=known)
    require_listed("case.unknown_department", department, known, field="department")
    if command.role is AssignmentRole.CONTRIBUTOR:
        if case.state is State.ACCEPTED:
            raise refusal("case.not_assignable")
        if department in case.departments:
            return ()
        return (
            DepartmentAssigned(
                department=department,
                role=AssignmentRole.CONTRIBUTOR,
                reason=AssignmentReason.MANUAL,
            ),
        )
    if department == case.department:
        return ()
    if case.state is State.ASSIGNED:
        raise refusal("case.not_assignable")
    return (
        DepartmentAssigned(
            department=department,
            reason=_reason(on, route, department),
            previous=case.department,
        ),
    )


def sign_for(on: Scene, _command: AcceptAssignment) -> Decided:
    """Sign for the actor's own department, as lead or as contributor (S56)."""
    department = _my_department(on)
    lead = department == on.case.department
    role = AssignmentRole.LEAD if lead else AssignmentRole.CONTRIBUTOR
    return (AssignmentAccepted(department=department, role=role),)


def return_(on: Scene, command: ReturnAssignment) -> Decided:
    """Return the case; the GM office owns it once it was returned too often (S57)."""
    case, department = on.case, _my_department(on)
    lead = department == case.department
    count = case.returns + 1
    returned = AssignmentReturned(
        department=department,
        role=AssignmentRole.LEAD if lead else AssignmentRole.CONTRIBUTOR,
        reason=command.reason,
        suggested=command.suggested,
        count=count,
        note=command.note,
    )
    if not lead or count < on.policy.max_returns:
        return (returned,)
    return (
        returned,
        DepartmentAssigned(
            department=on.policy.gm_office,
            reason=AssignmentReason.RETURN,
            previous=department,
        ),
    )


def _may_be_assigned(on: Scene) -> None:
    """Let the holder assign, or who may approve the route of a new case (S48)."""
    require_state(
        on,
        "case.not_assignable",
        State.ACCEPTED,
        State.ASSIGNED,
        State.INVESTIGATING,
    )
    concerned(on)
    if on.of_a_unit and on.actor.department not in (
        on.holder,
        on.policy.front_office,
    ):
        raise refusal("case.not_your_department")
    route = _route(on)
    new = on.case.state is State.ACCEPTED and on.case.returns == 0
    if new and route is not None and not _may_assign(on, route):
        raise refusal("case.route_needs_approval", allowed=route.approved_by)


def _my_department(on: Scene) -> str:
    if on.actor.department is None:
        raise refusal("case.not_your_department")
    return on.actor.department


def _waits_for_my_signature(on: Scene) -> None:
    department = _my_department(on)
    if department in on.case.asked:
        while_open(on)
    elif department == on.case.department:
        require_state(on, "case.not_dispatched", State.ASSIGNED)
    else:
        raise refusal("case.not_your_department")


def _is_mine_to_return(on: Scene) -> None:
    case, department = on.case, _my_department(on)
    if department in case.asked:
        while_open(on)
    elif department == case.department:
        require_state(on, "case.not_dispatched", State.ASSIGNED)
        if (
            department == on.policy.gm_office
            and case.returns + 1 >= on.policy.max_returns
        ):
            raise refusal("case.no_further_return")
    else:
        raise refusal("case.not_your_department")


def _signed_before(on: Scene) -> bool:
    case, department = on.case, on.actor.department
    lead = department == case.department and case.state is State.INVESTIGATING
    return department is not None and (lead or department in case.contributing)


def _route(on: Scene) -> Route | None:
    case = on.case
    return on.policy.route(case.category, case.complaint_class, case.scope_kind)


def _may_assign(on: Scene, route: Route) -> bool:
    return not route.approved_by or on.actor.role in route.approved_by


def _routed(route: Route) -> DepartmentAssigned:
    return DepartmentAssigned(
        department=route.department, reason=AssignmentReason.ROUTING
    )


def _reason(on: Scene, route: Route | None, department: str) -> AssignmentReason:
    case = on.case
    if case.reviewer is not None:
        return AssignmentReason.APPEAL
    if case.state is State.INVESTIGATING:
        return AssignmentReason.TRANSFER
    if case.returns:
        return AssignmentReason.RETURN
    if route is not None and department == route.department:
        return AssignmentReason.ROUTING
    return AssignmentReason.MANUAL


RULES = (
    Rule(AcknowledgeReceipt, while_open, acknowledge),
    Rule(AcceptComplaint, only_in("case.already_assessed", State.RECEIVED), accept),
    Rule(DeclineComplaint, only_in("case.already_assessed", State.RECEIVED), decline),
    Rule(AssignDepartment, _may_be_assigned, assign),
    Rule(AcceptAssignment, _waits_for_my_signature, sign_for, _signed_before),
    Rule(ReturnAssignment, _is_mine_to_return, return_),
)
