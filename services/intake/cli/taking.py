"""`amends import FILE`: both halves of an import, with what is asked for on the way."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from services.intake.cli.telling import watched
from services.intake.importing.histories import laid_aside
from services.intake.importing.running import Summary, run_import

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from services.intake.cli.around import Around
    from services.intake.domain.mapping import TableMapping
    from services.intake.importing.rejects import Rejects


@dataclass(frozen=True, slots=True)
class Given:
    """The options of the verb."""

    history: bool
    dry_run: bool
    rejects: Path | None
    encoding: str | None
    sheet: str | None
    language: str
    batch_size: int
    wait: bool
    file_name: str
    shown: bool
    """Whether a bar shows how far it is."""


def taken(
    around: Around,
    client: httpx.Client | None,
    source: Path,
    mapping: TableMapping,
    given: Given,
) -> Summary:
    """Take a file over, or say what would become of it; raises as `run_import`."""
    room = (
        laid_aside(mapping, around.departments(), around.judge())
        if given.history
        else nullcontext()
    )
    with room as past, watched(shown=given.shown) as progress:

        def then(rejected: Rejects) -> None:
            if client is None or past is None:
                return
            around.taken_over(client)
            past.record(
                client,
                rejected,
                batch_size=given.batch_size,
                progress=partial(progress, what="histories"),
            )

        done = run_import(
            client,
            source,
            mapping,
            rejects=given.rejects,
            encoding=given.encoding,
            sheet=given.sheet,
            language=given.language,
            batch_size=given.batch_size,
            histories=past,
            then=then,
            dry_run=given.dry_run,
            file_name=given.file_name,
            progress=progress,
        )
    if client is not None and given.wait and not given.dry_run:
        around.settled(client)
    return done
