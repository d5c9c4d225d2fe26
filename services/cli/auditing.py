"""`amends audit …`: recompute the ledgers of every store; a reading verb."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.progress import Progress, TaskID

from events import codec
from services.cli.printing import REFUSED, show
from services.kernel.errors import MalformedError, NotFoundError
from services.kernel.folder import DataFolder
from services.kernel.grants import peek as peek_grant
from services.kernel.ledger import tree
from services.kernel.ledger import verify as ledger
from services.kernel.ledger.checkpoint import load_signer
from services.kernel.record import SIGNING_KEY, origin
from services.kernel.settings import Settings, load_settings
from services.kernel.store.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from services.kernel.ledger.checkpoint import Verifier
    from services.kernel.ledger.findings import Report


# A signature's line begins with a dash, so only a note's first line looks like this.
_BETWEEN_NOTES = re.compile(r"(?m)^(?=amends/)")


class _Store(NamedTuple):
    name: str
    database: Database
    verifier: Verifier
    peek: Callable[[bytes], tuple[UUID, int, str]]


def verify(against: Sequence[Path], *, as_json: bool) -> None:
    """Verify every store; exit status 1 where anything was found."""
    settings = load_settings()
    kept = [note for path in against for note in _notes(path)]
    strangers = {_origin_of(note) for note in kept}
    reports: dict[str, Report] = {}
    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        for store in _stores(settings):
            task = bar.add_task(store.name)
            strangers.discard(store.verifier.name)
            with closing(store.database):
                reports[store.name] = ledger.verify(
                    store.database,
                    store.verifier,
                    against={
                        f"checkpoint {number}": note
                        for number, note in enumerate(kept, 1)
                        if _origin_of(note) == store.verifier.name
                    },
                    peek=store.peek,
                    progress=partial(_advance, bar, task),
                )
    if strangers:
        raise MalformedError(
            "audit.foreign_checkpoint",
            f"No ledger here is called {', '.join(sorted(strangers))}: give checkpoints"
            " of this installation.",
        )
    ok = all(report.ok for report in reports.values())
    found = {"ok": ok, "stores": [_plain(*pair) for pair in reports.items()]}
    human = "\n".join(_told(*pair) for pair in reports.items())
    show(found, as_json=as_json, human=human)
    if not ok:
        sys.exit(REFUSED)


def _advance(bar: Progress, task: TaskID, position: int, last: int) -> None:
    bar.update(task, completed=position, total=last)


def checkpoints(*, as_json: bool) -> None:
    """Print the signed note of each store that has one."""
    notes = {}
    for store in _stores(load_settings()):
        with closing(store.database), store.database.read() as tx:
            note = tree.checkpoint(tx)
        if note is not None:
            notes[store.name] = note
    show(notes, as_json=as_json, human="\n".join(notes.values()).rstrip())


def _stores(settings: Settings) -> Iterator[_Store]:
    folder = DataFolder(settings.data)
    folder.require()
    for name, peek in (
        ("intake", peek_event),
        ("handling", peek_event),
        ("access", peek_grant),
    ):
        key = folder.path / name / SIGNING_KEY
        if not key.exists():
            raise NotFoundError(
                "audit.no_key",
                f"The ledger key of {name} is missing: put {key} back from the backup;"
                " without it no checkpoint can be checked.",
            )
        yield _Store(
            name,
            open_database(
                folder.database_url(name, "store", server=settings.database_url),
                schema=name,
                read_only=True,
            ),
            load_signer(key, origin(settings.tenant, name)).verifier,
            peek,
        )


def peek_event(body: bytes) -> tuple[UUID, int, str]:
    return codec.peek(body)[:3]


def _notes(path: Path) -> list[str]:
    """Take a file apart into its notes, as `amends audit checkpoint` prints them."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    notes = [f"{part.strip()}\n" for part in _BETWEEN_NOTES.split(text) if part.strip()]
    if not notes:
        raise MalformedError(
            "audit.checkpoint_unreadable",
            f"{path} cannot be read as a checkpoint: give the file that"
            " `amends audit checkpoint` wrote.",
        )
    return notes


def _origin_of(note: str) -> str:
    """Name the ledger: the first line of a note does."""
    return note.partition("\n")[0]


def _plain(name: str, report: Report) -> dict[str, Any]:
    return {
        "store": name,
        "ok": report.ok,
        "events": report.events,
        "last_position": report.last_position,
        "sealed_to": report.sealed_to,
        "unsealed": report.unsealed,
        "root": report.root.hex() if report.root else None,
        "fault_count": report.fault_count,
        "faults": [
            {"position": fault.position, "what": fault.what, "detail": fault.detail}
            for fault in report.faults
        ],
    }


def _told(name: str, report: Report) -> str:
    if report.ok:
        late = f", {report.unsealed} not sealed yet" if report.unsealed else ""
        return (
            f"{name}: {report.events} events, sealed to position {report.sealed_to}"
            f" of {report.last_position}{late}; nothing was changed"
        )
    lines = [
        f"  position {fault.position if fault.position is not None else '-'}:"
        f" {fault.what}: {fault.detail}"
        for fault in report.faults
    ]
    return "\n".join([f"{name}: CHANGED, {report.fault_count} findings", *lines])
