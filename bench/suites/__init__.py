"""The suites by name, in the order in which they run; each is a module of this folder."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from bench.measuring import Run

NAMES: Final = (
    "limits",
    "e2e",
    "delay",
    "pages",
    "append",
    "append_pg",
    "load",
    "replay",
    "verify",
    "projection",
    "peers",
    "growth",
)


class Suite(Protocol):
    """See `bench.measuring` for what a suite does."""

    __doc__: str | None

    def measure(self, run: Run) -> None: ...


def named(name: str) -> Suite:
    """Load one suite; what it needs is imported with it and no sooner."""
    return cast("Suite", import_module(f"bench.suites.{name}"))
