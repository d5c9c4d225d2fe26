"""What follows from a command: events, or a refusal that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.handling.domain.commands import COMMANDS, Command
from services.handling.domain.decisions import (
    appeal,
    assessment,
    ending,
    history,
    imports,
    settlement,
)
from services.handling.domain.decisions.rules import Decided, Rule, Scene
from services.handling.domain.refusals import refusal
from services.kernel.errors import ForbiddenError, RefusedError

if TYPE_CHECKING:
    from datetime import datetime

    from events.envelope import Actor
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy

RULES: Final[dict[type[Command], Rule[Any]]] = {
    rule.command: rule
    for rule in (
        *assessment.RULES,
        *settlement.RULES,
        *ending.RULES,
        *appeal.RULES,
        *history.RULES,
        *imports.RULES,
    )
}


def decide(
    case: Case, command: Command, *, actor: Actor, now: datetime, policy: Policy
) -> Decided:
    """Give the events that follow, none where the command was done before.

    `now` is the server's time: windows, limits and authority are judged by it alone.
    Raises `ForbiddenError` where this actor may not, `RefusedError` where nobody may
    now or so; codes and sentences are `REFUSALS`.
    """
    on = Scene(case, actor, now, policy)
    rule = RULES[type(command)]
    _require_role(on, command.name)
    _require_counted(on, command.name)
    if rule.done(on):
        return ()
    rule.gate(on)
    decided: Decided = rule.decide(on, command)
    return decided


def available(
    case: Case, actor: Actor, policy: Policy, now: datetime
) -> tuple[str, ...]:
    """Name the commands that this actor may give to this case now, by the same gates.

    A command named here can still be refused for what it contains.
    """
    on = Scene(case, actor, now, policy)
    return tuple(name for name, type_ in COMMANDS.items() if _may(on, RULES[type_]))


def hindrance(
    case: Case, name: str, *, actor: Actor, policy: Policy, now: datetime
) -> ForbiddenError | RefusedError | None:
    """Say why this actor may not give a command to this case now, or None."""
    return _hindrance(Scene(case, actor, now, policy), RULES[COMMANDS[name]])


def _may(on: Scene, rule: Rule[Any]) -> bool:
    return not rule.done(on) and _hindrance(on, rule) is None


def _hindrance(on: Scene, rule: Rule[Any]) -> ForbiddenError | RefusedError | None:
    try:
        _require_role(on, rule.command.name)
        _require_counted(on, rule.command.name)
        rule.gate(on)
    except (ForbiddenError, RefusedError) as refused:
        return refused
    return None


def _require_role(on: Scene, name: str) -> None:
    roles = on.policy.roles[name]
    if on.actor.role not in roles:
        raise refusal("case.not_your_role", allowed=roles)


def _require_counted(on: Scene, name: str) -> None:
    """Let nobody work on a case whose import was revoked: no figure would show it."""
    if not on.case.counted and name not in imports.NAMES:
        raise refusal("case.import_revoked")
