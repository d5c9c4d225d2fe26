"""Chooses the mapping of an import: the named one, or the one that is guessed."""

from pathlib import Path
from typing import Final

import typer

from services.intake.domain.guessing import Guess
from services.intake.domain.mapping import TableMapping
from services.intake.importing.columns import certain, guessed
from services.intake.importing.running import load_mapping
from services.kernel.errors import MisuseError
from services.kernel.settings import load_settings

GUESSED: Final = "table"
"""The format of what is read by the names of its columns."""


def choose(
    file: Path,
    format_: str | None,
    *,
    draft_to: Path | None,
    encoding: str | None,
    sheet: str | None,
) -> tuple[TableMapping, Guess | None] | None:
    """Load the mapping, or guess one where none is named; None once it is written.

    Raises `MisuseError` for what looks like a format of ours and is not said to be one:
    read by its columns its complaints would have other keys, and come a second time.
    """
    if format_ not in {None, GUESSED}:
        return load_mapping(format_), None
    zone = load_settings().time_zone
    found, fits = guessed(file, zone=zone, encoding=encoding, sheet=sheet)
    if draft_to is not None:
        typer.echo(write_draft(found, draft_to))
        return None
    if fits and format_ is None:
        raise MisuseError(
            "import.format_fits",
            f"This looks like {fits[0]}: import it with --format {fits[0]}, or with"
            f" --format {GUESSED} to read it by the names of its columns all the same."
            " Nothing was sent.",
        )
    return certain(found), found


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
