"""One instant of several SQLite files: none may commit while all are looked at.

Copied from that instant by the online backup, page by page; never by copying files,
whose newest pages lie in a write-ahead log that changes meanwhile.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from services.kernel.errors import MalformedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from services.backup.archive import Writer
    from services.backup.inventory import Store

_PATIENCE: Final = 30.0  # seconds for all writers to be between two commits
_AT_ONCE: Final = 1.0  # seconds that one file's writer is waited for, others held
_PAUSE: Final = 0.05
_PAGES: Final = 2_000


class SqliteCut:
    """The files as they stood at one instant; give it back soon, logs grow meanwhile."""

    dialect: Final = "sqlite"

    def __init__(self, seen: Mapping[Store, sqlite3.Connection]) -> None:
        self._seen = seen

    @property
    def stores(self) -> Sequence[Store]:
        return list(self._seen)

    def rows(self, store: Store, sql: str) -> list[tuple[Any, ...]]:
        return self._seen[store].execute(sql).fetchall()

    def copy(
        self, store: Store, archive: Writer, told: Callable[[int, int], None]
    ) -> None:
        """Write one file, and see that SQLite finds nothing wrong with it.

        Raises MalformedError where the database is damaged.
        """
        with (
            archive.file(f"stores/{store.path}") as target,
            closing(sqlite3.connect(target, isolation_level=None)) as copy,
        ):
            self._seen[store].backup(
                copy,
                pages=_PAGES,
                progress=lambda _, left, total: told(total - left, total),
            )
            copy.execute("PRAGMA journal_mode=DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            raise MalformedError(
                "backup.database_damaged",
                f"{store.path} is damaged ({found and found[0]}): restore an earlier"
                " backup.",
            )


@contextmanager
def sqlite_cut(paths: Mapping[Store, Path]) -> Iterator[SqliteCut]:
    """Look at all files at one instant, beside whoever writes them.

    For that instant each file's right to write is held; nothing is written, and no
    connection here ever checkpoints.
    """
    with ExitStack() as open_files:
        seen = {
            store: open_files.enter_context(closing(_connected(path, "ro")))
            for store, path in paths.items()
        }
        end = time.monotonic() + _PATIENCE
        while not _looked(paths, seen):
            if time.monotonic() > end:
                raise UnavailableError(
                    "backup.never_between_commits",
                    "The services did not pause between two commits: try again when"
                    " less is going on.",
                )
            time.sleep(_PAUSE)
        yield SqliteCut(seen)


def _looked(
    paths: Mapping[Store, Path], seen: Mapping[Store, sqlite3.Connection]
) -> bool:
    """Begin to read all files while nobody can commit to any; False: try again."""
    with ExitStack() as held:
        try:
            for path in paths.values():
                holder = held.enter_context(closing(_connected(path, "rw")))
                holder.execute("PRAGMA wal_autocheckpoint=0")
                holder.execute("BEGIN IMMEDIATE")
                held.callback(holder.rollback)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return False
            raise
        for connection in seen.values():
            connection.execute("BEGIN")
            connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    return True


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=_AT_ONCE,
        check_same_thread=False,
    )
