"""The case: what decisions read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from events.vocabulary import Precision

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from events import catalogue as its
    from events.envelope import Money
    from events.vocabulary import ComplaintClass, FactsMatch, Outcome, ScopeKind, State
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


class Case(NamedTuple):
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
