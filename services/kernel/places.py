"""What somebody with a way in can be, and where: roles, departments, channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Places:
    """What there is to be; `unit_roles` act for a department of their own."""

    roles: frozenset[str]
    unit_roles: frozenset[str]
    departments: tuple[str, ...]
    channels: tuple[str, ...]

    def check(
        self, role: str, department: str | None, channel: str | None = None
    ) -> None:
        """Raise RefusedError, naming what there is, for what is not, or is missing."""
        if role not in self.roles:
            raise RefusedError(
                "access.unknown_role",
                f"There is no such role: choose one of {_listed(sorted(self.roles))}.",
            )
        if department is None and role in self.unit_roles:
            raise RefusedError(
                "access.department_needed",
                f"The role {role} acts for a department: name it.",
            )
        if department is not None and department not in self.departments:
            raise RefusedError(
                "access.unknown_department",
                "There is no such department: choose one of"
                f" {_listed(self.departments)}.",
            )
        if channel is not None and channel not in self.channels:
            raise RefusedError(
                "access.unknown_channel",
                f"There is no such channel: choose one of {_listed(self.channels)}.",
            )


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(codes)
