"""Whose turn it is: what somebody may do with a case now, and what brings it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from events.vocabulary import State
from services.handling.application.asking import actor_of
from services.handling.domain.decisions import available, hindrance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from services.handling.application.cases import History
    from services.handling.domain.policy import Policy
    from services.kernel.access import Credential
    from services.kernel.errors import ForbiddenError, RefusedError

NEXT: Final[Mapping[State, str]] = {
    State.RECEIVED: "accept",
    State.ACCEPTED: "assign",
    State.ASSIGNED: "sign-for",
    State.INVESTIGATING: "investigate",
    State.INVESTIGATED: "propose",
    State.PROPOSED: "approve",
    State.APPROVED: "issue",
    State.IMPLEMENTING: "resolve",
    State.RESOLVED: "follow-up",
    State.APPEALED: "accept-appeal",
}
"""What brings a case on from a state; the customer answers a decision."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The commands that somebody may give; `next` of them brings the case on."""

    may: tuple[str, ...]
    next: str | None
    hindered: tuple[str, ForbiddenError | RefusedError] | None
    """What their role would do next, and why they may not."""


def turn(
    history: History, sender: Credential, policy: Policy, now: datetime
) -> Turn | None:
    """Say what the sender may do; None at a past: only the present offers commands."""
    if history.past:
        return None
    case, actor = history.case, actor_of(sender)
    may = available(case, actor, policy, now)
    command = NEXT.get(case.state)
    if command in may:
        return Turn(may, command, None)
    if command is None or sender.role not in policy.roles[command]:
        return Turn(may, None, None)
    why = hindrance(case, command, actor=actor, policy=policy, now=now)
    return Turn(may, None, (command, why) if why else None)
