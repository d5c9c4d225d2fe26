"""`amends case do`: give a command with somebody's token, through the running services."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from services.cli.arguments import read_reference
from services.cli.client import answer, with_services
from services.cli.printing import show
from services.kernel.errors import (
    AmendsError,
    FieldError,
    MisuseError,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from services.kernel.settings import Settings


_UNKNOWN_TOKEN: Final = "access.unknown_token"  # noqa: S105 a code


def give(
    words: Sequence[str],
    *,
    token_file: Path,
    key: str | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Print what the command did; a refusal is told with its code.

    `words` are a receipt number, also in groups, or a case id; the command; its fields.
    """
    reference, rest = read_reference(words)
    if not rest:
        raise MisuseError(
            "case.no_command", "Say which command: amends case do CASE accept …"
        )
    command, payload = rest[0], _payload(rest[1:])
    headers = {"Authorization": f"Bearer {_token(token_file)}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    if version is not None:
        headers["If-Match"] = f'"{version}"'

    def ask(client: httpx.Client, _: Settings) -> Any:
        found = answer(client.get(f"/api/handling/cases/{quote(reference, safe='')}"))
        path = f"/api/handling/cases/{found['case_id']}/commands/"
        try:
            return answer(
                client.post(
                    path + quote(command, safe=""), json=payload, headers=headers
                )
            )
        except AmendsError as error:
            if error.code != _UNKNOWN_TOKEN:
                raise
            raise UnauthenticatedError(
                _UNKNOWN_TOKEN,
                "The token is unknown or has ended: give a valid one with --token-file;"
                " `amends access token create` makes one.",
            ) from None

    done = with_services(ask)
    happened = ", ".join(done["events"]) or "nothing: it was so already"
    show(
        done,
        as_json=as_json,
        human=f"{happened}\nThe case is {done['state']}, version {done['version']}.",
    )


def _token(file: Path) -> str:
    try:
        token = _typed() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token.strip().isascii() or not token.strip():
        raise MisuseError(
            "case.no_token",
            "No token was read: give the file that holds it with --token-file, or the"
            " token itself on standard input.",
        )
    return token.strip()


def _typed() -> str:
    """Read a line of standard input; a person is asked, and it is not shown."""
    if sys.stdin.isatty():
        return getpass.getpass("The token of who gives the command: ")
    return sys.stdin.readline()


def _payload(fields: Sequence[str]) -> dict[str, Any]:
    """Read `name=value`; a value that is JSON is taken as such, others as text."""
    payload: dict[str, Any] = {}
    for each in fields:
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise MisuseError(
                "case.field",
                "Write each field as name=value.",
                errors=[FieldError(each, "has no =", "For example scope_kind=1.")],
            )
        payload[name] = _value(value)
    return payload


def _value(text: str) -> Any:
    if text[:1] in "[{" or text in {"true", "false", "null"} or text.isdecimal():
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
