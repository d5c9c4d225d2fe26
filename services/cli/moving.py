"""`amends move`: from SQLite files to PostgreSQL, with a bar and the digests."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.cli.printing import show
from services.kernel.errors import MalformedError
from services.kernel.settings import load_settings
from services.moving import foresee
from services.moving import move as moved

if TYPE_CHECKING:
    from rich.progress import TaskID

    from services.moving import Moved

SCHEMES = ("postgresql://", "postgres://")
_NEXT = (
    "Set AMENDS_DATABASE_URL now. The data folder is needed on: it holds keys, secrets"
    " and files. Its *.sqlite files are not: delete them when a backup of the server is"
    " made, for what is erased from now on stays in them."
)


def move(to: str, *, dry_run: bool, as_json: bool) -> None:
    settings = load_settings()
    target = sys.stdin.readline().strip() if to == "-" else to
    if not target.startswith(SCHEMES):
        raise MalformedError(
            "move.address",
            "Give the address as postgresql://user:password@host:port/database.",
        )
    if dry_run:
        found = foresee(settings, target)
    else:
        console = Console(stderr=True)
        tasks: dict[str, TaskID] = {}
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            disable=as_json or not console.is_terminal,
            transient=True,
        ) as bar:

            def told(database: str, rows: int, total: int) -> None:
                if database not in tasks:
                    tasks[database] = bar.add_task(database, total=total)
                bar.update(tasks[database], completed=rows)

            found = asyncio.run(moved(settings, target, told=told))
    show(_plain(found, dry_run=dry_run), as_json=as_json, human=_lines(found, dry_run))


def _plain(found: Moved, *, dry_run: bool) -> dict[str, Any]:
    return {
        "moved": not dry_run,
        "again": found.again,
        "rows": dict(found.rows),
        "digest": found.digest,
        "checkpoints": dict(found.checkpoints or {}),
    }


def _lines(found: Moved, dry_run: bool) -> str:
    lines = [f"{rows:>12,} rows  {schema}" for schema, rows in found.rows.items()]
    if dry_run:
        return "\n".join([*lines, "This would be moved; nothing was changed."])
    return "\n".join(
        [
            *lines,
            f"Digest of all case states, before and after: {found.digest}",
            f"Ledgers with the same heads: {', '.join(found.checkpoints or ())}.",
            _NEXT,
        ]
    )
