"""`amends export`: what other tools read."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.arguments import AsJson, group

export = group("Files for other tools.")


@export.callback()
def exports() -> None:
    """Files for other tools."""


@export.command("bi", epilog="Example: amends export bi --to /srv/bi")
def export_bi(
    to: Annotated[
        Path,
        typer.Option("--to", help="The folder; files of an earlier export go."),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Write cases, their versions and the positions as Parquet; all in codes.

    Reads the figures' rows themselves, whether amends runs or not.
    """
    from services.cli import bi  # noqa: PLC0415 lazy

    bi.export(to, as_json=as_json)
