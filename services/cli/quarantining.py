"""`amends quarantine …`: what the services could not handle, over their interfaces."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Any

import typer

from services.cli.client import answer, with_services
from services.cli.printing import show, show_rows
from services.kernel.errors import MisuseError, NotFoundError

if TYPE_CHECKING:
    import httpx

    from services.kernel.settings import Settings

SERVICES = ("intake", "handling", "analytics")
_COLUMNS = {
    "document_id": "id",
    "consumer": "service",
    "case_id": "case",
    "version": "version",
    "reason": "reason",
    "fields": "fields at fault",
    "behind": "waiting behind",
    "since": "since",
}
_EMPTY = "Nothing is in quarantine."


def listing(*, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        rows = _all(client)
        return {"rows": rows if as_json else [_in_words(each) for each in rows]}

    show_rows(with_services(ask), _COLUMNS, as_json=as_json, empty=_EMPTY)


def _in_words(message: dict[str, Any]) -> dict[str, Any]:
    return message | {"fields": ", ".join(message["fields"]) or None}


def show_one(document_id: str, purpose: str | None, *, as_json: bool) -> None:
    """Show what is known of a message; with a purpose its bytes, and that is noted."""

    def ask(client: httpx.Client, _: Settings) -> Any:
        message = _found(client, document_id)
        if purpose is None:
            return message
        wanted = {"purpose": purpose}
        return answer(client.post(f"{_path(message)}/open", json=wanted))

    found = with_services(ask)
    if as_json:
        show(found, as_json=True, human="")
        return
    content = found.pop("content", None)
    for name, value in _in_words(found).items():
        typer.echo(f"  {name:<12} {'-' if value in {None, ''} else value}")
    if content is None:
        typer.echo("Its bytes: --open PURPOSE, such as repair. The look is noted.")
        return
    body = base64.b64decode(content)
    if sys.stdout.isatty():  # whose commands a stranger's bytes might hold
        typer.echo(ascii(body)[2:-1])
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(body)


def replay(document_id: str | None, *, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        if document_id is not None:
            path = _path(_found(client, document_id))
            return answer(client.post(f"{path}/replay"))
        done = [
            answer(client.post(f"/api/{name}/quarantine/replay")) for name in SERVICES
        ]
        return {name: sum(each[name] for each in done) for name in ("applied", "left")}

    done = with_services(ask)
    refused = document_id is not None and not done["applied"]
    counted = f"Applied: {done['applied']}. {_left(done)}"
    human = "Still refused: it stays in quarantine." if refused else counted
    show(done, as_json=as_json, human=human)


def discard(document_id: str, cause: str, *, sure: bool, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        message = _found(client, document_id)
        if not sure:
            _confirm(message)
        wanted = {"cause": cause}
        return answer(client.post(f"{_path(message)}/discard", json=wanted))

    done = with_services(ask)
    followed = f"Applied behind it: {done['applied']}. " if done["applied"] else ""
    show(done, as_json=as_json, human=f"Discarded. {followed}{_left(done)}")


def _confirm(message: dict[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise MisuseError(
            "quarantine.not_confirmed",
            f"{message['consumer']} would never take this message in. Add --yes if"
            " that is meant.",
        )
    what = (
        f"version {message['version']} of case {message['case_id']}"
        if message["case_id"]
        else f"this message ({message['reason']})"
    )
    typer.confirm(
        f"{message['consumer']} will never take in {what}. Discard it?",
        abort=True,
        err=True,
    )


def _left(done: dict[str, int]) -> str:
    return f"Left in quarantine: {done['left']}."


def _all(client: httpx.Client) -> list[dict[str, Any]]:
    return [
        message
        for name in SERVICES
        for message in answer(client.get(f"/api/{name}/quarantine"))["rows"]
    ]


def _found(client: httpx.Client, document_id: str) -> dict[str, Any]:
    for message in _all(client):
        if message["document_id"] == document_id.lower():
            return message
    raise NotFoundError(
        "quarantine.unknown",
        "Nothing in quarantine has this id (any more): see `amends quarantine list`.",
    )


def _path(message: dict[str, Any]) -> str:
    return f"/api/{message['consumer']}/quarantine/{message['document_id']}"
