"""Chooses the mapping of an import: the named one, or the one that is guessed."""

from pathlib import Path

import typer

from services.intake.domain.guessing import Guess
from services.intake.domain.mapping import TableMapping
from services.intake.importing.columns import certain, guessed
from services.intake.importing.running import load_mapping
from services.kernel.errors import MisuseError
from services.kernel.settings import load_settings


def choose(
    file: Path,
    format_: str | None,
    *,
    draft_to: Path | None,
    encoding: str | None,
    sheet: str | None,
) -> tuple[TableMapping, Guess | None] | None:
    """Load the mapping, or guess one where none is named; None once it is written."""
    if format_ is not None:
        return load_mapping(format_), None
    zone = load_settings().time_zone
    found = guessed(file, zone=zone, encoding=encoding, sheet=sheet)
    if draft_to is None:
        return certain(found), found
    typer.echo(write_draft(found, draft_to))
    return None


def write_draft(found: Guess, target: Path) -> str:
    """Write the mapping file, never over another one, and say what to do with it."""
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(found.draft())
    except OSError as error:
        raise MisuseError(
            "import.mapping_unwritable",
            f"{target} cannot be written ({error.strerror}): name a new file.",
        ) from None
    decide = "".join(f"\nDecide: {doubt}" for doubt in found.doubts)
    return f"Wrote {target}: look it over, then import with --format {target}.{decide}"
