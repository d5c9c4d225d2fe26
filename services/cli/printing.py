"""Results for programs and for people, and the exit status of a refusal."""

import json
from typing import Any

import typer

REFUSED = 1
MISUSED = 2


def show(value: Any, *, as_json: bool, human: str) -> None:
    """Print a result for a program or for a person."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else human)


def show_rows(
    found: Any,
    columns: dict[str, str],
    *,
    as_json: bool,
    empty: str,
) -> None:
    """Print rows as a table of `columns` (heading by name), or say that none is."""
    if as_json or not found["rows"]:
        show(found, as_json=as_json, human=empty)
        return
    from services.kernel.terminal import print_rows  # noqa: PLC0415 lazy

    rows = [
        {name: "" if row[name] is None else str(row[name]) for name in columns}
        for row in found["rows"]
    ]
    print_rows(columns, rows)
