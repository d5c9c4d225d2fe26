"""amends with a protection taken away or a crash put in, for tests: `doctored WHAT run intake …`."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.cli import main
from services.intake.application.submitting import Intake
from services.kernel.broker.pipe import Pipe
from services.kernel.inbox import Consumer
from services.kernel.store.sqlite import SqliteDatabase, SqliteTx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nats.aio.msg import Msg

    from services.kernel.store.database import Tx

BATCHES: Final = 3
"""Batches that are acknowledged before a crash."""
CRASHES: Final = 3
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


def crash_before_ack() -> None:
    """Have a consumer die behind a commit, before it says that it has handled anything.

    A few times: how often is kept beside the data.
    """
    as_it_is = Consumer._handle
    place = Path(os.environ["AMENDS_DATA"]) / f"crashes.{sys.argv[2]}"
    batches = 0

    async def handle(self: Consumer, messages: Sequence[Msg]) -> None:
        nonlocal batches
        await as_it_is(self, messages)
        batches += 1
        died = place.stat().st_size if place.exists() else 0
        if batches >= BATCHES and died < CRASHES:
            with place.open("a") as file:
                file.write("!")
            os._exit(1)

    Consumer._handle = handle  # type: ignore[method-assign]


def keys_forgotten() -> None:
    """Have intake take each sending for a complaint of its own."""

    def new(self: Intake, *_: object) -> str:
        return str(self._new_id(self._now()))

    Intake._key = new  # type: ignore[method-assign, assignment]


def slow_relay() -> None:
    """Have a relay wait for each event, and rest after it."""
    as_it_is = Pipe.room

    async def room(self: Pipe) -> bool:
        await self.settle()
        await asyncio.sleep(0.1)
        return await as_it_is(self)

    Pipe.room = room  # type: ignore[method-assign]


TAKEN_AWAY: Final[Mapping[str, Callable[[], None]]] = {
    "receipt-before-commit": receipt_before_commit,
    "crash-before-ack": crash_before_ack,
    "keys-forgotten": keys_forgotten,
    "slow-relay": slow_relay,
}


if __name__ == "__main__":
    TAKEN_AWAY[sys.argv.pop(1)]()
    main()
