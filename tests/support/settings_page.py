"""Writes the settings' page of the documentation: `python -m tests.support.settings_page`."""

from pathlib import Path
from typing import Final

from services.kernel.settings import settings_reference

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/reference/settings.md"

HEAD: Final = """\
# Settings

amends reads its settings from the environment, once, at start.
All faults are told at once, each with its remedy, and nothing starts until they are mended; a variable that begins with `AMENDS_` and is none of these is a fault too.
An empty value counts as none.

| variable | default | what it says | allowed |
|---|---|---|---|
"""


def settings_page() -> str:
    return HEAD + "".join(
        f"| `{row.variable}` | {f'`{row.default}`' if row.default else ''} "
        f"| {row.description} | {row.allowed} |\n"
        for row in settings_reference()
    )


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
