"""`amends access token …`: asks the running services, which keep the register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from services.cli import show
from services.cli.client import answer, with_services

if TYPE_CHECKING:
    import httpx

    from services.kernel.settings import Settings

_PATH = "/api/handling/tokens"


def create(wanted: dict[str, Any], *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.post(_PATH, json=wanted))

    made = with_services(ask)
    until = f", until {made['expires_at']}" if made["expires_at"] else ""
    show(
        made,
        as_json=as_json,
        human=f"{made['token']}\nShown this once. It is {made['actor']},"
        f" {made['role']}{until}; its id is {made['token_id']}.",
    )


def listing(*, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.get(_PATH))

    found = with_services(ask)
    if as_json:
        show(found, as_json=True, human="")
    elif not found["rows"]:
        show(found, as_json=False, human="No token yet: `amends access token create`.")
    else:
        columns = ("token_id", "actor", "role", "department", "channel")
        table = Table(*columns, "until", box=None)
        for row in found["rows"]:
            until = "revoked" if row["revoked_at"] else row["expires_at"] or ""
            table.add_row(*(row[name] or "" for name in columns), until)
        Console().print(table)


def revoke(token_id: str, *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.post(f"{_PATH}/{token_id}/revoke"))

    ended = with_services(ask)
    show(ended, as_json=as_json, human=f"{ended['token_id']} has ended.")
