"""amends with a protection taken away, for controls: `doctored WHAT run intake …`."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from services.cli import main
from services.kernel.store.sqlite import SqliteDatabase, SqliteTx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from services.kernel.store.database import Tx

LATE: Final = 1.0
"""Seconds that the doctored database keeps what it has called committed."""


def receipt_before_commit() -> None:
    """Have a store say that it has committed, and do so a second later."""
    begun: dict[int, float] = {}
    as_it_is = SqliteDatabase.write

    @contextmanager
    def write(self: SqliteDatabase) -> Iterator[Tx]:
        connection = self._writer
        assert connection is not None
        late = threading.current_thread().name.startswith("writer-")
        with self._writing:
            open_for = time.monotonic() - begun.get(id(self), 0)
            if connection.in_transaction and (not late or open_for > LATE):
                connection.execute("COMMIT")
        if not late:
            with as_it_is(self) as tx:
                yield tx
            return
        with self._writing:
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
                begun[id(self)] = time.monotonic()
            tx = SqliteTx(connection)
            with tx.savepoint():
                yield tx
        tx.committed()

    SqliteDatabase.write = write  # type: ignore[method-assign]


TAKEN_AWAY: Final[Mapping[str, Callable[[], None]]] = {
    "receipt-before-commit": receipt_before_commit
}

if __name__ == "__main__":
    TAKEN_AWAY[sys.argv.pop(1)]()
    main()
