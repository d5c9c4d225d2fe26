"""`amends case do`: give a command with somebody's token, through the running services."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from services.cli import show
from services.cli.client import answer, with_services
from services.kernel.errors import FieldError, MalformedError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from services.kernel.settings import Settings


def give(
    reference: str,
    command: str,
    fields: Sequence[str],
    *,
    token_file: Path,
    key: str | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Print what the command did; a refusal is told with its code."""
    payload = _payload(fields)
    headers = {"Authorization": f"Bearer {_token(token_file)}"}
    if key is not None:
        headers["Idempotency-Key"] = key
    if version is not None:
        headers["If-Match"] = f'"{version}"'

    def ask(client: httpx.Client, _: Settings) -> Any:
        case_id = answer(client.get(f"/api/handling/cases/{reference}"))["case_id"]
        path = f"/api/handling/cases/{case_id}/commands/{command}"
        return answer(client.post(path, json=payload, headers=headers))

    done = with_services(ask)
    happened = ", ".join(done["events"]) or "nothing: it was so already"
    show(
        done,
        as_json=as_json,
        human=f"{happened}\nThe case is {done['state']}, version {done['version']}.",
    )


def _token(file: Path) -> str:
    try:
        token = sys.stdin.readline() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token.strip().isascii() or not token.strip():
        raise NotFoundError(
            "case.no_token",
            "No token was read: give the file that holds it with --token-file, or the"
            " token itself on standard input.",
        )
    return token.strip()


def _payload(fields: Sequence[str]) -> dict[str, Any]:
    """Read `name=value`; a value that is JSON is taken as such, others as text."""
    payload: dict[str, Any] = {}
    for each in fields:
        name, sign, value = each.partition("=")
        if not (name and sign):
            raise MalformedError(
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
