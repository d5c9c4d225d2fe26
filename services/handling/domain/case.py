"""The case: what decisions read of it, and how each event changes it.

Evolution refuses nothing and reads no clock: rules change, history does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from events import catalogue as its
from events.vocabulary import (
    AssignmentRole,
    DocumentKind,
    FollowUpResult,
    Precision,
    SatisfactionSubject,
    State,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from events.envelope import Envelope, Money
    from events.vocabulary import ComplaintClass, FactsMatch, Outcome, ScopeKind

COMPLAINANT = "complainant"
"""The role of who holds the receipt; everybody else acts for the organisation."""


class Happened(NamedTuple):
    """An event that a later command may point at, or a clock; `at` is the server's time."""

    event_id: UUID
    type: str
    at: datetime
    occurred_at: datetime
    precision: str
    state: State
    """Of the case after it."""
    unit: str | None
    """The department that it names, else the one that leads the case."""
    contributor: bool = False
    stated: datetime | None = None
    """The instant that it promises."""


@dataclass(frozen=True, slots=True)
class Case:
    """A complaint's case, folded from its events. `version` counts them."""

    id: UUID
    version: int
    state: State
    receipt_no: str
    origin: str
    received_at: datetime
    subject_id: UUID  # whose key seals what is written in the case
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    supplier: str | None = None
    severity: str | None = None
    department: str | None = None  # the lead; None: the front office has the case
    received_precision: str = Precision.INSTANT
    closed_at: datetime | None = None  # None again once reopened or appealed
    closed_precision: str | None = None
    erased: bool = False  # the person's data was: nothing can be written of them
    level: int = 0  # 0 before any appeal, then the number of the appeal
    batch: str | None = None  # the run of the import that brought it
    counted: bool = True  # by figures; not while the import that brought it is revoked

    # What follows is there for decisions.
    history: tuple[Happened, ...] = ()
    actors: frozenset[str] = frozenset()  # who ever acted may not review (S115)
    price: Money | None = None
    expectation_known: bool = False  # the customer said what they want (S43)
    statement: tuple[UUID, ...] = ()  # what the complaint says, and how it was restated
    statement_confirmed: bool = False  # by the customer, whoever recorded it (S44)
    worked_on: bool = False  # something happened here that its source did not state
    confirmed_online: bool = False  # as it now reads, by the customer's own hand
    complaint_class: ComplaintClass | None = None
    scope_kind: ScopeKind | None = None
    asked: frozenset[str] = frozenset()  # to contribute, and have not signed yet
    contributing: frozenset[str] = frozenset()  # and signed
    returns: int = 0

    facts_match: FactsMatch | None = None
    responsible_unit: str | None = None
    systemic: bool = False

    revision: int = 0
    proposer: str | None = None
    proposed: tuple[its.Remedy, ...] = ()
    approved: tuple[its.Remedy, ...] | None = None  # on offer, not yet carried out
    refused: bool = False  # the present revision was, by the customer
    refusals: int = 0

    outcome: Outcome | None = None
    contestable: tuple[Happened, ...] = ()  # by an appeal, since the last one
    told_at: datetime | None = None  # when the customer last got something to answer
    attempts: int = 0  # follow-ups since then
    unreached: int = 0  # those of them that gave no answer (S105)
    score: int | None = None  # for the outcome, since then, 1 to 5 (S106)
    reviewer: str | None = None  # who decides the appeal that runs

    @property
    def departments(self) -> frozenset[str]:
        """Every department that has to do with the case now: lead, asked, contributing."""
        lead = {self.department} if self.department else set()
        return self.asked | self.contributing | lead


def evolve(case: Case | None, event: Envelope[Any]) -> Case:  # noqa: C901, PLR0911, PLR0912 - one line a fact
    """Give the case after `event`.

    Raises ValueError where a history does not begin with ComplaintReceived: such a
    history was never stored by amends.
    """
    data: its.AnyEvent = event.data
    if isinstance(data, its.ComplaintReceived):
        return _received(event, data)
    if case is None:
        raise ValueError(f"{event.type} cannot be a case's first event")
    state = data.state_after(case.state) or case.state
    this = _happened(event, data, state, case.department)
    case = replace(
        case,
        version=event.version,
        state=state,
        history=(*case.history, this),
        actors=case.actors | {event.actor.id},
        worked_on=case.worked_on or _work(event),
    )
    match data:
        case its.ComplaintAccepted():
            return replace(
                case,
                category=data.category,
                severity=data.severity,
                complaint_class=data.complaint_class,
                scope_kind=data.scope_kind,
            )
        case its.DepartmentAssigned():
            return _assigned(case, data)
        case its.AssignmentAccepted(role=AssignmentRole.CONTRIBUTOR, department=unit):
            joined = case.contributing | {unit}
            return replace(case, asked=case.asked - {unit}, contributing=joined)
        case its.AssignmentReturned(role=AssignmentRole.LEAD):
            return replace(case, department=None, returns=data.count)
        case its.AssignmentReturned():
            return replace(_without(case, data.department), returns=data.count)
        case its.EvidenceAdded():
            says = data.document.kind is DocumentKind.DESIRED_OUTCOME
            return replace(case, expectation_known=case.expectation_known or says)
        case its.StatementConfirmed():
            return _confirmed(case, event, data)
        case its.ComplaintInvestigated():
            return replace(
                case,
                facts_match=data.facts_match,
                responsible_unit=data.responsible_unit,
                systemic=data.systemic,
            )
        case its.SettlementProposed():
            return replace(
                case,
                revision=data.revision,
                proposer=event.actor.id,
                proposed=data.remedies,
                approved=None,
                refused=False,
            )
        case its.SettlementApproved():
            return replace(case, approved=case.proposed)
        case its.SettlementReturned():
            return replace(case, approved=None)
        case its.SettlementRefused():
            return replace(case, approved=None, refused=True, refusals=data.count)
        case its.DecisionIssued():
            return _told(replace(case, outcome=data.outcome), this)
        case its.ComplaintResolved():
            return _told(replace(case, outcome=data.outcome, approved=None), this)
        case its.ComplaintDeclined() | its.AppealDismissed():
            return _told(case, this)
        case its.FollowUpAttempted():
            missed = data.result is not FollowUpResult.REACHED
            unreached = case.unreached + missed
            return replace(case, attempts=data.attempt, unreached=unreached)
        case its.SatisfactionRecorded(about=SatisfactionSubject.OUTCOME):
            return replace(case, score=data.score)
        case its.ComplaintClosed():
            return replace(
                case,
                closed_at=event.occurred_at,
                closed_precision=event.occurred_precision,
            )
        case its.ComplaintAppealed():
            case = replace(case, level=data.level, contestable=())
            return replace(case, reviewer=None, closed_at=None, closed_precision=None)
        case its.AppealAccepted():
            return replace(case, reviewer=data.reviewer)
        case its.ComplaintReopened():
            return replace(case, reviewer=None, closed_at=None, closed_precision=None)
        case its.RecordCorrected():
            return _corrected(case, data)
        case its.SubjectErased():
            return replace(case, erased=True)
        case (
            its.ReceiptAcknowledged()
            | its.AssignmentAccepted()
            | its.DeadlineStated()
            | its.SettlementAgreed()
            | its.SatisfactionRecorded()
            | its.ComplaintWithdrawn()
        ):
            return case
        case _:
            assert_never(data)


def _received(event: Envelope[Any], data: its.ComplaintReceived) -> Case:
    product = data.product
    return Case(
        id=event.case_id,
        version=event.version,
        state=State.RECEIVED,
        receipt_no=data.receipt_no,
        subject_id=data.subject_id,
        origin=event.origin,
        received_at=event.occurred_at,
        received_precision=event.occurred_precision,
        channel=event.channel,
        category=data.category,
        product=product.model if product else None,
        supplier=product.supplier if product else None,
        history=(_happened(event, data, State.RECEIVED, None),),
        actors=frozenset({event.actor.id}),
        price=product.price if product else None,
        expectation_known=bool(data.demand) or data.desired_outcome is not None,
        statement=(data.statement.document_id,),
        batch=data.imported_from.batch if data.imported_from else None,
    )


def _happened(
    event: Envelope[Any], data: its.AnyEvent, state: State, lead: str | None
) -> Happened:
    unit, contributor, stated = lead, False, None
    match data:
        case (
            its.DepartmentAssigned()
            | its.AssignmentAccepted()
            | its.AssignmentReturned()
        ):
            unit = data.department
            contributor = data.role is AssignmentRole.CONTRIBUTOR
        case its.ReceiptAcknowledged():
            stated = data.expected_at
        case _:
            pass
    return Happened(
        event.event_id,
        event.type,
        event.recorded_at,
        event.occurred_at,
        event.occurred_precision,
        state,
        unit,
        contributor,
        stated,
    )


def _confirmed(case: Case, event: Envelope[Any], data: its.StatementConfirmed) -> Case:
    own = event.actor.role == COMPLAINANT
    return replace(
        case,
        statement=data.confirmed,
        statement_confirmed=True,
        confirmed_online=own or (case.confirmed_online and data.restated is None),
    )


def _assigned(case: Case, data: its.DepartmentAssigned) -> Case:
    if data.role is AssignmentRole.CONTRIBUTOR:
        return replace(case, asked=case.asked | {data.department})
    return replace(_without(case, data.department), department=data.department)


def _without(case: Case, unit: str) -> Case:
    """Take a department from those that contribute or were asked to."""
    return replace(
        case, asked=case.asked - {unit}, contributing=case.contributing - {unit}
    )


def _told(case: Case, this: Happened) -> Case:
    """Begin the customer's time to answer and to appeal; old answers no longer count."""
    told = replace(case, contestable=(*case.contestable, this), told_at=this.at)
    return replace(told, attempts=0, unreached=0, score=None)


def _work(event: Envelope[Any]) -> bool:
    """Tell what was done here from what a source states, which happened before.

    Neither what is decided of a whole import nor an erasure is work on the case.
    """
    data: its.AnyEvent = event.data
    if isinstance(data, its.SubjectErased):
        return False
    if isinstance(data, its.RecordCorrected) and data.counted is not None:
        return False
    return event.occurred_at == event.recorded_at


def _corrected(case: Case, data: its.RecordCorrected) -> Case:
    """Show the right value where the case shows the field; guards keep what was."""
    if data.counted is not None:
        case = replace(case, counted=data.counted)
    correction = data.correction or its.Correction(field="counted")
    match correction.field:
        case "category":
            return replace(case, category=correction.value)
        case "product.model":
            return replace(case, product=correction.value)
        case "product.supplier":
            return replace(case, supplier=correction.value)
        case _:
            return case
