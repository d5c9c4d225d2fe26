"""`amends analytics …`: asks the running services for figures and rebuilds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from services.analytics import cli
from services.analytics.application.figures import FIGURES
from services.cli.client import answer, with_services
from services.cli.printing import REFUSED
from services.kernel.errors import FieldError, MisuseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from services.analytics.cli import Ask
    from services.kernel.settings import Settings


def frequency(filters: Sequence[str], *, as_json: bool) -> None:
    query = _query(filters)
    with_services(lambda c, _: cli.frequency(_asking(c), query, as_json=as_json))


def root_causes(filters: Sequence[str], *, as_json: bool) -> None:
    query = _query(filters)
    with_services(lambda c, _: cli.root_causes(_asking(c), query, as_json=as_json))


def figure(name: str, filters: Sequence[str], *, as_json: bool) -> None:
    """Show a figure of the register. Raises `MisuseError` for a name it has not."""
    if name not in FIGURES:
        raise MisuseError(
            "analytics.no_such_figure",
            "There is no figure of that name.",
            errors=[
                FieldError("FIGURE", "is unknown", f"Use one of {', '.join(FIGURES)}.")
            ],
        )
    query = _query(filters)
    with_services(lambda c, _: cli.figure(_asking(c), name, query, as_json=as_json))


def rebuild(*, as_json: bool) -> None:
    """Exit status 1 where the rows were not what the log says."""

    def work(client: httpx.Client, _: Settings) -> bool:
        return cli.rebuild(_asking(client), as_json=as_json)

    if not with_services(work):
        sys.exit(REFUSED)


def _asking(client: httpx.Client) -> Ask:
    def ask(method: str, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        return answer(client.request(method, path, params=list(query)))

    return ask


def _query(filters: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for each in filters:
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise MisuseError(
                "analytics.filter",
                "Write each filter as name=value.",
                errors=[FieldError(each, "has no =", "For example period=month.")],
            )
        pairs.append((name, value))
    return pairs
