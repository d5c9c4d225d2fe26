"""Who may look at a case, by their relation to it (S5, domain.md 6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.catalogue import EVENTS
from events.vocabulary import Audience, Origin

if TYPE_CHECKING:
    from events.codec import Hearing
    from events.envelope import Heading
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy

OFFICER = "privacy_officer"
"""Answers people about their own data, and looks at cases for nothing else."""
PROGRAMS = frozenset({"channel", "migration"})
"""Roles of programs: a system that hands in complaints, an import. Nobody signs in as one."""
NEVER = frozenset({"complainant", *PROGRAMS, "admin", OFFICER})
"""Roles that look at no case here: customers have their status page."""


def may_see(case: Case, *, role: str, department: str | None, policy: Policy) -> bool:
    """Tell whether somebody of this role and department may look at the case now.

    Roles that act for their own department see what it has to do with now; a case that
    was taken away is seen no more.
    """
    if role in NEVER:
        return False
    if role in policy.unit_roles:
        return department in case.departments
    return role in staff(policy)


def told_departments(about: Heading | Hearing) -> tuple[str, ...]:
    """Name the departments that get a copy of an event, in the order of their codes.

    A department that a case is taken from is concerned once more: that is its last
    copy. Imported and demonstrated cases are no news to anybody (design.md 1.9).
    """
    if about.origin is not Origin.LIVE:
        return ()
    if EVENTS[about.type].audience is not Audience.DEPARTMENTS:
        return ()
    return about.departments


def staff(policy: Policy) -> frozenset[str]:
    """Name the roles that people can have: those of the policy, and those of the house."""
    acting = {role for roles in policy.roles.values() for role in roles}
    nobody = {"clock", "complainant", "operator", *PROGRAMS}
    return frozenset(acting | {"auditor", "admin", OFFICER}) - nobody
