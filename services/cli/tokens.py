"""`amends access token …`: asks the running services, which keep the register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import typer

from services.cli.client import answer, with_services
from services.cli.printing import show, show_rows

if TYPE_CHECKING:
    import httpx

    from services.kernel.settings import Settings

_PATH = "/api/handling/tokens"
_COLUMNS = {
    "token_id": "id",
    "actor": "actor",
    "role": "role",
    "department": "department",
    "channel": "channel",
    "expires_at": "expires",
    "revoked_at": "revoked",
}


def create(wanted: dict[str, Any], *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.post(_PATH, json=wanted))

    made = with_services(ask, founding=True)
    show(made, as_json=as_json, human=made["token"])
    if not as_json:  # beside it, so that `T=$(…)` takes the token alone
        until = f", until {made['expires_at']}" if made["expires_at"] else ""
        typer.echo(
            f"Shown this once. It is {made['actor']}, {made['role']}{until};"
            f" its id is {made['token_id']}.",
            err=True,
        )


def listing(*, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.get(_PATH))

    show_rows(
        with_services(ask),
        _COLUMNS,
        as_json=as_json,
        empty="No token yet: `amends access token create`.",
    )


def revoke(token_id: str, *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.post(f"{_PATH}/{quote(token_id, safe='')}/revoke"))

    ended = with_services(ask)
    show(ended, as_json=as_json, human=f"{ended['token_id']} has ended.")
