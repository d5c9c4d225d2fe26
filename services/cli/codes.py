"""`amends case new-access-code`: asks the running services, which note who did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.cli import read_reference, show
from services.cli.client import answer, with_services

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from services.kernel.settings import Settings


def renew(words: Sequence[str], *, as_json: bool) -> None:
    reference, _ = read_reference(words)

    def ask(client: httpx.Client, _: Settings) -> Any:
        path = f"/api/handling/cases/{quote(reference, safe='')}/access-code"
        return answer(client.post(path))

    made = with_services(ask)
    contact = ", ".join(made["contact"].values()) or "nobody is on file"
    show(
        made,
        as_json=as_json,
        human=f"{made['access_code']}\n"
        f"It opens {made['receipt_no']} from now on, the old code nothing."
        f" Tell it to the contact on file alone: {contact}.",
    )
