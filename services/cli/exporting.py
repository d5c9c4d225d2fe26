"""`amends privacy export`: one person's data into a file that nobody else may read."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from services.cli.client import answer, with_services
from services.cli.drafting import draft, put, refuse_existing
from services.cli.erasing import person_path
from services.cli.printing import show
from services.kernel.errors import AmendsError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import httpx

    from services.kernel.settings import Settings


def export(words: Sequence[str], to: Path, *, as_json: bool) -> None:
    """Write the zip beside its place and put it there whole, or not at all."""
    path = person_path(words)
    refuse_existing(to)

    def ask(client: httpx.Client, _: Settings) -> dict[str, Any]:
        found = answer(client.get(path))
        size = sum(_size(found[name]) for name in ("handling", "intake"))
        with draft(to) as beside:
            with client.stream("GET", f"{path}/export") as response:
                if not response.is_success:
                    response.read()
                    answer(response)
                _written(response, beside, size=size, shown=not as_json)
            told = _told(beside)
            put(beside, to)
        return told

    told = with_services(ask)
    documents = sum(len(case["documents"]) for case in told["cases"])
    result = {
        "file": str(to),
        "subject_id": told["subject_id"],
        "cases": len(told["cases"]),
        "documents": documents,
        "missing": told["missing"],
    }
    show(
        result,
        as_json=as_json,
        human=f"{to}: cases: {result['cases']}, documents: {documents}."
        " Give it to the person alone, then delete it.",
    )
    if told["missing"]:
        raise AmendsError(
            "privacy.incomplete",
            f"Not everything could be opened ({len(told['missing'])} missing, named in"
            " person.json): export again later, into another file.",
        )


def _size(part: dict[str, Any] | None) -> int:
    return sum(each["bytes"] for each in part["documents"]) if part else 0


def _written(response: httpx.Response, draft: Path, *, size: int, shown: bool) -> None:
    console = Console(file=sys.stderr)
    bar = Progress(
        TextColumn("Exporting"),
        BarColumn(),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )
    with bar, draft.open("wb") as file:
        task = bar.add_task("", total=size or None)
        for chunk in response.iter_bytes():
            file.write(chunk)
            bar.advance(task, len(chunk))
        file.flush()
        os.fsync(file.fileno())


def _told(draft: Path) -> dict[str, Any]:
    """Read what the zip says of itself; a broken one has no end to say it."""
    try:
        with zipfile.ZipFile(draft) as archive:
            told: dict[str, Any] = json.loads(archive.read("person.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UnavailableError(
            "privacy.broken_off", "The export broke off: see the log, then try again."
        ) from error
    return told
