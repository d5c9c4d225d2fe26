"""Who may look at a case, by their relation to it (S5, domain.md 6.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy

NEVER = frozenset({"complainant", "channel", "admin"})
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


def staff(policy: Policy) -> frozenset[str]:
    """Name the roles that people can have: those of the policy, and who only looks."""
    acting = {role for roles in policy.roles.values() for role in roles}
    return frozenset(acting | {"auditor", "admin"}) - {"clock", "complainant"}
