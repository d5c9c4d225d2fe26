"""The organisation's rules as data with a version: all that guards read but the case.

A policy document is data in a file or a store; this module says what it must hold
and answers the questions of decisions. It reads nothing itself.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from events.catalogue import Remedy
from events.envelope import CategoryPath, Code, DepartmentCode, Instant, Money, Part
from events.vocabulary import (
    ComplaintClass,
    Medium,
    RemedyKind,
    ScopeKind,
    Severity,
)
from services.handling.domain.calendars import Calendar
from services.handling.domain.clock_rules import ClockRule
from services.handling.domain.commands import COMMANDS
from services.handling.domain.matter import Matter, within
from services.kernel.errors import FieldError, MalformedError

_GRAVITY = {severity: rank for rank, severity in enumerate(Severity)}

Days = Annotated[int, Field(ge=1)]


class Route(Matter):
    """Which department a case goes to first (S47-S49)."""

    department: DepartmentCode
    approved_by: tuple[Code, ...] = ()
    """Roles that may assign it; empty: the case is assigned when it is accepted (S48)."""


class SeverityRule(Matter):
    """How grave a complaint is at least (S36); the price is one ground (S39)."""

    price_from: Money | None = None
    severity: Severity

    def applies_to(self, price: Money | None) -> bool:
        return self.price_from is None or (
            price is not None
            and price.currency == self.price_from.currency
            and price.amount >= self.price_from.amount
        )


class Authority(Part):
    """What a role may approve, and when (S88).

    One row covers a settlement whole, so that splitting a sum widens no limit.
    """

    code: Code
    role: Code
    remedies: tuple[RemedyKind, ...] = ()
    """The kinds that it covers; none named: every kind."""
    limit: Money | None = None
    """The most of all remedies together; None: no limit, in any currency."""
    category: CategoryPath | None = None
    effective_from: Instant
    effective_to: Instant | None = None
    """The first instant at which the row is no longer in force."""

    def covers(
        self, role: str, remedies: tuple[Remedy, ...], category: str | None
    ) -> bool:
        amounts = [remedy.amount for remedy in remedies if remedy.amount is not None]
        return (
            self.role == role
            and (self.category is None or within(category, self.category))
            and all(r.kind in self.remedies for r in remedies if self.remedies)
            and (self.limit is None or _at_most(self.limit, amounts))
        )

    def in_force(self, now: datetime) -> bool:
        return self.effective_from <= now and (
            self.effective_to is None or now < self.effective_to
        )


class FirstContact(Part):
    """What may not be settled at the first contact (S96)."""

    not_classes: tuple[ComplaintClass, ...]
    not_severities: tuple[Severity, ...]


class Policy(Part):
    """One version of the rules; `name` and `version` go into each event's envelope."""

    name: Code
    version: Code

    departments: tuple[DepartmentCode, ...]
    """The register of departments (S59)."""
    front_office: DepartmentCode
    """Owns a case that no department leads (S55)."""
    gm_office: DepartmentCode
    """Owns a case that was returned too often (S57)."""

    categories: Annotated[tuple[CategoryPath, ...], Field(min_length=1)]
    """The tree of categories, every path of it, parents too (S32, S33)."""
    causes: Annotated[tuple[CategoryPath, ...], Field(min_length=1)]
    """The tree of causes, every path of it (S77)."""

    roles: Mapping[Code, tuple[Code, ...]]
    """Who may give which command, by the command's name (domain.md 6.5)."""
    unit_roles: tuple[Code, ...]
    """Roles that act for their own department alone."""
    reviewer_role: Code

    routes: tuple[Route, ...] = ()
    severities: tuple[SeverityRule, ...] = ()
    default_severity: Severity
    authority: tuple[Authority, ...] = ()
    money_remedies: tuple[RemedyKind, ...]
    """Kinds that need an amount (S83)."""
    first_contact: FirstContact

    calendars: tuple[Calendar, ...] = ()
    clocks: tuple[ClockRule, ...] = ()
    """By when what is due (S60-S65, domain.md 6.6)."""

    third_parties: tuple[DepartmentCode, ...] = ()
    """Responsible units that stand for somebody outside (S58)."""
    third_party_approvers: tuple[Code, ...] = ()
    require_confirmed_statement: bool = False
    """Whether a settlement waits until the customer confirmed the statement (S44)."""
    unknown_cause: Code
    """The root of the tree of causes under which no cause was found (S54)."""
    written_media: tuple[Medium, ...]

    max_returns: Annotated[int, Field(ge=1)]
    max_refusals: Annotated[int, Field(ge=0)]
    follow_up_attempts: Annotated[int, Field(ge=1)]
    satisfied_from: Annotated[int, Field(ge=1, le=5)]
    answer_window_days: Days
    appeal_window_days: Days
    last_appeal_level: Annotated[int, Field(ge=0)]
    outside_body: Code | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if unknown := self.roles.keys() ^ COMMANDS.keys():
            raise ValueError(f"roles: missing or unknown: {', '.join(sorted(unknown))}")
        named = {self.front_office, self.gm_office}
        named |= {route.department for route in self.routes}
        if missing := named - set(self.departments):
            raise ValueError(f"departments: add {', '.join(sorted(missing))}")
        rules = (*self.routes, *self.severities, *self.clocks)
        categories = {rule.category for rule in rules if rule.category}
        if missing := categories - set(self.categories):
            raise ValueError(f"categories: add {', '.join(sorted(missing))}")
        if self.unknown_cause not in self.causes:
            raise ValueError(f"causes: add {self.unknown_cause}")
        codes = [row.code for row in self.authority]
        if len(codes) != len(set(codes)):
            raise ValueError("authority: a code is used twice")
        calendars = [calendar.code for calendar in self.calendars]
        if len(calendars) != len(set(calendars)):
            raise ValueError("calendars: a code is used twice")
        wanted = {rule.calendar for rule in self.clocks if rule.calendar}
        if missing := wanted - set(calendars):
            raise ValueError(f"calendars: add {', '.join(sorted(missing))}")
        return self

    @property
    def answer_window(self) -> timedelta:
        return timedelta(days=self.answer_window_days)

    @property
    def appeal_window(self) -> timedelta:
        return timedelta(days=self.appeal_window_days)

    def route(
        self,
        category: str | None,
        complaint_class: ComplaintClass | None,
        scope_kind: ScopeKind | None,
    ) -> Route | None:
        """Give the narrowest route; of equally narrow ones, the first."""
        matter = (category, complaint_class, scope_kind)
        found = [route for route in self.routes if route.matches(*matter)]
        return max(found, key=lambda route: route.specificity, default=None)

    def severity(
        self,
        category: str,
        complaint_class: ComplaintClass,
        scope_kind: ScopeKind,
        price: Money | None,
    ) -> Severity:
        """Give the gravest of the rules that apply."""
        return max(
            (
                rule.severity
                for rule in self.severities
                if rule.matches(category, complaint_class, scope_kind)
                and rule.applies_to(price)
            ),
            key=_GRAVITY.__getitem__,
            default=self.default_severity,
        )

    def authority_for(
        self,
        role: str,
        remedies: tuple[Remedy, ...],
        category: str | None,
        now: datetime,
    ) -> Authority | None:
        """Give the first row in force at `now` that lets `role` approve all of it."""
        for row in self.authority:
            if row.in_force(now) and row.covers(role, remedies, category):
                return row
        return None


def graver(one: Severity, other: Severity) -> bool:
    """Tell whether `one` is graver than `other`."""
    return _GRAVITY[one] > _GRAVITY[other]


def parse_policy(document: Mapping[str, Any]) -> Policy:
    """Read a policy document, as parsed from TOML or JSON.

    Raises `MalformedError` (`policy.malformed`) that names every field at fault.
    """
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        faults = error.errors(
            include_url=False, include_context=False, include_input=False
        )
    raise MalformedError(
        "policy.malformed",
        "The policy document is not valid: correct the fields named.",
        errors=[
            FieldError(
                ".".join(map(str, fault["loc"])) or "policy",
                fault["msg"],
                "See the default policy for what belongs here.",
            )
            for fault in faults
        ],
    )


def _at_most(limit: Money, amounts: Iterable[Money]) -> bool:
    amounts = list(amounts)
    return (
        all(money.currency == limit.currency for money in amounts)
        and sum(money.amount for money in amounts) <= limit.amount
    )
