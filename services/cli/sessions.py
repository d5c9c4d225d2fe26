"""How intake's verbs reach the services, and wait until the others have followed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx

    from services.intake.importing.histories import Judge

R = TypeVar("R")

_LOOK = 0.2  # seconds between two looks


def session(work: Callable[[httpx.Client], R]) -> R:
    """Run `work` with a client of the services, starting them where none run.

    What is received may found an installation.
    """
    from services.cli.client import with_services  # noqa: PLC0415 lazy

    return with_services(lambda client, _: work(client), founding=True)


def visit(work: Callable[[httpx.Client], R]) -> R:
    """Run `work` with a client of the services; only where there is an installation."""
    from services.cli.client import with_services  # noqa: PLC0415 lazy

    return with_services(lambda client, _: work(client))


def glance(work: Callable[[httpx.Client | None], R]) -> R:
    """Run `work` with a client of what runs, or with None: nothing is started or made."""
    from services.cli.client import with_running_or_none  # noqa: PLC0415 lazy

    return with_running_or_none(work)


def settled(client: httpx.Client) -> None:
    """Return when handling, the customers' timelines and the figures have followed."""
    taken_over(client)
    recorded = _progress(client)["handling"]["recorded"]
    for service in ("intake", "analytics"):
        while _progress(client)[service]["handling"] < recorded:
            time.sleep(_LOOK)


def taken_over(client: httpx.Client) -> None:
    """Return when handling has a case for everything that was received."""
    from services.intake.importing import sending  # noqa: PLC0415 lazy

    sending.taken_over(client)


def departments() -> Iterable[str]:
    """Name the departments of the policy."""
    from services.handling.main import default_policy  # noqa: PLC0415 lazy

    return default_policy().departments


def judge() -> Judge:
    """Give what says why handling would refuse the history of a case just imported."""
    from services.handling.domain.decisions.history import foreseen  # noqa: PLC0415 lazy
    from services.handling.main import default_policy  # noqa: PLC0415 lazy
    from services.kernel.clock import system_clock  # noqa: PLC0415 lazy

    policy = default_policy()
    return lambda facts: foreseen(facts, now=system_clock(), policy=policy)


def _progress(client: httpx.Client) -> dict[str, Any]:
    from services.cli.client import answer  # noqa: PLC0415 lazy

    found: dict[str, Any] = answer(client.get("/api/progress"))
    return found
