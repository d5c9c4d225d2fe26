"""Given these events, when this command comes, then those events or that refusal."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
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
    DecisionIssued,
    DepartmentAssigned,
    Finding,
    Remedy,
    RootCause,
    SettlementAgreed,
    SettlementApproved,
    SettlementProposed,
    SettlementRefused,
)
from events.envelope import Actor, DocumentRef, Envelope, Event, Money, envelop
from events.examples import EXAMPLES
from events.vocabulary import AssignmentRole, DocumentKind, RemedyKind
from services.handling.domain.case import Case
from services.handling.domain.commands import Command
from services.handling.domain.decisions import decide
from services.handling.domain.evolution import evolve
from services.handling.domain.policy import Policy, parse_policy
from services.kernel.errors import ForbiddenError, RefusedError

DEFAULT_POLICY: Final = parse_policy(
    tomllib.loads(
        (Path(__file__).parents[2] / "services/handling/policy/default.toml").read_text(
            encoding="utf-8"
        )
    )
)

CUSTOMER = Actor(id="customer", role="complainant")
AGENT = Actor(id="agent", role="agent", department="front-office")
QUALITY = Actor(id="quality", role="quality", department="quality")
LOGISTICS = Actor(id="logistics", role="department_handler", department="logistics")
GM_OFFICE = Actor(id="gm-office", role="gm_office", department="gm-office")
HEAD = Actor(id="head", role="department_head", department="quality")
MANAGER = Actor(id="manager", role="manager")
GENERAL_MANAGER = Actor(id="general-manager", role="general_manager")
REVIEWER = Actor(id="reviewer", role="appeal_reviewer")
REVIEWER_2 = Actor(id="reviewer-2", role="appeal_reviewer")
CLOCK = Actor(id="clock", role="clock")
AUDITOR = Actor(id="auditor", role="auditor")

HOUR = timedelta(hours=1)
START: Final = EXAMPLES["ComplaintReceived"].recorded_at
CASE_ID: Final = EXAMPLES["ComplaintReceived"].case_id


def doc(kind: DocumentKind, number: int = 0) -> DocumentRef:
    return DocumentRef(document_id=UUID(int=number), digest="0" * 64, kind=kind)


def money(amount: str, currency: str = "CNY") -> Money:
    return Money.model_validate({"amount": amount, "currency": currency})


def refund(amount: str, currency: str = "CNY") -> Remedy:
    return Remedy(kind=RemedyKind.REFUND, amount=money(amount, currency))


APOLOGY = Remedy(kind=RemedyKind.APOLOGY)
EXCHANGE = Remedy(kind=RemedyKind.EXCHANGE)


def event_id(version: int) -> UUID:
    """A UUIDv7 that only the place in the history decides."""
    return UUID(int=(7 << 76) | (2 << 62) | version)


@dataclass(frozen=True)
class Past:
    """One event of a history: by whom, and how long after the one before."""

    data: Event
    by: Actor
    after: timedelta = HOUR
    claimed: timedelta | None = None
    """How long before it was recorded it happened, as claimed."""


def past(
    data: Event, by: Actor, after: timedelta = HOUR, claimed: timedelta | None = None
) -> Past:
    return Past(data, by, after, claimed)


def enveloped(history: Iterable[Past]) -> list[Envelope[Event]]:
    at, result = START, []
    for version, each in enumerate(history, 1):
        at += each.after
        result.append(envelope(each.data, each.by, version, at, each.claimed))
    return result


def envelope(
    data: Event,
    by: Actor,
    version: int,
    at: datetime,
    claimed: timedelta | None = None,
) -> Envelope[Event]:
    return envelop(
        data,
        event_id=event_id(version),
        case_id=CASE_ID,
        version=version,
        occurred_at=at - (claimed or timedelta()),
        recorded_at=at,
        tenant="default",
        actor=by,
        correlation_id="test",
    )


def folded(events: Iterable[Envelope[Any]]) -> Case:
    case: Case | None = None
    for event in events:
        case = evolve(case, event)
    assert case is not None
    return case


@dataclass(frozen=True)
class Given:
    case: Case
    last: datetime
    policy: Policy

    def under(self, **changes: object) -> Self:
        """Under the default policy with these fields changed."""
        changed = {**self.policy.model_dump(), **changes}
        return type(self)(self.case, self.last, Policy.model_validate(changed))

    def when(self, command: Command, by: Actor, after: timedelta = HOUR) -> "Outcome":
        """Decide, `after` the last event of the history."""
        now = self.last + after
        try:
            decided = decide(self.case, command, actor=by, now=now, policy=self.policy)
        except (RefusedError, ForbiddenError) as refusal:
            return Outcome((), refusal)
        return Outcome(decided, None)


@dataclass(frozen=True)
class Outcome:
    decided: tuple[Event, ...]
    refusal: RefusedError | ForbiddenError | None

    def then(self, *events: Event) -> None:
        """These events and no others; a type alone stands for any event of it."""
        assert self.refusal is None, self.refusal
        assert self.decided == events

    def then_types(self, *types: type[Event]) -> tuple[Event, ...]:
        """Events of these types, given back for a closer look."""
        assert self.refusal is None, self.refusal
        assert tuple(type(event) for event in self.decided) == types
        return self.decided

    def then_nothing(self) -> None:
        """It was done before."""
        self.then()

    def then_refused(self, code: str) -> None:
        self._then(RefusedError, code)

    def then_forbidden(self, code: str) -> None:
        self._then(ForbiddenError, code)

    def _then(self, family: type[Exception], code: str) -> None:
        assert self.refusal is not None, f"decided {self.decided}"
        assert self.refusal.code == code
        assert type(self.refusal) is family


def given(*history: Past | tuple[Past, ...]) -> Given:
    """Start from a history; tuples of events are joined."""
    flat: list[Past] = []
    for each in history:
        flat.extend([each] if isinstance(each, Past) else each)
    events = enveloped(flat)
    return Given(folded(events), events[-1].recorded_at, DEFAULT_POLICY)


def an(event: type[Event], **changes: object) -> Any:
    """The catalogue's example of an event with fields changed."""
    example = EXAMPLES[event.__name__].data
    return event.model_validate({**dict(example), **changes})


def received(**changes: object) -> tuple[Past, ...]:
    fields = {"product": None, "category": "product/defect", **changes}
    return (past(an(ComplaintReceived, **fields), CUSTOMER),)


ACCEPTED_FIELDS: Final = {
    "complaint_class": "grievance",
    "category": "product/defect",
    "scope_kind": 1,
    "severity": "minor",
    "order_check": "found",
    "shipment_check": "found",
}


def accepted(**changes: object) -> tuple[Past, ...]:
    event = ComplaintAccepted.model_validate(ACCEPTED_FIELDS | changes)
    return (*received(), past(event, AGENT))


def assigned(department: str = "quality", **changes: object) -> tuple[Past, ...]:
    event = DepartmentAssigned.model_validate(
        {"department": department, "reason": "routing"}
    )
    return (*accepted(**changes), past(event, AGENT))


def signed() -> tuple[Past, ...]:
    return (*assigned(), past(AssignmentAccepted(department="quality"), QUALITY))


def joined(department: str = "logistics", by: Actor = LOGISTICS) -> tuple[Past, ...]:
    """A contributing department was asked and signed."""
    role = AssignmentRole.CONTRIBUTOR
    asked = DepartmentAssigned.model_validate(
        {"department": department, "role": role, "reason": "manual"}
    )
    return (
        past(asked, AGENT),
        past(AssignmentAccepted(department=department, role=role), by),
    )


def found(**changes: object) -> ComplaintInvestigated:
    fields = {
        "findings": (Finding(statement=doc(DocumentKind.FINDING)),),
        "facts_match": "yes",
        "root_cause": RootCause.model_validate(
            {"path": "product/design", "confidence": "confirmed"}
        ),
        "responsible_unit": "production",
        "systemic": False,
    }
    return ComplaintInvestigated.model_validate({**fields, **changes})


def investigated(**changes: object) -> tuple[Past, ...]:
    return (*signed(), past(found(**changes), QUALITY))


def offer(*remedies: Remedy, revision: int = 1) -> SettlementProposed:
    return SettlementProposed(
        revision=revision,
        remedies=remedies,
        proposal=doc(DocumentKind.PROPOSAL),
        improvement=doc(DocumentKind.IMPROVEMENT),
    )


def proposed(
    *remedies: Remedy, by: Actor = QUALITY, **changes: object
) -> tuple[Past, ...]:
    return (*investigated(**changes), past(offer(*(remedies or (EXCHANGE,))), by))


def approved(*remedies: Remedy) -> tuple[Past, ...]:
    event = SettlementApproved(revision=1, authority="L3-manager")
    return (*proposed(*remedies), past(event, MANAGER))


def replied(*remedies: Remedy) -> tuple[Past, ...]:
    event = an(DecisionIssued, outcome="upheld", level=0)
    return (*approved(*remedies), past(event, AGENT))


def replied_without_remedy() -> tuple[Past, ...]:
    event = an(DecisionIssued, outcome="not_upheld", level=0)
    return (
        *investigated(facts_match="no"),
        past(offer(), QUALITY),
        past(SettlementApproved(revision=1, authority="L3-manager"), MANAGER),
        past(event, AGENT),
    )


def agreed(*remedies: Remedy) -> tuple[Past, ...]:
    return (*replied(*remedies), past(SettlementAgreed(), CUSTOMER))


def refused(count: int = 1) -> tuple[Past, ...]:
    event = an(SettlementRefused, count=count)
    return (*replied(), past(event, CUSTOMER))


def resolved(*remedies: Remedy) -> tuple[Past, ...]:
    event = ComplaintResolved.model_validate(
        {"outcome": "upheld", "remedies": remedies or (EXCHANGE,)}
    )
    return (*agreed(*remedies), past(event, AGENT))


def closed() -> tuple[Past, ...]:
    return (*resolved(), past(an(ComplaintClosed, reason="satisfied"), AGENT))


def declined() -> tuple[Past, ...]:
    return (*received(), past(an(ComplaintDeclined), AGENT))


def appealed(
    level: int = 1, history: tuple[Past, ...] | None = None
) -> tuple[Past, ...]:
    event = an(ComplaintAppealed, level=level)
    return (*(replied() if history is None else history), past(event, CUSTOMER))


def taken_up(by: Actor = REVIEWER, level: int = 1) -> tuple[Past, ...]:
    event = AppealAccepted(reviewer=by.id, level=level)
    return (*appealed(level), past(event, by))


def dismissed(
    level: int = 1, history: tuple[Past, ...] | None = None
) -> tuple[Past, ...]:
    event = an(AppealDismissed, level=level)
    return (*appealed(level, history), past(event, REVIEWER))


def withdrawn() -> tuple[Past, ...]:
    return (*signed(), past(an(ComplaintWithdrawn), CUSTOMER))


def returned(department: str, by: Actor, count: int) -> Past:
    event = an(AssignmentReturned, department=department, role="lead", count=count)
    return past(event, by)


def reopened() -> tuple[Past, ...]:
    return (*closed(), past(an(ComplaintReopened), AGENT))


STAGES: Final = {
    "received": received(),
    "accepted": accepted(),
    "assigned": assigned(),
    "signed": signed(),
    "investigated": investigated(),
    "proposed": proposed(),
    "approved": approved(),
    "replied": replied(),
    "agreed": agreed(),
    "resolved": resolved(),
    "closed": closed(),
    "declined": declined(),
    "appealed": appealed(),
    "taken up": taken_up(),
    "dismissed": dismissed(),
    "dismissed again": dismissed(level=2),
    "refused": refused(),
    "withdrawn": withdrawn(),
}
"""A history for each place where a case can stand."""
