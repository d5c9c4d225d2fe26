"""What the disk and SQLite themselves allow: durable commits of one row and of 100."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.measuring import Run

_BODY: Final = b"x" * 649  # an event, about
_COMMITS: Final = 300
_QUICK_COMMITS: Final = 30


def measure(run: Run) -> None:
    commits = _QUICK_COMMITS if run.quick else _COMMITS
    paths = {size: run.folder / f"rows-{size}.sqlite" for size in (1, 100)}
    rates = run.turns(
        {f"{size}": _filling(path, size, commits) for size, path in paths.items()}
    )
    for size, path in paths.items():
        with closing(sqlite3.connect(path)) as database:
            (found,) = database.execute("SELECT COUNT(*) FROM events").fetchone()
        turns = len(rates[f"{size}"]) + (0 if run.quick else 1)  # one warmed up
        run.agree(f"rows of {size}", found, turns * commits * size)
    for name, found in rates.items():
        run.figure(f"limits/sqlite_{name}", found, unit="rows/s")


def _filling(path: Path, size: int, commits: int) -> Callable[[], float]:
    def fill() -> float:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS events (position INTEGER PRIMARY KEY, body)"
            )
            rows = [(_BODY,)] * size
            begun = time.perf_counter()
            for _ in range(commits):
                database.execute("BEGIN IMMEDIATE")
                database.executemany("INSERT INTO events (body) VALUES (?)", rows)
                database.execute("COMMIT")
            return commits * size / (time.perf_counter() - begun)

    return fill
