"""What a decision sees and how it is put together: who, when, then what.

A command is decided in three steps. The role must be allowed it; the gate says
whether this actor may give it to this case now, whatever it contains; the decision
looks at what it contains and gives the events. `available` asks the first two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from events.catalogue import AnyEvent
from events.vocabulary import State
from services.handling.domain.commands import Command
from services.handling.domain.refusals import refusal

if TYPE_CHECKING:
    from datetime import datetime

    from events.catalogue import Remedy
    from events.envelope import Actor
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Authority, Policy

Decided = tuple[AnyEvent, ...]
CommandT = TypeVar("CommandT", bound=Command)

ENDED = frozenset({State.DECLINED, State.CLOSED, State.WITHDRAWN, State.MERGED})
OPEN = frozenset(State) - ENDED


@dataclass(frozen=True, slots=True)
class Scene:
    """The case, who acts, when by the server's clock, and the policy in force."""

    case: Case
    actor: Actor
    now: datetime
    policy: Policy

    @property
    def holder(self) -> str:
        """The unit that has the case (S55)."""
        return self.case.department or self.policy.front_office

    @property
    def of_a_unit(self) -> bool:
        """Whether the actor acts for a department and for no other."""
        return self.actor.role in self.policy.unit_roles


Gate = Callable[[Scene], None]


def _never(_on: Scene) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Rule(Generic[CommandT]):
    """How one command is decided. `done` tells that it was done before: no event."""

    command: type[CommandT]
    gate: Gate
    decide: Callable[[Scene, CommandT], Decided]
    done: Callable[[Scene], bool] = _never


def only_in(otherwise: str, *states: State) -> Gate:
    """Make a gate for these states; elsewhere the refusal says what is missing."""

    def gate(on: Scene) -> None:
        require_state(on, otherwise, *states)

    return gate


def require_state(on: Scene, otherwise: str, *states: State) -> None:
    if on.case.state in states:
        return
    ended = on.case.state in ENDED
    raise refusal("case.ended" if ended else otherwise)


def while_open(on: Scene) -> None:
    if on.case.state not in OPEN:
        raise refusal("case.ended")


def every(*gates: Gate) -> Gate:
    """Make one gate of several, asked in order."""

    def gate(on: Scene) -> None:
        for each in gates:
            each(on)

    return gate


def concerned(on: Scene) -> None:
    """Let a unit act on cases that it leads or contributes to, the front office on all.

    A reviewer acts on the appeal that is theirs.
    """
    case, actor = on.case, on.actor
    if on.of_a_unit and actor.department not in (
        case.departments | {on.policy.front_office}
    ):
        raise refusal("case.not_your_department")
    if actor.role == on.policy.reviewer_role and actor.id != case.reviewer:
        raise refusal("case.not_the_reviewer")


def require_listed(
    code: str, value: str, allowed: tuple[str, ...], *, field: str | None = None
) -> None:
    """Refuse a code that the policy does not list, and say which it does."""
    if value not in allowed:
        raise refusal(code, allowed=allowed, field=field)


def require_amounts(on: Scene, remedies: tuple[Remedy, ...]) -> None:
    """Refuse money without a sum: it would pass any limit (S83, S88)."""
    in_money = on.policy.money_remedies
    if any(each.amount is None for each in remedies if each.kind in in_money):
        raise refusal("case.amount_missing", allowed=in_money)


def require_authority(on: Scene, remedies: tuple[Remedy, ...]) -> Authority:
    """Give the row in force now that lets the actor approve all of it (S88)."""
    row = on.policy.authority_for(on.actor.role, remedies, on.case.category, on.now)
    if row is None:
        raise refusal("case.beyond_authority")
    return row


def require_writable(case: Case) -> None:
    """Let nobody write about a person whose data was erased."""
    if case.erased:
        raise refusal("case.erased")
