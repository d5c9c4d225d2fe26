"""What `amends audit replay` costs beside a bare scan of the same rows, and its memory.

    python -m bench.replay 10000 100000

Each size is made anew in a temporary folder and read in a process of its own, so that
the peak of its memory is its own; the ratio is of events a second of one core, so that other work on the machine does not count.
"""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.line import line
from events import codec
from services.cli.replaying import replayed
from services.handling.application.replaying import joined
from services.kernel.clock import system_clock
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database
from tests.support.stages import staged

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_ONCE = 1_000
_OF_A_CASE = 8  # events, about, of the cases that are made up


def main(sizes: list[int]) -> None:
    spawned = multiprocessing.get_context("spawn")
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="amends-replay-") as folder:
            path = str(Path(folder) / "store.sqlite")
            events = _make(path, size)
            measured = {}
            for name, read in (("scan", _scan), ("fold", _fold)):
                with ProcessPoolExecutor(1, mp_context=spawned) as alone:
                    done = alone.submit(_measured, read, path, events)
                    measured[name] = done.result()
        print(
            line(
                "replay",
                {
                    "events": events,
                    **{f"{name}_per_s": rate for name, (rate, _) in measured.items()},
                    "fold_of_scan": _ratio(measured["fold"][0], measured["scan"][0]),
                    "fold_peak_mib": measured["fold"][1],
                    "scan_peak_mib": measured["scan"][1],
                },
            )
        )


def _make(path: str, size: int) -> int:
    with closing(open_database(f"sqlite://{path}", schema="handling")) as database:
        store: EventStore[Any] = open_store(
            database, name="handling", codec=codec, now=system_clock
        )
        events = iter(staged(size // _OF_A_CASE, seed=size))
        while some := list(islice(events, _AT_ONCE)):
            with database.write() as tx:
                store.put(tx, some)
        return store.last_position()


def _measured(
    read: Callable[[str, int], None], path: str, events: int
) -> tuple[int, int]:
    """Give events a second of this core, and the most memory of this process (MiB)."""
    begun = time.process_time()
    read(path, events)
    rate = round(events / (time.process_time() - begun))
    # `ru_maxrss` would be that of the process which started this one, if it had more.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return rate, int(found[1]) >> 10 if found else 0


def _scan(path: str, _events: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for _ in connection.execute("SELECT * FROM stored_events ORDER BY position"):
            pass


def _fold(path: str, events: int) -> None:
    joined(dict(replayed(f"sqlite://{path}", events, 1)), events)


def _ratio(one: int, other: int) -> float:
    return round(one / other, 3)


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 100_000])
