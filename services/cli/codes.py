"""`amends case new-access-code`: asks the running services, which note who did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.cli.arguments import read_reference
from services.cli.client import answer, with_services
from services.cli.printing import show
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.errors import AmendsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

    from services.kernel.settings import Settings

_UNKNOWN = "handling.no_new_code"
"""Intake did not answer: it may have made the code all the same."""


def renew(words: Sequence[str], *, key: str | None, as_json: bool) -> None:
    """Print the new code. Without a key one is made, and told if no answer came."""
    reference, _ = read_reference(words)
    key = key or str(new_uuid7(system_clock()))

    def ask(client: httpx.Client, _: Settings) -> Any:
        path = f"/api/handling/cases/{quote(reference, safe='')}/access-code"
        try:
            return answer(client.post(path, headers={"Idempotency-Key": key}))
        except AmendsError as error:
            if error.code != _UNKNOWN:
                raise
            again = f"{error.detail} Use --key {key} to have the same code."
            raise AmendsError(error.code, again) from None

    made = with_services(ask)
    contact = ", ".join(made["contact"].values()) or "nobody is on file"
    show(
        made,
        as_json=as_json,
        human=f"{made['access_code']}\n"
        f"It opens {made['receipt_no']} from now on, the old code nothing."
        f" Tell it to the contact on file alone: {contact}.",
    )
