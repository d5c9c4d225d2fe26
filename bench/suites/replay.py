"""A replay of handling's record to the digest of all cases, beside a bare scan of it.

Both in one process, by the time of the processor; `replay/cores` is the same replay on
all cores by the clock on the wall, as `amends audit replay` does it.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from bench.alone import alone
from bench.record import checked, recorded
from services.cli.replaying import replayed
from services.handling.application.replaying import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.alone import Took
    from bench.measuring import Run
    from bench.record import Record
    from services.handling.application.replaying import Replayed

_SIZES: Final = (10_000, 100_000, 1_000_000)
_QUICK_SIZES: Final = (1_000, 5_000)


def measure(run: Run) -> None:
    sizes = _QUICK_SIZES if run.quick else _SIZES
    rates, peaks = [], {}
    took: dict[str, list[Took]] = {}
    for size in sizes:
        record = recorded(run, size)
        checked(run, record)
        arms: dict[str, Callable[[], Took]] = {
            "scan": _of(run, scan, record),
            "replay": _of(run, _replay, record, 1),
        }
        if size == sizes[-1] and not run.quick:
            arms["cores"] = _of(run, _replay, record, os.cpu_count() or 1)
        took = run.turns(arms, warm=False)
        _agree(
            run, record, [each for arm in arms if arm != "scan" for each in took[arm]]
        )
        run.agree("rows scanned", {each.result for each in took["scan"]}, {size})
        rates.append((size, size / min(each.cpu for each in took["replay"])))
        peaks[size] = [each.peak_mib for each in took["replay"]]
    scans = [size / each.cpu for each in took["scan"]]
    folds = [size / each.cpu for each in took["replay"]]
    run.ratio("replay/scan", folds, scans, points=rates)
    if not run.quick:
        run.ratio(
            "replay/cores",
            [size / each.wall for each in took["cores"]],
            [size / each.wall for each in took["scan"]],
        )
    run.ratio("replay/memory", peaks[sizes[-1]], peaks[sizes[0]], better="lower")
    run.figure("replay/rate", folds, unit="events/s")


def scan(path: str) -> int:
    """Read every row of a store as plain values; gives how many there were."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM stored_events ORDER BY position")
        return sum(1 for _ in rows)


def _of(
    run: Run, work: Callable[..., object], record: Record, *given: object
) -> Callable[[], Took]:
    where = f"{record.path}" if work is scan else record.url
    size = () if work is scan else (record.events,)
    return lambda: alone(run, work, where, *size, *given)


def _replay(url: str, events: int, processes: int) -> Replayed:
    return joined(dict(replayed(url, events, processes)), events)


def _agree(run: Run, record: Record, took: list[Took]) -> None:
    """Hold every replay against the count, and all of them against each other."""
    for each in took:
        found: Replayed = each.result
        run.agree("cases replayed", found.cases, record.cases)
        run.agree("events replayed", dict(found.types), record.types)
    run.agree("digests of all replays", len({each.result.digest for each in took}), 1)
