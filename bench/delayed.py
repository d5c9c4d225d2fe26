"""`amends` on a slower disk: every commit takes BENCH_COMMIT_DELAY seconds more.

`python -m bench.delayed run intake`: the same program, with the bench's own database.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from services.cli import main
from services.kernel.store import sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.kernel.store.database import Tx

DELAY: Final = "BENCH_COMMIT_DELAY"


class DelayedDatabase(sqlite.SqliteDatabase):
    """Waits before each commit, as a disk would that syncs more slowly."""

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with super().write() as tx:
            yield tx
            time.sleep(float(os.environ[DELAY]))


if __name__ == "__main__":
    sqlite.SqliteDatabase = DelayedDatabase  # type: ignore[misc]  # in this process
    main()
