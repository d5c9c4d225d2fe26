"""`amends privacy erase`, `register`, `reapply`: over the services' interfaces."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import typer

from services.cli.arguments import read_reference
from services.cli.client import answer, with_services
from services.cli.printing import show, show_rows
from services.kernel.clock import last_day, parse_rfc3339
from services.kernel.errors import AmendsError, MalformedError, MisuseError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from services.kernel.settings import Settings

PRIVACY: Final = "/api/handling/privacy"
WORD: Final = "erase"
"""What a person types to have it done."""

_WAIT: Final = 20.0  # seconds for what follows the erasure
_LOOK: Final = 0.2
_COLUMNS: Final = {
    "subject_id": "person",
    "basis": "basis",
    "erased_at": "when",
    "actor": "by",
    "role": "role",
}


def person_path(words: Sequence[str]) -> str:
    """Give the address of whoever the words name. Raises MisuseError."""
    reference, rest = read_reference(words)
    if rest:
        raise MisuseError(
            "privacy.one_person", f"One person at a time: what is {' '.join(rest)!r}?"
        )
    return f"{PRIVACY}/people/{quote(reference, safe='')}"


def erase(
    words: Sequence[str],
    basis: str,
    *,
    dry_run: bool,
    confirm: str | None,
    as_json: bool,
) -> None:
    path = person_path(words)

    def ask(client: httpx.Client, settings: Settings) -> Any:
        found = answer(client.get(path))
        if dry_run:
            return found if as_json else _with_day(found, settings)
        if found["erasure"] is None:
            subject = confirm or _confirmed(_with_day(found, settings))
            wanted = {"subject_id": subject, "basis": basis}
            answer(client.post(f"{path}/erase", json=wanted))
        return _cleaned(client, path)

    found = with_services(ask)
    if as_json:
        show(found, as_json=True, human="")
    elif dry_run and found["erasure"] is None:
        _tell_plan(found)
        typer.echo("Nothing was changed.")
    else:
        _tell_done(found)


def _with_day(found: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Give the last day of a hold in place of the instant at which it ends."""
    if not found["held_until"]:
        return found
    end = parse_rfc3339(found["held_until"])
    return found | {"held_until": str(last_day(end, ZoneInfo(settings.time_zone)))}


def _confirmed(found: dict[str, Any]) -> str:
    """Have a person type the word; gives whom they were shown."""
    if not sys.stdin.isatty():
        raise MisuseError(
            "privacy.not_confirmed",
            "Erasing cannot be taken back. Look with --dry-run, then add --confirm"
            f" {found['subject_id']} if that is meant.",
        )
    _tell_plan(found)
    if typer.prompt(f"Type {WORD} to do it", err=True).strip().lower() != WORD:
        raise AmendsError("privacy.not_confirmed", "Nothing was changed.")
    subject: str = found["subject_id"]
    return subject


def _cleaned(client: httpx.Client, path: str) -> dict[str, Any]:
    """Wait a moment until both services have erased and cleaned their files."""
    end = time.monotonic() + _WAIT
    while True:
        found: dict[str, Any] = answer(client.get(path))
        if _is_clean(found) or time.monotonic() > end:
            return found
        time.sleep(_LOOK)


def _is_clean(found: dict[str, Any]) -> bool:
    return all((found[name] or {}).get("cleaned_at") for name in ("handling", "intake"))


def _tell_plan(found: dict[str, Any]) -> None:
    typer.echo(f"Person {found['subject_id']}")
    for case in found["cases"]:
        typer.echo(f"  case {case['receipt_no']}, {case['state']}")
    typer.echo("Goes:")
    for name in ("intake", "handling"):
        part = found[name]
        if part is None:
            typer.echo(f"  {name}: does not answer now; it erases when it is back")
            continue
        for each in part["documents"]:
            typer.echo(f"  {name}: {each['documents']} {each['kind']}")
        if part.get("marks"):
            typer.echo(f"  {name}: {part['marks']} marks that find them")
    typer.echo("Stays: what happened to the cases, in codes, and the figures.")
    if found["held_until"]:
        typer.echo(f"A hold keeps it to the end of {found['held_until']}.")
    if found["open_cases"]:
        typer.echo(f"Cases still open: {found['open_cases']}.")


def _tell_done(found: dict[str, Any]) -> None:
    erasure = found["erasure"]
    typer.echo(
        f"Erased on {erasure['erased_at']}, {erasure['basis']}, by {erasure['actor']}:"
        f" person {found['subject_id']}, cases: {len(found['cases'])}."
    )
    if _is_clean(found):
        typer.echo("Intake and handling are done; keys and words have left the files.")
    else:
        typer.echo(
            "Not everything is done yet: run the same again in a minute. If it stays so,"
            " see `amends quarantine list` and `amends doctor`."
        )


def register(*, as_json: bool) -> None:
    def ask(client: httpx.Client, _: Settings) -> Any:
        return answer(client.get(f"{PRIVACY}/register"))

    show_rows(
        with_services(ask), _COLUMNS, as_json=as_json, empty="Nobody was erased yet."
    )


def reapply(kept: Path | None, *, as_json: bool) -> None:
    rows = _kept(kept) if kept else []

    applied = with_services(lambda client, _: erase_again(client, rows))
    human = f"Erased again: {applied}."
    show({"applied": applied}, as_json=as_json, human=human)


def erase_again(client: httpx.Client, rows: Sequence[Any]) -> int:
    """Have both services erase whom these rows and their registers name; how many."""
    done = answer(client.post(f"{PRIVACY}/reapply", json={"rows": list(rows)}))
    again = {"rows": done["rows"]}
    answer(client.post("/api/intake/privacy/reapply", json=again))
    applied: int = done["applied"]
    return applied


def _kept(path: Path) -> list[Any]:
    try:
        rows: list[Any] = json.loads(path.read_text("utf-8"))["rows"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise MalformedError(
            "privacy.register_unread",
            "This is no register: give a file that `amends privacy register --json`"
            " wrote.",
        ) from error
    return rows
