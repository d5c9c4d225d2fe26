"""A new access code for a customer who lost theirs: who may have one made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.handling.application.looking import look
from services.kernel.tokens import require_role

if TYPE_CHECKING:
    from services.handling.application.cases import Handling
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.kernel.access import Credential

RENEWING: Final = ("agent", "operator")
"""The front office, which speaks with customers (S51); and who runs amends."""


def renewable(
    handling: Handling, reference: str, *, sender: Credential, policy: Policy
) -> Case:
    """Give the case whose access code the sender may have made anew.

    Raises NotFoundError, ForbiddenError, UnauthenticatedError.
    """
    case = look(handling, reference, sender=sender, policy=policy).case
    require_role(sender, *RENEWING)
    return case
