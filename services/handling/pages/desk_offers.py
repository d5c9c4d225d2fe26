"""The forms on a case's page: what may be done now, and what was tried in vain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from services.handling.pages.desk_fields import by_field, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.handling.application.turn import Turn
    from services.handling.domain.case import Case
    from services.handling.domain.policy import Policy
    from services.handling.pages.desk_fields import Field
    from services.kernel.web.pages import Form, FormFault

CURRENCIES: Final = ("CNY", "EUR", "GBP", "HKD", "JPY", "TWD", "USD")


@dataclass(frozen=True, slots=True)
class Tried:
    """A command that was not carried out: what was sent, and what is wrong with it."""

    command: str
    form: Form
    faults: list[FormFault]
    status: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A command with its form."""

    command: str
    fields: tuple[Field, ...]
    form: Form
    faults: list[FormFault]
    next: bool
    """It brings the case on, or it was tried just now."""

    @property
    def open(self) -> bool:
        """Whether it is shown unfolded: long forms would hide the words below."""
        return self.next and (bool(self.faults) or not self.fields)

    @property
    def errors(self) -> Mapping[str, str]:
        return by_field(self.faults)


def offers(
    turn: Turn,
    case: Case,
    policy: Policy,
    *,
    tried: Tried | None,
    fresh: Callable[[], Form],
) -> list[Offer]:
    """Give the forms of this turn, what brings the case on first.

    What was tried comes before all, and even where it may no longer be done: its words
    are not lost. `fresh` makes a form that nobody has touched.
    """
    first = tried.command if tried else turn.next
    commands = [name for name in turn.may if name != first]
    if first is not None:
        commands.insert(0, first)
    return [
        Offer(
            name,
            fields_of(name, case, policy),
            tried.form if tried and tried.command == name else fresh(),
            tried.faults if tried and tried.command == name else [],
            next=name == first,
        )
        for name in commands
    ]


def currency_of(case: Case, policy: Policy) -> str:
    """Offer the currency of the price, else that of the limits of authority."""
    if case.price is not None:
        return case.price.currency
    limits = (row.limit for row in policy.authority)
    return next((limit.currency for limit in limits if limit), CURRENCIES[0])
