"""Other programs on the same work: Emmett-SQLite appends one event a time, as we do.

Both commit every event by itself, to a new stream, with `synchronous=FULL` for ours and
what Emmett comes with for Emmett; by the clock on the wall, without node's start.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.measuring import Absent
from bench.peers.installing import npm
from bench.record import SIGNER
from bench.suites.append import drawn, made_again
from events import codec
from services.kernel.clock import system_clock
from services.kernel.ledger.tree import Ledger
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.measuring import Run
    from events.envelope import Envelope

_EVENTS: Final = 200
_EMMETT: Final = "@event-driven-io/emmett-sqlite"
_TRIES: Final = 5  # some of its runs end with "database is locked"
_EMMETT_VERSION: Final = "0.38.5"  # later ones ask for a core that npm has not


def measure(run: Run) -> None:
    run.skip("ticket/helpdesk", "there is no suite for it yet")
    node = shutil.which("node")
    if node is None:
        run.skip("append/emmett", "no node")
        return
    events = drawn(run, _EVENTS)
    numbers = count()
    try:
        folder = npm(run, _EMMETT, _EMMETT_VERSION)
        took = run.turns(
            {
                "ours": _ours(run, events, numbers),
                "emmett": _emmett(run, events, numbers, node, folder),
            }
        )
    except Absent as absent:
        run.skip("append/emmett", f"{absent}")
        return
    run.ratio("append/emmett", took["ours"], took["emmett"])


def _ours(
    run: Run, events: Sequence[Envelope[Any]], numbers: Iterator[int]
) -> Callable[[], float]:
    def append() -> float:
        path = run.folder / f"ours-{next(numbers)}.sqlite"
        with closing(open_database(f"sqlite://{path}", schema="handling")) as database:
            store: EventStore[Any] = open_store(
                database,
                name="handling",
                codec=codec,
                now=system_clock,
                ledger=Ledger(database, SIGNER),
            )
            begun = time.perf_counter()
            for event in events:
                with database.write() as tx:
                    store.put(tx, [made_again(event)])
            rate = len(events) / (time.perf_counter() - begun)
            run.agree("our rows", store.last_position(), len(events))
        return rate

    return append


def _emmett(
    run: Run,
    events: Sequence[Envelope[Any]],
    numbers: Iterator[int],
    node: str,
    folder: Path,
) -> Callable[[], float]:
    lines = run.folder / "events.ndjson"
    lines.write_bytes(b"\n".join(map(codec.encode, events)))
    program = Path(__file__).parents[1] / "peers" / "emmett.mjs"

    def append() -> float:
        for _ in range(_TRIES):
            path = run.folder / f"emmett-{next(numbers)}.sqlite"
            done = subprocess.run(  # noqa: S603 node, as the machine has it
                [node, f"{program}", f"{folder}", f"{path}", f"{lines}"],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                break
        else:
            raise Absent(f"it failed {_TRIES} times on this machine")
        with closing(sqlite3.connect(path)) as database:
            (rows,) = database.execute(
                "SELECT COUNT(*) FROM emt_messages WHERE message_type <> 'Warm'"
            ).fetchone()
        run.agree("Emmett's rows", rows, len(events))
        return len(events) / float(done.stdout)

    return append
