"""`amends access user …` and `admin-link`: ask the running services, which keep them."""

from __future__ import annotations

import getpass
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from services.cli.client import answer, with_running, with_services
from services.cli.printing import show, show_rows
from services.kernel.errors import MalformedError, NotFoundError
from services.kernel.users import LINK_LIFE, normal_login

if TYPE_CHECKING:
    import httpx

    from services.kernel.settings import Settings

_PATH = "/api/handling/users"
_COLUMNS = {
    "login": "login",
    "name": "name",
    "role": "role",
    "department": "department",
    "actor": "actor",
    "departed_at": "departed",
}
_LINK = "/api/handling/access/admin-link"


def create(wanted: dict[str, Any], *, password_stdin: bool, as_json: bool) -> None:
    password = _from_stdin() if password_stdin else _asked()

    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.post(_PATH, json={**wanted, "password": password}))

    made = with_services(ask, founding=True)
    where = f" of {made['department']}" if made["department"] else ""
    show(
        made,
        as_json=as_json,
        human=f"{made['name']} may sign in as {made['login']}: {made['role']}{where}."
        f" In events they are {made['actor']}.",
    )


def listing(*, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.get(_PATH))

    show_rows(
        with_services(ask),
        _COLUMNS,
        as_json=as_json,
        empty="Nobody yet: `amends access user create`.",
    )


def depart(login: str, *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        for row in answer(client.get(_PATH))["rows"]:
            if login in (row["user_id"], row["actor"]) or (
                row["login"] == normal_login(login)
            ):
                return answer(client.post(f"{_PATH}/{row['user_id']}/depart"))
        raise NotFoundError(
            "access.no_user",
            "There is no such user: `amends access user list` shows all.",
        )

    gone = with_services(ask)
    show(
        gone,
        as_json=as_json,
        human=f"{gone['actor']} has departed; their sessions and tokens have ended.",
    )


def admin_link(*, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        made = answer(client.post(_LINK))
        return {"url": _address(client, made["path"]), "ends_at": made["ends_at"]}

    link = with_running(ask)
    show(
        link,
        as_json=as_json,
        human=f"{link['url']}\nGood once, until {link['ends_at']}.",
    )


def first_link(client: httpx.Client) -> str | None:
    """Make the link and say what it is for; None as soon as somebody administers."""
    made = client.post(_LINK)
    if made.status_code == HTTPStatus.CONFLICT:
        return None
    minutes = LINK_LIFE.seconds // 60
    address = _address(client, answer(made)["path"])
    return (
        f"Nobody administers it yet. This link, good once and for {minutes} minutes,"
        f" makes the first administrator:\n{address}"
    )


def _address(client: httpx.Client, path: str) -> str:
    return str(client.base_url).rstrip("/") + path


def _from_stdin() -> str:
    """Read one line; its end is not part of the password."""
    return sys.stdin.readline().rstrip("\r\n")


def _asked() -> str:
    if not sys.stdin.isatty():
        raise MalformedError(
            "access.no_password",
            "Give the password on standard input with --password-stdin.",
        )
    return getpass.getpass("Their password: ")
