"""A file of complaints, and its import in a process of its own."""

from __future__ import annotations

import csv
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.running import RunningAmends

IMPORT: Final = (
    sys.executable, "-m", "services.cli", "import", "--format", "cfpb",
    "--batch-size", "100", "--no-wait", "--json",
)  # fmt: skip
COLUMNS: Final = (
    "Date received", "Product", "Sub-product", "Issue", "Sub-issue",
    "Consumer complaint narrative", "Company public response", "Company", "State",
    "ZIP code", "Tags", "Consumer consent provided?", "Submitted via",
    "Date sent to company", "Company response to consumer", "Timely response?",
    "Consumer disputed?", "Complaint ID",
)  # fmt: skip


def write_complaints(path: Path, rows: int) -> None:
    """Write complaints, half of them by telephone, in the publisher's columns; all words are ours."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, restval="")
        table.writeheader()
        for number in range(rows):
            table.writerow(
                {
                    "Date received": f"2024-01-{number % 28 + 1:02}",
                    "Product": "Credit card" if number % 3 else "Mortgage",
                    "Issue": "Billing dispute",
                    "Company": f"Company {number % 7}",
                    "Submitted via": "Web" if number % 2 else "Phone",
                    "Complaint ID": str(1_000 + number),
                }
            )


def importing(amends: RunningAmends, file: Path) -> subprocess.Popen[bytes]:
    """Begin to import the file."""
    return subprocess.Popen(
        [*IMPORT, str(file)],
        env=amends.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
    )
