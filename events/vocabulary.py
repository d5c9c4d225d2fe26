"""The closed lists of words that events may use.

A reader that does not know a word cannot read the event, so a list is widened
only together with the `schema_version` of the events that use it.
"""

from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a case stands (domain.md 6.2)."""

    RECEIVED = "RECEIVED"
    DECLINED = "DECLINED"
    ACCEPTED = "ACCEPTED"
    ASSIGNED = "ASSIGNED"
    INVESTIGATING = "INVESTIGATING"
    INVESTIGATED = "INVESTIGATED"
    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REPLIED = "REPLIED"
    IMPLEMENTING = "IMPLEMENTING"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"
    APPEALED = "APPEALED"
    EXTERNAL = "EXTERNAL"
    WITHDRAWN = "WITHDRAWN"
    MERGED = "MERGED"


class Audience(StrEnum):
    """Who may see an event of a class; each narrower than the one before."""

    DEPARTMENTS = "departments"
    STAFF = "staff"
    MANAGEMENT = "management"


class Precision(StrEnum):
    """How exactly `occurred_at` is known."""

    INSTANT = "instant"
    DAY = "day"
    NOT_BEFORE = "not_before"


class Origin(StrEnum):
    """Whether a fact is of today's work, of an imported past, or of a demonstration."""

    LIVE = "live"
    MIGRATION = "migration"
    DEMO = "demo"


class Channel(StrEnum):
    """How a complaint reaches the organisation (S1)."""

    PHONE = "phone"
    EMAIL = "email"
    WEB = "web"
    CHAT = "chat"
    SOCIAL = "social"
    FAX = "fax"
    LETTER = "letter"
    COUNTER = "counter"
    SUGGESTION_BOX = "suggestion_box"
    VISIT = "visit"
    REFERRAL = "referral"


class ReportedVia(StrEnum):
    """Directly by the customer or through a dealer (S14)."""

    DIRECT = "direct"
    DEALER = "dealer"


class Source(StrEnum):
    """The easily ignored sources A to G (S15)."""

    REPAIR_REPORT = "A"
    DEALER_LETTER = "B"
    SALES_REPORT = "C"
    ABNORMAL_RETURN = "D"
    CONTRACT_PROCESSOR = "E"
    COLLEAGUE = "F"
    OTHER = "G"


class Demand(StrEnum):
    """What the customer asks for (S18)."""

    RETURN = "return"
    EXCHANGE = "exchange"
    PRICE_REDUCTION = "price_reduction"
    REPAIR = "repair"
    COMPENSATION = "compensation"
    IMPROVEMENT = "improvement"


class Verification(StrEnum):
    """Whether what is needed to verify the complaint was given (S8)."""

    PENDING = "pending"
    COMPLETE = "complete"


class DocumentKind(StrEnum):
    """What a sealed document is."""

    STATEMENT = "statement"
    PARTICULARS = "particulars"
    DESIRED_OUTCOME = "desired_outcome"
    PROOF_OF_PURCHASE = "proof_of_purchase"
    CONTRACT = "contract"
    MANUAL = "manual"
    PHOTO = "photo"
    EMAIL = "email"
    FILE = "file"
    RECORD = "record"
    EXPLANATION = "explanation"
    NOTE = "note"
    FINDING = "finding"
    PROPOSAL = "proposal"
    IMPROVEMENT = "improvement"
    LETTER = "letter"
    AGREEMENT = "agreement"
    CORRECTIVE_ACTION = "corrective_action"
    COMMENT = "comment"
    NEW_FACTS = "new_facts"
    CORRECTION = "correction"


class Medium(StrEnum):
    """How the organisation speaks to the customer."""

    PHONE = "phone"
    EMAIL = "email"
    SMS = "sms"
    LETTER = "letter"
    FAX = "fax"
    CHAT = "chat"
    WEB = "web"
    COUNTER = "counter"
    VISIT = "visit"


class ComplaintClass(StrEnum):
    """Grievance, claim for compensation, or not about quality (S31)."""

    GRIEVANCE = "grievance"
    CLAIM = "claim"
    MARKET = "market"


class ScopeKind(IntEnum):
    """The six kinds that the rules cover (S17)."""

    QUALITY_FLAW = 1
    TRANSPORT_DAMAGE = 2
    PACKAGING = 3
    DIFFERS_FROM_CONTRACT = 4
    OTHER_BREACH = 5
    IMPROVEMENT = 6


class Severity(StrEnum):
    """How grave a complaint is (S36)."""

    MINOR = "minor"
    MAJOR = "major"
    SERIOUS = "serious"
    CRITICAL = "critical"


class RecordCheck(StrEnum):
    """What a look into the order or shipment records gave (S26)."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    NOT_APPLICABLE = "not_applicable"


class DeclineReason(StrEnum):
    """Why a complaint is not accepted (S28); how it was said is never one (S42)."""

    MISUNDERSTANDING = "misunderstanding"
    NOT_RESPONSIBLE = "not_responsible"
    NOT_A_COMPLAINT = "not_a_complaint"
    NO_SUCH_TRANSACTION = "no_such_transaction"
    OUT_OF_TIME = "out_of_time"
    ALREADY_DECIDED = "already_decided"
    BEFORE_A_COURT = "before_a_court"


class AssignmentRole(StrEnum):
    """Whether a department leads a case or contributes to it."""

    LEAD = "lead"
    CONTRIBUTOR = "contributor"


class AssignmentReason(StrEnum):
    """Why a case came to a department."""

    ROUTING = "routing"
    TRANSFER = "transfer"
    RETURN = "return"
    APPEAL = "appeal"
    MANUAL = "manual"


class ReturnReason(StrEnum):
    """Why a department returns a case (S57)."""

    NOT_OURS = "not_ours"
    MORE_INFORMATION_NEEDED = "more_information_needed"
    OTHER_UNIT_NEEDED = "other_unit_needed"
    DUPLICATE = "duplicate"
    CONFLICT_OF_INTEREST = "conflict_of_interest"


class EvidenceSource(StrEnum):
    """Where a piece of evidence comes from (S27, S30, S54)."""

    CUSTOMER = "customer"
    ORDER_RECORD = "order_record"
    SHIPMENT_RECORD = "shipment_record"
    PRODUCTION_RECORD = "production_record"
    INSPECTION_RECORD = "inspection_record"
    SERVICE_RECORD = "service_record"
    ON_SITE_VISIT = "on_site_visit"
    LABORATORY = "laboratory"
    WITNESS = "witness"
    SUPPLIER = "supplier"
    OTHER = "other"


class FactsMatch(StrEnum):
    """Whether what was stated agrees with what was found (S53)."""

    YES = "yes"
    NO = "no"
    PARTLY = "partly"


class Confidence(StrEnum):
    """How sure an investigator is of a root cause."""

    CONFIRMED = "confirmed"
    PROBABLE = "probable"
    POSSIBLE = "possible"


class RemedyKind(StrEnum):
    """What is done for the customer (S83)."""

    RETURN = "return"
    EXCHANGE = "exchange"
    PRICE_REDUCTION = "price_reduction"
    REPAIR = "repair"
    COMPENSATION = "compensation"
    SUBSTITUTE = "substitute"
    REFUND = "refund"
    REWORK = "rework"
    REDO_SERVICE = "redo_service"
    EXTENDED_WARRANTY = "extended_warranty"
    EXTRA_SERVICE = "extra_service"
    GIFT = "gift"
    COUPON = "coupon"
    APOLOGY = "apology"
    EXPLANATION = "explanation"
    INVITATION = "invitation"
    REWARD = "reward"


class ProposalFault(StrEnum):
    """Why an approver returns a proposal (S91)."""

    INSUFFICIENT_REMEDY = "insufficient_remedy"
    EXCESSIVE_REMEDY = "excessive_remedy"
    CAUSE_NOT_ESTABLISHED = "cause_not_established"
    NO_IMPROVEMENT = "no_improvement"
    AGAINST_POLICY = "against_policy"


class Outcome(StrEnum):
    """What the organisation finds of a complaint (S41, S171)."""

    UPHELD = "upheld"
    PARTLY = "partly"
    NOT_UPHELD = "not_upheld"
    CUSTOMER_ERROR = "customer_error"
    GOODWILL = "goodwill"


class AppealRoute(StrEnum):
    """Where a customer who disagrees with a decision may turn (S115, S116)."""

    INTERNAL_REVIEW = "internal_review"
    OUTSIDE_BODY = "outside_body"


class RefusalReason(StrEnum):
    """Why a customer refuses a settlement."""

    REMEDY_TOO_SMALL = "remedy_too_small"
    WRONG_REMEDY = "wrong_remedy"
    DISPUTES_FACTS = "disputes_facts"
    TOO_LATE = "too_late"
    OTHER = "other"


class FollowUpResult(StrEnum):
    """What an attempt to reach the customer gave (S105)."""

    REACHED = "reached"
    NO_ANSWER = "no_answer"
    WRONG_CONTACT = "wrong_contact"
    CALL_BACK_LATER = "call_back_later"
    DECLINED = "declined"


class SatisfactionSubject(StrEnum):
    """What a score is about."""

    OUTCOME = "outcome"
    PROCESS = "process"


class CloseReason(StrEnum):
    """Why a case is closed (S105)."""

    SATISFIED = "satisfied"
    FOLLOW_UP_EXHAUSTED = "follow_up_exhausted"
    LAPSED = "lapsed"
    DECISION_ACCEPTED = "decision_accepted"
    MIGRATED = "migrated"
    MIGRATED_UNDECIDED = "migrated_undecided"


class AppealGround(StrEnum):
    """What a customer contests."""

    FACTS = "facts"
    PROCEDURE = "procedure"
    REMEDY = "remedy"
    DELAY = "delay"
    CONDUCT = "conduct"
    NEW_EVIDENCE = "new_evidence"
    NOT_ACCEPTED = "not_accepted"


class DismissalReason(StrEnum):
    """Why an appeal changes nothing."""

    OUT_OF_TIME = "out_of_time"
    NO_NEW_GROUNDS = "no_new_grounds"
    DECISION_CORRECT = "decision_correct"
    PROCEDURE_SOUND = "procedure_sound"
    REMEDY_APPROPRIATE = "remedy_appropriate"


class ReopenReason(StrEnum):
    """Which kind of new fact opens a case again."""

    NEW_EVIDENCE = "new_evidence"
    REMEDY_FAILED = "remedy_failed"
    RECURRED = "recurred"
    WRONG_RECORD = "wrong_record"


class WithdrawalReason(StrEnum):
    """Why a customer withdraws a complaint."""

    SOLVED_OTHERWISE = "solved_otherwise"
    MISUNDERSTANDING = "misunderstanding"
    TAKEN_OUTSIDE = "taken_outside"
    NO_LONGER_WANTED = "no_longer_wanted"
    SUBMITTED_TWICE = "submitted_twice"


class CorrectionReason(StrEnum):
    """Why a record is corrected."""

    TYPING_ERROR = "typing_error"
    WRONG_CODE = "wrong_code"
    WRONG_CASE = "wrong_case"
    WRONG_TIME = "wrong_time"
    LATER_KNOWLEDGE = "later_knowledge"


class ImportDecision(StrEnum):
    """What was decided of the import that brought a complaint."""

    IMPORT_REVOKED = "import_revoked"
    IMPORT_REINSTATED = "import_reinstated"


class ErasureBasis(StrEnum):
    """The ground on which a person's data is erased."""

    REQUEST = "request"
    RETENTION_EXPIRED = "retention_expired"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    UNLAWFUL = "unlawful"
    COURT_ORDER = "court_order"
