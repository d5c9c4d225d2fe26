"""Which column is which field, where no mapping file says so: guessed by name."""

from pathlib import Path

from services.intake.domain.guessing import Guess, guess, likeness
from services.intake.domain.mapping import TableMapping
from services.intake.importing.inspecting import fitting
from services.intake.importing.reading.opening import opened_table
from services.intake.importing.reading.table import REJECTS
from services.kernel.errors import MisuseError


def guessed(
    file: Path, *, zone: str, encoding: str | None = None, sheet: str | None = None
) -> tuple[Guess, list[str]]:
    """Guess by the names of the columns, in English or Chinese, and the first rows.

    Give also which formats of our own have all their columns there.
    """
    with opened_table(file, score=likeness, encoding=encoding, sheet=sheet) as table:
        returned = list(table.header[:2]) in REJECTS.values()
        header = [name for name in table.header[2 if returned else 0 :] if name]
        rows = (row.values for row in table.rows() if row.fault is None)
        return guess(header, rows, zone), fitting(header)


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
