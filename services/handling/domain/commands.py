"""What may be asked of a case: one model a command, and its name in addresses.

Words have become documents before a command is decided. Which fields those are is
said by the model alone: a field annotated `Words(kind, …)`, at any depth.
`words_in` lists them, and `sealed` replaces the texts of a payload by what a vault
made of them, so that an edge may take plain text where a command has a document.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Protocol, get_args
from uuid import UUID

from pydantic import (
    UUID7,
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    GetCoreSchemaHandler,
)
from pydantic_core import CoreSchema, core_schema

from events.catalogue import Correction, Remedy, RootCause
from events.envelope import CategoryPath, Code, DepartmentCode, DocumentRef, Part
from events.vocabulary import (
    AppealGround,
    AssignmentRole,
    ComplaintClass,
    CorrectionReason,
    DeclineReason,
    DismissalReason,
    DocumentKind,
    EvidenceSource,
    FactsMatch,
    FollowUpResult,
    Medium,
    Outcome,
    ProposalFault,
    RecordCheck,
    RefusalReason,
    ReopenReason,
    ReturnReason,
    SatisfactionSubject,
    ScopeKind,
    Severity,
    WithdrawalReason,
)
from services.handling.domain.stated import Fact


@dataclass(frozen=True)
class Words:
    """Marks a document that people write; `kinds` are allowed, the first is usual."""

    kinds: tuple[DocumentKind, ...]

    def __init__(self, *kinds: DocumentKind) -> None:
        object.__setattr__(self, "kinds", kinds)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self._of_a_kind, handler(source)
        )

    def _of_a_kind(self, document: DocumentRef) -> DocumentRef:
        if document.kind not in self.kinds:
            raise ValueError(f"a document of kind {' or '.join(self.kinds)} is needed")
        return document


Explanation = Annotated[DocumentRef, Words(DocumentKind.EXPLANATION)]
Note = Annotated[DocumentRef, Words(DocumentKind.NOTE)]
Improvement = Annotated[DocumentRef, Words(DocumentKind.IMPROVEMENT)]
Agreement = Annotated[DocumentRef, Words(DocumentKind.AGREEMENT)]
Evidence = Annotated[
    DocumentRef,
    Words(
        DocumentKind.RECORD,
        DocumentKind.PROOF_OF_PURCHASE,
        DocumentKind.CONTRACT,
        DocumentKind.MANUAL,
        DocumentKind.PHOTO,
        DocumentKind.EMAIL,
        DocumentKind.FILE,
        DocumentKind.DESIRED_OUTCOME,
        DocumentKind.AGREEMENT,
    ),
]


FILES: Final = (
    DocumentKind.FILE,
    DocumentKind.PHOTO,
    DocumentKind.RECORD,
    DocumentKind.PROOF_OF_PURCHASE,
    DocumentKind.CONTRACT,
    DocumentKind.MANUAL,
    DocumentKind.EMAIL,
)
"""What a document that was uploaded can be; all else is words."""


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)


class Command(Part):
    """What somebody wants; the same for HTTP, bus and command line."""

    name: ClassVar[str]
    """Its name in addresses, in the policy's roles and on pages."""


class AcknowledgeReceipt(Command):
    """Tell the customer who handles the complaint and until when (S6)."""

    name: ClassVar = "acknowledge"

    expected_at: Annotated[AwareDatetime, AfterValidator(_utc)]
    medium: Medium
    handler: Code | None = None
    """Who handles it; without one, the actor."""


class AcceptComplaint(Command):
    """Take the complaint on, classified and checked (S17, S26, S31)."""

    name: ClassVar = "accept"

    complaint_class: ComplaintClass
    category: CategoryPath
    scope_kind: ScopeKind
    order_check: RecordCheck
    shipment_check: RecordCheck
    severity: Severity | None = None
    """Graver than the severity rules say, or left to them."""
    contract: Annotated[DocumentRef, Words(DocumentKind.CONTRACT)] | None = None
    first_contact: bool = False
    """Keep the case in the front office, to be settled at once (S96)."""


class DeclineComplaint(Command):
    """Do not take the complaint on, and tell the customer why (S28)."""

    name: ClassVar = "decline"

    reason: DeclineReason
    explanation: Explanation


class AssignDepartment(Command):
    """Give the case to a department, or ask one to contribute (S47-S49, S54)."""

    name: ClassVar = "assign"

    department: DepartmentCode | None = None
    """Without one, the department that routing names."""
    role: AssignmentRole = AssignmentRole.LEAD


class AcceptAssignment(Command):
    """Sign for the case, for the actor's own department."""

    name: ClassVar = "sign-for"


class ReturnAssignment(Command):
    """Give the case back, for the actor's own department (S57)."""

    name: ClassVar = "return"

    reason: ReturnReason
    suggested: DepartmentCode | None = None
    note: Note | None = None


class AddEvidence(Command):
    """Put a piece of evidence to the case (S30, S75)."""

    name: ClassVar = "add-evidence"

    document: Evidence
    source: EvidenceSource


class ConfirmStatement(Command):
    """Record that the customer confirmed what the complaint says (S44, S172)."""

    name: ClassVar = "confirm-statement"

    restated: Annotated[DocumentRef, Words(DocumentKind.STATEMENT)] | None = None
    """The problem as it was repeated back; without, the statement as it was received."""
    medium: Medium
    """How the customer said so."""


class FindingStated(Part):
    """One thing found, and the documents that it rests on."""

    statement: Annotated[DocumentRef, Words(DocumentKind.FINDING)]
    evidence: tuple[UUID, ...] = ()


class RecordInvestigation(Command):
    """State what was found, the cause and the responsible unit (S53, S54, S77)."""

    name: ClassVar = "investigate"

    findings: Annotated[tuple[FindingStated, ...], Field(min_length=1)]
    facts_match: FactsMatch
    root_cause: RootCause
    responsible_unit: DepartmentCode
    systemic: bool = False


class ProposeSettlement(Command):
    """Propose what to do for the customer (S69, S86)."""

    name: ClassVar = "propose"

    remedies: tuple[Remedy, ...]
    proposal: Annotated[DocumentRef, Words(DocumentKind.PROPOSAL)]
    improvement: Improvement | None = None


class ApproveSettlement(Command):
    """Approve the proposal, within the actor's authority (S87, S88)."""

    name: ClassVar = "approve"


class ReturnSettlement(Command):
    """Send the proposal back to be made anew (S91)."""

    name: ClassVar = "send-back"

    reason: ProposalFault
    note: Note | None = None


class IssueDecision(Command):
    """Send the customer the decision, in writing (S98, S99)."""

    name: ClassVar = "issue"

    letter: Annotated[DocumentRef, Words(DocumentKind.LETTER)]
    outcome: Outcome
    medium: Medium


class AgreeSettlement(Command):
    """Agree, as the customer, to what is offered (S100, S101)."""

    name: ClassVar = "agree"

    agreement: Agreement | None = None


class RefuseSettlement(Command):
    """Refuse, as the customer, what is offered (S114, S179)."""

    name: ClassVar = "refuse"

    reason: RefusalReason
    note: Note | None = None


class ResolveComplaint(Command):
    """State that what was promised is done (S103), or settle at once (S96).

    Settling at the first contact states outcome and remedies and shows the
    customer's acceptance; later they are the decision's and may be left out.
    """

    name: ClassVar = "resolve"

    outcome: Outcome | None = None
    remedies: tuple[Remedy, ...] | None = None
    agreement: Agreement | None = None
    corrective_action: (
        Annotated[DocumentRef, Words(DocumentKind.CORRECTIVE_ACTION)] | None
    ) = None


class AttemptFollowUp(Command):
    """Record that the customer was asked how it went, reached or not (S104)."""

    name: ClassVar = "follow-up"

    result: FollowUpResult
    medium: Medium


class RecordSatisfaction(Command):
    """Record how satisfied the customer is (S106)."""

    name: ClassVar = "rate"

    score: Literal[1, 2, 3, 4, 5]
    about: SatisfactionSubject = SatisfactionSubject.OUTCOME
    comment: Annotated[DocumentRef, Words(DocumentKind.COMMENT)] | None = None


class CloseComplaint(Command):
    """Close the case; the reason follows from what is recorded (S105)."""

    name: ClassVar = "close"


class AppealComplaint(Command):
    """Contest, as the customer, a decision (S114, S115)."""

    name: ClassVar = "appeal"

    grounds: Annotated[tuple[AppealGround, ...], Field(min_length=1)]
    contested_event_id: UUID7 | None = None
    """Without one, the latest decision."""
    statement: Annotated[DocumentRef, Words(DocumentKind.STATEMENT)] | None = None
    evidence: tuple[Evidence, ...] = ()
    expected_outcome: (
        Annotated[DocumentRef, Words(DocumentKind.DESIRED_OUTCOME)] | None
    ) = None


class AcceptAppeal(Command):
    """Take the appeal up, as its reviewer (S115)."""

    name: ClassVar = "accept-appeal"


class DismissAppeal(Command):
    """Let the decision stand, and tell the customer why (S116)."""

    name: ClassVar = "dismiss-appeal"

    reasons: Annotated[tuple[DismissalReason, ...], Field(min_length=1)]
    explanation: Explanation
    outside_body: Code | None = None
    """At the last level, where the customer may turn; without one, the policy's."""


class ReopenComplaint(Command):
    """Open a finished case again on new facts; without new facts it is an appeal."""

    name: ClassVar = "reopen"

    new_facts: Annotated[DocumentRef, Words(DocumentKind.NEW_FACTS)]
    reason: ReopenReason


class WithdrawComplaint(Command):
    """Withdraw, as the customer, the complaint."""

    name: ClassVar = "withdraw"

    reason: WithdrawalReason
    note: Note | None = None


class CorrectionStated(Correction):
    """A field and its right value."""

    document: Annotated[DocumentRef, Words(DocumentKind.CORRECTION)] | None = None


class CorrectRecord(Command):
    """Say what is right where an earlier event of the case is wrong."""

    name: ClassVar = "correct"

    target_event_id: UUID7
    why: CorrectionReason
    correction: CorrectionStated


class RecordHistory(Command):
    """Record, of an imported case, what its source states of the past; once."""

    name: ClassVar = "record-history"

    facts: Annotated[tuple[Fact, ...], Field(min_length=1, max_length=100)]
    """In the order in which they happened."""


class RevokeImport(Command):
    """Have no figure count an imported case any more: its import was wrong."""

    name: ClassVar = "revoke-import"

    batch: Code
    """The run of the import that brought the case."""
    worked_on: bool = False
    """Also where somebody has worked on the case since."""


class ReinstateImport(Command):
    """Have figures count an imported case again whose import was revoked."""

    name: ClassVar = "reinstate-import"

    batch: Code


COMMANDS: Final[dict[str, type[Command]]] = {
    command.name: command
    for command in (
        AcknowledgeReceipt,
        AcceptComplaint,
        DeclineComplaint,
        AssignDepartment,
        AcceptAssignment,
        ReturnAssignment,
        AddEvidence,
        ConfirmStatement,
        RecordInvestigation,
        ProposeSettlement,
        ApproveSettlement,
        ReturnSettlement,
        IssueDecision,
        AgreeSettlement,
        RefuseSettlement,
        ResolveComplaint,
        AttemptFollowUp,
        RecordSatisfaction,
        CloseComplaint,
        AppealComplaint,
        AcceptAppeal,
        DismissAppeal,
        ReopenComplaint,
        WithdrawComplaint,
        CorrectRecord,
        RecordHistory,
        RevokeImport,
        ReinstateImport,
    )
}
"""Every command by its name in addresses, in the order of a case's life."""


class Sealer(Protocol):
    """Makes documents of what people write and of files that they uploaded."""

    def words(self, text: str, kind: DocumentKind) -> DocumentRef: ...

    def file(self, upload: str, kind: DocumentKind) -> DocumentRef: ...


def words_in(model: type[BaseModel]) -> dict[str, Words]:
    """List where a command has words: `explanation`, `findings.*.statement`."""
    return dict(_words(model))


def sealed(
    model: type[BaseModel],
    payload: Mapping[str, Any],
    seal: Sealer,
) -> dict[str, Any]:
    """Give a command's payload, as parsed from JSON, with every text made a document.

    A text becomes a document of the field's usual kind; `{"text": …, "kind": …}`
    names another; `{"upload": …, "kind": …}` is a file that was uploaded before. All
    else is left for the model to judge.
    """
    result = dict(payload)
    for path, words in _words(model):
        _replace(result, path.split("."), words, seal)
    return result


def _words(model: type[BaseModel], above: str = "") -> Iterator[tuple[str, Words]]:
    for name, field in model.model_fields.items():
        at = f"{above}{name}"
        for mark in field.metadata:
            if isinstance(mark, Words):
                yield at, mark
        yield from _words_of(field.annotation, at)


def _words_of(annotation: Any, at: str) -> Iterator[tuple[str, Words]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _words(annotation, f"{at}.")
    for mark in getattr(annotation, "__metadata__", ()):
        if isinstance(mark, Words):
            yield at, mark
    many = getattr(annotation, "__origin__", None) is tuple
    for inner in get_args(annotation):
        yield from _words_of(inner, f"{at}.*" if many else at)


def _replace(
    within: Any,
    path: list[str],
    words: Words,
    seal: Sealer,
) -> None:
    """Seal what lies at `path`, copying on the way down: the payload stays as it is."""
    name, *below = path
    if name == "*":
        places: list[Any] = list(range(len(within))) if isinstance(within, list) else []
    else:
        places = [name] if isinstance(within, dict) and name in within else []
    for place in places:
        value = within[place]
        if below:
            within[place] = value = _copied(value)
            _replace(value, below, words, seal)
        elif isinstance(value, str):
            within[place] = _plain(seal.words(value, words.kinds[0]))
        elif isinstance(value, Mapping) and isinstance(value.get("text"), str):
            kind = value.get("kind", words.kinds[0])
            if kind in words.kinds and value.keys() <= {"text", "kind"}:
                within[place] = _plain(seal.words(value["text"], DocumentKind(kind)))
        elif isinstance(value, Mapping) and isinstance(value.get("upload"), str):
            kinds = [each for each in FILES if each in words.kinds]
            kind = value.get("kind", next(iter(kinds), None))
            if kind in kinds and value.keys() <= {"upload", "kind"}:
                within[place] = _plain(seal.file(value["upload"], DocumentKind(kind)))


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, list) else value


def _plain(document: DocumentRef) -> dict[str, Any]:
    return document.model_dump(mode="json")
