"""One valid, fixed example of every event: for documentation, tests and golden bytes.

An example never changes once its golden bytes are released.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final
from uuid import UUID

from events.catalogue import (
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
    Correction,
    DeadlineStated,
    DecisionIssued,
    DepartmentAssigned,
    EvidenceAdded,
    Finding,
    FollowUpAttempted,
    Product,
    ReceiptAcknowledged,
    RecordCorrected,
    Remedy,
    RootCause,
    SatisfactionRecorded,
    SettlementAgreed,
    SettlementApproved,
    SettlementProposed,
    SettlementRefused,
    SettlementReturned,
    StatementConfirmed,
    SubjectErased,
)
from events.envelope import Actor, DocumentRef, Envelope, Event, Money, envelop
from events.vocabulary import (
    AppealGround,
    AppealRoute,
    AssignmentReason,
    AssignmentRole,
    Channel,
    CloseReason,
    ComplaintClass,
    Confidence,
    CorrectionReason,
    DeclineReason,
    Demand,
    DismissalReason,
    DocumentKind,
    ErasureBasis,
    EvidenceSource,
    FactsMatch,
    FollowUpResult,
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
    Verification,
    WithdrawalReason,
)

_MONDAY: Final = datetime(2025, 9, 1, 8, 30, tzinfo=UTC)
_KETTLE: Final = UUID("6f0c2a51-93de-8b47-a1f4-0d7a3c52e901")
"""The case of a kettle that leaks, sold by a dealer; it goes all the way."""
_HEATER: Final = UUID("b2475d10-4c3e-8e06-9a88-51f7c9e0d233")
"""The case of a heater that somebody else had sold."""
_CUSTOMER: Final = UUID("0b1f7c44-2f0e-4a6d-8d0c-6a5d1b9f3e27")

_AGENT: Final = Actor(id="agent-17", role="agent", department="sales")
_INSPECTOR: Final = Actor(id="inspector-4", role="handler", department="quality")
_HEAD: Final = Actor(id="head-2", role="department_head", department="sales")
_REVIEWER: Final = Actor(id="reviewer-1", role="appeal_reviewer")
_COMPLAINANT: Final = Actor(id="customer", role="complainant")
_OFFICER: Final = Actor(id="officer-1", role="privacy_officer")


def _document(kind: DocumentKind, number: int) -> DocumentRef:
    return DocumentRef(
        document_id=UUID(int=0x5D0C_0000_0000_4000_8000_0000_0000_0000 + number),
        digest=sha256(f"example {number}".encode()).hexdigest(),
        kind=kind,
    )


def _event_id(at: datetime, number: int) -> UUID:
    """Make the UUIDv7 of the instant `at`, its random bits being `number`."""
    milliseconds = int(at.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | number)


def _yuan(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="CNY")


def _example(
    hours: int,
    version: int,
    data: Event,
    actor: Actor,
    *,
    case_id: UUID = _KETTLE,
    channel: Channel | None = None,
    departments: tuple[str, ...] = ("quality", "sales"),
    policy: dict[str, str] | None = None,
) -> Envelope[Event]:
    at = _MONDAY + timedelta(hours=hours)
    return envelop(
        data,
        event_id=_event_id(at, version),
        case_id=case_id,
        version=version,
        occurred_at=at,
        recorded_at=at + timedelta(microseconds=250),
        tenant="default",
        actor=actor,
        correlation_id=f"example-{hours}-{version}",
        channel=channel,
        policy=policy,
        departments=departments,
    )


_REPAIR: Final = (
    Remedy(kind=RemedyKind.REPAIR),
    Remedy(kind=RemedyKind.COMPENSATION, amount=_yuan("60.00")),
)


def _kettle() -> Iterator[Envelope[Event]]:
    yield _example(
        0,
        1,
        ComplaintReceived(
            receipt_no="4837291500627714",
            subject_id=_CUSTOMER,
            statement=_document(DocumentKind.STATEMENT, 1),
            particulars=_document(DocumentKind.PARTICULARS, 2),
            reported_via=ReportedVia.DEALER,
            dealer="D-0311",
            category="quality/leak",
            product=Product(
                model="KT-200",
                lot="2025-07-B",
                supplier="S-118",
                price=_yuan("249.00"),
            ),
            purchase_date=date(2025, 8, 9),
            event_at=_MONDAY - timedelta(days=2),
            demand=(Demand.REPAIR, Demand.COMPENSATION),
            desired_outcome=_document(DocumentKind.DESIRED_OUTCOME, 3),
            attachments=(_document(DocumentKind.PHOTO, 4),),
            verification=Verification.COMPLETE,
        ),
        _COMPLAINANT,
        channel=Channel.WEB,
        departments=(),
        policy={"categories": "2025-03"},
    )
    yield _example(
        1,
        2,
        ReceiptAcknowledged(
            handler="agent-17",
            expected_at=_MONDAY + timedelta(days=7),
            medium=Medium.PHONE,
        ),
        _AGENT,
        departments=(),
        policy={"clocks": "2025-01"},
    )
    yield _example(
        2,
        3,
        ComplaintAccepted(
            complaint_class=ComplaintClass.CLAIM,
            category="quality/leak",
            scope_kind=ScopeKind.QUALITY_FLAW,
            severity=Severity.MAJOR,
            order_check=RecordCheck.FOUND,
            shipment_check=RecordCheck.FOUND,
            contract=_document(DocumentKind.CONTRACT, 5),
        ),
        _AGENT,
        departments=("sales",),
        policy={"categories": "2025-03", "severity": "2025-02"},
    )
    yield _example(
        2,
        4,
        DepartmentAssigned(
            department="logistics",
            role=AssignmentRole.LEAD,
            reason=AssignmentReason.ROUTING,
        ),
        _AGENT,
        departments=("logistics", "sales"),
        policy={"routing": "2025-05"},
    )
    yield _example(
        4,
        5,
        AssignmentReturned(
            department="logistics",
            reason=ReturnReason.NOT_OURS,
            suggested="quality",
            count=1,
            note=_document(DocumentKind.NOTE, 6),
        ),
        Actor(id="dispatcher-9", role="handler", department="logistics"),
        departments=("logistics", "sales"),
    )
    yield _example(8, 7, AssignmentAccepted(department="quality"), _INSPECTOR)
    yield _example(
        26,
        8,
        EvidenceAdded(
            document=_document(DocumentKind.RECORD, 7),
            source=EvidenceSource.INSPECTION_RECORD,
        ),
        _INSPECTOR,
    )
    yield _example(
        50,
        9,
        ComplaintInvestigated(
            findings=(
                Finding(
                    statement=_document(DocumentKind.FINDING, 8),
                    evidence=(_document(DocumentKind.RECORD, 7).document_id,),
                ),
            ),
            facts_match=FactsMatch.YES,
            root_cause=RootCause(
                path="product/production/seal", confidence=Confidence.CONFIRMED
            ),
            responsible_unit="production",
            systemic=True,
        ),
        _INSPECTOR,
        policy={"causes": "2025-01"},
    )
    yield _example(
        52,
        10,
        SettlementProposed(
            revision=1,
            remedies=_REPAIR,
            proposal=_document(DocumentKind.PROPOSAL, 9),
            improvement=_document(DocumentKind.IMPROVEMENT, 10),
        ),
        _AGENT,
    )
    yield _example(
        54,
        11,
        SettlementReturned(
            revision=1,
            reason=ProposalFault.INSUFFICIENT_REMEDY,
            note=_document(DocumentKind.NOTE, 11),
        ),
        _HEAD,
    )
    yield _example(
        72,
        13,
        SettlementApproved(revision=2, authority="department_head.compensation"),
        _HEAD,
        policy={"authority": "2025-04"},
    )
    yield _example(
        73,
        14,
        DecisionIssued(
            letter=_document(DocumentKind.LETTER, 12),
            outcome=Outcome.UPHELD,
            medium=Medium.LETTER,
            appeal_route=AppealRoute.INTERNAL_REVIEW,
        ),
        _AGENT,
        policy={"phrases": "2025-01"},
    )
    yield _example(
        96,
        15,
        SettlementRefused(
            reason=RefusalReason.REMEDY_TOO_SMALL,
            note=_document(DocumentKind.NOTE, 13),
            count=1,
        ),
        _COMPLAINANT,
        channel=Channel.PHONE,
    )
    yield _example(
        120,
        19,
        SettlementAgreed(agreement=_document(DocumentKind.AGREEMENT, 14)),
        _COMPLAINANT,
        channel=Channel.WEB,
    )
    yield _example(
        240,
        20,
        ComplaintResolved(
            outcome=Outcome.UPHELD,
            remedies=_REPAIR,
            corrective_action=_document(DocumentKind.CORRECTIVE_ACTION, 15),
        ),
        _AGENT,
    )
    yield _example(
        264,
        21,
        FollowUpAttempted(
            attempt=1, result=FollowUpResult.REACHED, medium=Medium.PHONE
        ),
        _AGENT,
    )
    yield _example(
        265,
        22,
        SatisfactionRecorded(
            score=4,
            about=SatisfactionSubject.OUTCOME,
            comment=_document(DocumentKind.COMMENT, 16),
        ),
        _COMPLAINANT,
        channel=Channel.PHONE,
    )
    yield _example(266, 23, ComplaintClosed(reason=CloseReason.SATISFIED), _AGENT)
    yield _example(
        480,
        24,
        ComplaintReopened(
            new_facts=_document(DocumentKind.NEW_FACTS, 17),
            reason=ReopenReason.REMEDY_FAILED,
        ),
        _AGENT,
    )
    yield _example(
        500,
        25,
        RecordCorrected(
            target_event_id=_event_id(_MONDAY + timedelta(hours=2), 3),
            why=CorrectionReason.WRONG_CODE,
            correction=Correction(field="data.category", value="quality/seal"),
        ),
        _INSPECTOR,
    )


def _heater() -> Iterator[Envelope[Event]]:
    yield _example(
        28,
        2,
        StatementConfirmed(
            confirmed=(
                _document(DocumentKind.STATEMENT, 29).document_id,
                _document(DocumentKind.STATEMENT, 30).document_id,
            ),
            restated=_document(DocumentKind.STATEMENT, 30),
            medium=Medium.PHONE,
        ),
        _AGENT,
        case_id=_HEATER,
        departments=("sales",),
    )
    declined = _MONDAY + timedelta(hours=30)
    yield _example(
        30,
        3,
        ComplaintDeclined(
            reason=DeclineReason.NOT_RESPONSIBLE,
            explanation=_document(DocumentKind.EXPLANATION, 31),
        ),
        _AGENT,
        case_id=_HEATER,
        departments=("sales",),
    )
    yield _example(
        78,
        4,
        ComplaintAppealed(
            level=1,
            contested_event_id=_event_id(declined, 3),
            grounds=(AppealGround.NOT_ACCEPTED, AppealGround.NEW_EVIDENCE),
            statement=_document(DocumentKind.STATEMENT, 32),
            evidence=(_document(DocumentKind.PROOF_OF_PURCHASE, 33),),
            expected_outcome=_document(DocumentKind.DESIRED_OUTCOME, 34),
            within_window=True,
        ),
        _COMPLAINANT,
        case_id=_HEATER,
        channel=Channel.WEB,
        departments=("sales",),
        policy={"appeal": "2025-01"},
    )
    yield _example(
        96,
        5,
        AppealAccepted(reviewer="reviewer-1", level=1),
        _REVIEWER,
        case_id=_HEATER,
        departments=("sales",),
    )
    yield _example(
        720,
        12,
        AppealDismissed(
            reasons=(DismissalReason.DECISION_CORRECT,),
            explanation=_document(DocumentKind.EXPLANATION, 35),
            level=2,
            outside_body="consumer-council",
        ),
        _REVIEWER,
        case_id=_HEATER,
        departments=("sales",),
    )
    yield _example(
        744,
        13,
        ComplaintWithdrawn(
            reason=WithdrawalReason.TAKEN_OUTSIDE,
            note=_document(DocumentKind.NOTE, 36),
        ),
        _COMPLAINANT,
        case_id=_HEATER,
        channel=Channel.WEB,
        departments=("sales",),
    )
    yield _example(
        8760,
        14,
        SubjectErased(
            subject_id=UUID("c9de21f3-7b60-4f0b-9f5b-2f3d8f0f6a11"),
            basis=ErasureBasis.REQUEST,
        ),
        _OFFICER,
        case_id=_HEATER,
        departments=("sales",),
        policy={"retention": "2025-01"},
    )
    yield _example(
        8784,
        15,
        DeadlineStated(due_at=_MONDAY + timedelta(days=30), overdue=True),
        Actor(id="import", role="migration"),
        case_id=_HEATER,
        departments=("sales",),
    )


EXAMPLES: Final[dict[str, Envelope[Event]]] = {
    envelope.type: envelope for envelope in (*_kettle(), *_heater())
}
"""By type; two cases tell them, with some versions left out."""
