"""`amends export bi`: the figures' rows as Parquet files, read where they lie."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.cli.printing import show
from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.folder import DataFolder
from services.kernel.settings import load_settings
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from pathlib import Path

    from rich.progress import TaskID

_NAME = "analytics"


def export(to: Path, *, as_json: bool) -> None:
    """Write the tables into the folder `to`, which is made where it is not there."""
    from services.analytics.persistence.parquet import (  # noqa: PLC0415 an extra
        write_parquet,
    )

    settings = load_settings()
    folder = DataFolder(settings.data)
    folder.require()
    url = folder.database_url(_NAME, "facts", server=settings.database_url)
    if (
        settings.database_url is None
        and not (folder.path / _NAME / "facts.sqlite").exists()
    ):
        raise NotFoundError(
            "export.no_rows", "There are no figures yet: start amends once."
        )
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RefusedError(
            "file.not_writable",
            f"{to} cannot be written ({error.strerror}): name another place.",
        ) from error
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        disable=as_json or not Console(stderr=True).is_terminal,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def told(table: str, rows: int, total: int) -> None:
        if table not in tasks:
            tasks[table] = bar.add_task(table, total=total)
        bar.update(tasks[table], completed=rows)

    with (
        closing(open_database(url, schema=_NAME, read_only=True)) as database,
        bar,
    ):
        written = write_parquet(database, to, told=told)
    tables = {
        name: {"file": str(to / f"{name}.parquet"), "rows": rows}
        for name, rows in written.rows.items()
    }
    lines = [f"{each['file']}: {each['rows']} rows" for each in tables.values()]
    show(
        {"position": written.position, "tables": tables},
        as_json=as_json,
        human="\n".join([*lines, f"As known at position {written.position}."]),
    )
