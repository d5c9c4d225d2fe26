"""Which column is which field, where no mapping file says so: guessed, or asked."""

from pathlib import Path

import typer

from services.intake.cli.importing import load_mapping
from services.intake.cli.reading.opening import opened_table
from services.intake.cli.reading.table import REJECTS
from services.intake.domain.guessing import Guess, guess, likeness
from services.intake.domain.mapping import TableMapping
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


def guessed(
    file: Path, *, zone: str, encoding: str | None = None, sheet: str | None = None
) -> Guess:
    """Guess by the names of the columns, in English or Chinese, and the first rows."""
    with opened_table(file, score=likeness, encoding=encoding, sheet=sheet) as table:
        returned = list(table.header[:2]) in REJECTS.values()
        header = [name for name in table.header[2 if returned else 0 :] if name]
        rows = (row.values for row in table.rows() if row.fault is None)
        return guess(header, rows, zone)


def certain(found: Guess) -> TableMapping:
    """Give the mapping; where it is in doubt, raise `MisuseError` with a draft."""
    mapping = found.mapping()
    if mapping is None:
        raise MisuseError(
            "import.mapping_needed",
            "The columns are not certain. Save these lines as a file with"
            " --write-mapping FILE, correct them, and import with --format FILE:"
            f"\n\n{found.draft()}",
        )
    return mapping


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
