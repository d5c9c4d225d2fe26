"""What intake's verbs need of the services around it; the command gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx

    from services.intake.importing.histories import Judge

R = TypeVar("R")


class Around(Protocol):
    """What the verbs need of the services around intake."""

    def session(self, work: Callable[[httpx.Client], R], /) -> R:
        """Give a piece of work a client with the operator's token.

        The services are those that run, or are started for the length of the work; the
        work may found an installation.
        """

    def visit(self, work: Callable[[httpx.Client], R], /) -> R:
        """Do as `session`, where there is an installation. Raises `NotFoundError`."""

    def glance(self, work: Callable[[httpx.Client | None], R], /) -> R:
        """Give a client of what runs, or None."""

    def settled(self, client: httpx.Client, /) -> None:
        """Return when handling and analytics have passed what intake has received."""

    def taken_over(self, client: httpx.Client, /) -> None:
        """Return when handling has."""

    def departments(self) -> Iterable[str]:
        """Name those of the policy."""

    def judge(self) -> Judge:
        """Give what says why handling would refuse a history."""
