"""Every event there is; fields and terms as domain.md 6.4 and 6.9 name them."""

from datetime import date
from typing import Annotated, ClassVar, Final, Literal, get_args
from uuid import UUID

from pydantic import UUID7, Field, StringConstraints

from events.envelope import (
    CategoryPath,
    Code,
    DepartmentCode,
    DocumentRef,
    Event,
    Instant,
    Money,
    Part,
)
from events.vocabulary import (
    AppealGround,
    AppealRoute,
    AssignmentReason,
    AssignmentRole,
    Audience,
    CloseReason,
    ComplaintClass,
    Confidence,
    CorrectionReason,
    DeclineReason,
    Demand,
    DismissalReason,
    ErasureBasis,
    EvidenceSource,
    FactsMatch,
    FollowUpResult,
    ImportDecision,
    Medium,
    Outcome,
    ProposalFault,
    RecordCheck,
    RefusalReason,
    RemedyKind,
    ReopenReason,
    ReportedVia,
    ReturnReason,
    SatisfactionSubject,
    ScopeKind,
    Severity,
    Source,
    State,
    Verification,
    WithdrawalReason,
)

ReceiptNo = Annotated[str, StringConstraints(pattern=r"^[0-9]{16}$")]
"""Fifteen digits and a Damm check digit, without spaces (S4)."""

Count = Annotated[int, Field(ge=1)]

Level = Annotated[int, Field(ge=0)]
"""0 before any appeal, then the number of the appeal."""


class Product(Part):
    """What the complaint is about; its serial number is a particular, not an event's."""

    model: Code | None = None
    lot: Code | None = None
    supplier: Code | None = None
    price: Money | None = None


class Finding(Part):
    """One thing that an investigation found, and the documents that it rests on."""

    statement: DocumentRef
    evidence: tuple[UUID, ...] = ()


class RootCause(Part):
    """Where in the tree of causes, and how sure (S77)."""

    path: CategoryPath
    confidence: Confidence


class Remedy(Part):
    """One thing done for the customer (S83)."""

    kind: RemedyKind
    amount: Money | None = None


class Correction(Part):
    """The field that was wrong and its right value, None where it should not be there."""

    field: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}(\.[a-z0-9_]{1,64}){0,7}$"),
    ]
    value: (
        Annotated[
            str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,255}$")
        ]
        | None
    ) = None
    document: DocumentRef | None = None


class ImportedFrom(Part):
    """Where an imported complaint stands in the file that it came in."""

    batch: Code
    """The run of the import."""
    file: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the file as it was given, packed or not."""
    line: Count
    """The line or row that it begins on."""


class ComplaintReceived(Event):
    """A complaint was registered and its receipt number given (S4, S7-S10, S14, S15)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.RECEIVED
    zh: ClassVar = "投诉已登记"

    receipt_no: ReceiptNo
    subject_id: UUID
    """The person, a pseudonym that the vault alone resolves."""
    statement: DocumentRef
    particulars: DocumentRef | None = None
    """Contact, order and serial numbers, sealed as one JSON document."""
    reported_via: ReportedVia = ReportedVia.DIRECT
    dealer: Code | None = None
    source: Source | None = None
    source_document_on: date | None = None
    category: CategoryPath | None = None
    """What the complainant says it is about."""
    product: Product | None = None
    purchase_date: date | None = None
    event_at: Instant | None = None
    """When what the customer complains of happened."""
    demand: tuple[Demand, ...] = ()
    desired_outcome: DocumentRef | None = None
    attachments: tuple[DocumentRef, ...] = ()
    verification: Verification
    imported_from: ImportedFrom | None = None


class ReceiptAcknowledged(Event):
    """The customer was told who handles the complaint and until when (S6)."""

    audience: ClassVar = Audience.STAFF
    zh: ClassVar = "受理通知已发"

    handler: Code
    expected_at: Instant
    medium: Medium


class ComplaintAccepted(Event):
    """The complaint was verified and classified (S17, S26, S31)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.ACCEPTED
    zh: ClassVar = "已受理"

    complaint_class: ComplaintClass
    category: CategoryPath
    scope_kind: ScopeKind
    severity: Severity
    order_check: RecordCheck
    shipment_check: RecordCheck
    contract: DocumentRef | None = None


class ComplaintDeclined(Event):
    """The complaint was not accepted, and the customer told why (S28)."""

    audience: ClassVar = Audience.STAFF
    leads_to: ClassVar = State.DECLINED
    zh: ClassVar = "不予受理"

    reason: DeclineReason
    explanation: DocumentRef


class DepartmentAssigned(Event):
    """A department was given the case (S47-S49, S56); a contributor moves no state."""

    schema_version: ClassVar = 2
    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.ASSIGNED
    zh: ClassVar = "已派单"

    department: DepartmentCode
    role: AssignmentRole = AssignmentRole.LEAD
    reason: AssignmentReason | None = None
    """None where an imported record does not say."""
    previous: DepartmentCode | None = None
    """The department that no longer has the case; this is the last it sees of it."""

    def state_after(self, state: State | None) -> State | None:
        return _if_lead(self.role, self.leads_to, state)


class AssignmentAccepted(Event):
    """The department signed for the case; a contributor moves no state."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.INVESTIGATING
    zh: ClassVar = "已签收"

    department: DepartmentCode
    role: AssignmentRole = AssignmentRole.LEAD

    def state_after(self, state: State | None) -> State | None:
        return _if_lead(self.role, self.leads_to, state)


class AssignmentReturned(Event):
    """The department gave the case back (S57); a contributor moves no state."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.ACCEPTED
    zh: ClassVar = "退单"

    department: DepartmentCode
    role: AssignmentRole = AssignmentRole.LEAD
    reason: ReturnReason
    suggested: DepartmentCode | None = None
    count: Count
    """Returns of this case so far, this one included."""
    note: DocumentRef | None = None

    def state_after(self, state: State | None) -> State | None:
        return _if_lead(self.role, self.leads_to, state)


class EvidenceAdded(Event):
    """A piece of evidence was put to the case (S30, S75)."""

    audience: ClassVar = Audience.DEPARTMENTS
    zh: ClassVar = "已补充证据"

    document: DocumentRef
    source: EvidenceSource


class StatementConfirmed(Event):
    """The customer confirmed what the complaint says (S44); who acts says by whom."""

    audience: ClassVar = Audience.DEPARTMENTS
    zh: ClassVar = "投诉内容已确认"

    confirmed: Annotated[tuple[UUID, ...], Field(min_length=1)]
    """The documents that were confirmed: the statement, and how it was repeated back."""
    restated: DocumentRef | None = None
    """How it was repeated back this time; None where nothing was put in new words."""
    medium: Medium
    """How the customer said so; by themselves, with the access code, on the web."""


class ComplaintInvestigated(Event):
    """The cause and the responsible unit were found (S53, S54, S77)."""

    schema_version: ClassVar = 2
    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.INVESTIGATED
    zh: ClassVar = "投诉已查明"

    findings: Annotated[tuple[Finding, ...], Field(min_length=1)]
    facts_match: FactsMatch
    root_cause: RootCause
    responsible_unit: DepartmentCode
    systemic: bool
    level: Level = 0


class SettlementProposed(Event):
    """A remedy was proposed and waits for approval (S69, S86)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.PROPOSED
    zh: ClassVar = "方案待核"

    revision: Count
    remedies: tuple[Remedy, ...]
    proposal: DocumentRef
    improvement: DocumentRef | None = None


class SettlementApproved(Event):
    """Someone with the authority approved the proposal (S87, S88)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.APPROVED
    zh: ClassVar = "已核决"

    revision: Count
    authority: Code
    """The row of the authority table that allowed it."""


class SettlementReturned(Event):
    """The proposal was sent back to be made anew (S91)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.INVESTIGATED
    zh: ClassVar = "重拟对策"

    revision: Count
    reason: ProposalFault
    note: DocumentRef | None = None


class DecisionIssued(Event):
    """The decision was sent to the customer (S98, S99)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.REPLIED
    zh: ClassVar = "书面答复"

    letter: DocumentRef
    outcome: Outcome
    medium: Medium
    appeal_route: AppealRoute
    level: Level = 0


class SettlementAgreed(Event):
    """The customer agreed to the settlement (S100, S101)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.IMPLEMENTING
    zh: ClassVar = "处理协议"

    agreement: DocumentRef | None = None


class SettlementRefused(Event):
    """The customer refused the settlement (S114, S179)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.PROPOSED
    zh: ClassVar = "处理方案被拒"

    reason: RefusalReason
    note: DocumentRef | None = None
    count: Count
    """Refusals in this case so far, this one included."""


class ComplaintResolved(Event):
    """What was promised has been done (S103)."""

    schema_version: ClassVar = 2
    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.RESOLVED
    zh: ClassVar = "投诉已解决"

    outcome: Outcome | None = None
    """None where an imported record does not say."""
    stated_as: Code | None = None
    """What an imported record calls the result, in its own words made a code."""
    remedies: tuple[Remedy, ...] = ()
    first_contact: bool = False
    """Settled at the first contact, within the actor's own authority (S96)."""
    level: Level = 0
    corrective_action: DocumentRef | None = None


class FollowUpAttempted(Event):
    """Someone tried to ask the customer how it went (S104)."""

    audience: ClassVar = Audience.STAFF
    zh: ClassVar = "回访"

    attempt: Count
    result: FollowUpResult
    medium: Medium


class SatisfactionRecorded(Event):
    """The customer said how satisfied they are (S106)."""

    audience: ClassVar = Audience.DEPARTMENTS
    zh: ClassVar = "满意度"

    score: Literal[1, 2, 3, 4, 5]
    about: SatisfactionSubject
    comment: DocumentRef | None = None


class DeadlineStated(Event):
    """An imported record says by when the case was due there, and whether that was kept."""

    audience: ClassVar = Audience.DEPARTMENTS
    zh: ClassVar = "来源所载期限"

    due_at: Instant | None = None
    """None where the record does not say by when."""
    overdue: bool | None = None
    """What the record says of it, never derived; None where it does not say."""


class ComplaintClosed(Event):
    """The case was closed (S105, S112)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.CLOSED
    zh: ClassVar = "已结案"

    reason: CloseReason


class ComplaintAppealed(Event):
    """The customer contested a decision (S114, S115)."""

    schema_version: ClassVar = 2
    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.APPEALED
    zh: ClassVar = "投诉申诉"

    level: Count
    contested_event_id: UUID7 | None = None
    """None where an imported record does not say which decision."""
    grounds: tuple[AppealGround, ...] = ()
    """Empty where an imported record does not say."""
    statement: DocumentRef | None = None
    evidence: tuple[DocumentRef, ...] = ()
    expected_outcome: DocumentRef | None = None
    within_window: bool | None = None
    """None where an imported record does not say."""


class AppealAccepted(Event):
    """A reviewer who had no part in the case took the appeal up (S115)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.INVESTIGATING
    zh: ClassVar = "申诉已受理"

    reviewer: Code
    level: Count


class AppealDismissed(Event):
    """The appeal changed nothing, and the customer was told why (S116)."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.REPLIED
    zh: ClassVar = "申诉已驳回"

    reasons: Annotated[tuple[DismissalReason, ...], Field(min_length=1)]
    explanation: DocumentRef
    level: Count
    outside_body: Code | None = None
    """Where the customer may turn next; the last level must name it."""


class ComplaintReopened(Event):
    """New facts opened the case again."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.INVESTIGATING
    zh: ClassVar = "重新立案"

    new_facts: DocumentRef
    reason: ReopenReason


class ComplaintWithdrawn(Event):
    """The customer withdrew the complaint."""

    audience: ClassVar = Audience.DEPARTMENTS
    leads_to: ClassVar = State.WITHDRAWN
    zh: ClassVar = "已撤回"

    reason: WithdrawalReason
    note: DocumentRef | None = None


class RecordCorrected(Event):
    """An earlier event of the case was wrong; it stays, and this says what is right."""

    schema_version: ClassVar = 2
    audience: ClassVar = Audience.DEPARTMENTS
    zh: ClassVar = "记录更正"

    target_event_id: UUID7
    why: CorrectionReason | ImportDecision
    correction: Correction | None = None
    counted: bool | None = None
    """Whether figures count the case from now on: said where its import is revoked or
    reinstated, in place of a correction."""


class SubjectErased(Event):
    """A person's data was erased: the key is destroyed, the facts in codes stay."""

    audience: ClassVar = Audience.DEPARTMENTS
    zh: ClassVar = "个人信息已删除"

    subject_id: UUID
    basis: ErasureBasis


def _if_lead(
    role: AssignmentRole, then: State | None, state: State | None
) -> State | None:
    return then if role is AssignmentRole.LEAD else state


AnyEvent = (
    ComplaintReceived
    | ReceiptAcknowledged
    | ComplaintAccepted
    | ComplaintDeclined
    | DepartmentAssigned
    | AssignmentAccepted
    | AssignmentReturned
    | EvidenceAdded
    | StatementConfirmed
    | ComplaintInvestigated
    | SettlementProposed
    | SettlementApproved
    | SettlementReturned
    | DecisionIssued
    | SettlementAgreed
    | SettlementRefused
    | ComplaintResolved
    | FollowUpAttempted
    | SatisfactionRecorded
    | DeadlineStated
    | ComplaintClosed
    | ComplaintAppealed
    | AppealAccepted
    | AppealDismissed
    | ComplaintReopened
    | ComplaintWithdrawn
    | RecordCorrected
    | SubjectErased
)
"""Every event, in the order of a case's life; a match over it can be exhaustive."""

EVENTS: Final[dict[str, type[Event]]] = {
    event.__name__: event for event in get_args(AnyEvent)
}
"""Every type by its name, in the same order."""
