"""Simulation: the real services through faults that a seed draws, thousands of times.

One process a core, one thread each: handlers, relays and inboxes of intake, handling and
analytics over a bus, stores and clocks that lose, double, delay and reorder, refuse, jump
and crash between any two awaits. What must be true is looked at after every step.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from bench.line import BROKEN, KEPT, line
from bench.line import parser as line_parser
from tests.simulation.world import Lived, lived, new_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEEDS: Final = {"ci": 1_000, "night": 100_000}
CONTROL: Final = 50
"""Seeds of a control: a broken inbox shows soon."""
SHOWN: Final = 10
MEMORY: Final = Path("/dev/shm")  # noqa: S108 its files are as fast as memory


def place() -> tempfile.TemporaryDirectory[str]:
    """Give a folder in memory where there is one: nothing here survives a run."""
    return tempfile.TemporaryDirectory(
        prefix="amends-sim-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    )


def live(seeds: Sequence[int], *, control: bool = False) -> Iterator[Lived]:
    """Live through some seeds in this process."""
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    before = structlog.get_config()
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    try:
        with place() as folder:
            empty = Path(folder) / "empty"
            new_folder(empty)
            gc.freeze()  # else each run's end looks through all that was imported
            for seed in seeds:
                yield lived(seed, empty, Path(folder) / str(seed), control=control)
    finally:
        gc.unfreeze()
        structlog.configure(**before)


def main(argv: Sequence[str] | None = None) -> int:
    parser = line_parser(__doc__ or "")
    parser.add_argument("--seeds", type=int, help="how many, from SEED on")
    parser.add_argument("--step", type=int, help="be one of so many processes")
    given = parser.parse_args(argv)
    count = given.seeds or (CONTROL if given.control else SEEDS[given.size])
    first = random.randrange(2**31) if given.seed is None else given.seed
    if given.step:
        for each in live(
            range(first, first + count, given.step), control=given.control
        ):
            print(json.dumps(_told(each)), flush=True)
        return KEPT
    cores = min(count, len(os.sched_getaffinity(0)))
    total: Counter[str] = Counter()
    broken: list[Any] = []
    trace = ""
    for told in _lived_by(cores, first, count, control=given.control):
        total.update({name: told[name] for name in _COUNTED})
        total["seeds"] += 1
        trace = told["trace"]
        if told["violations"]:
            broken.append(told)
    for told in broken[:SHOWN]:
        print(*told["violations"], sep="\n", file=sys.stderr)
        again = _command(told["seed"], control=given.control)
        print(f"  again: {again}", file=sys.stderr)
    figures: dict[str, object] = {
        "seeds": total["seeds"],
        "steps": total["steps"],
        "events": total["events"],
        "simulated_days": round(total["seconds"] / 86_400),
        "crashes": total["crashes"],
        "violations": len(broken),
        "seed": first,
    }
    if count == 1:
        figures["trace"] = trace[:16]
    print(line("SIM", figures))
    return KEPT if total["seeds"] == count and not broken else BROKEN


_COUNTED: Final = ("steps", "events", "seconds", "crashes")


def _told(one: Lived) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Lived.__slots__}


def _lived_by(
    cores: int, first: int, count: int, *, control: bool
) -> Iterator[dict[str, Any]]:
    """Share the seeds out among processes; give what each told of its own."""

    def told(core: int) -> list[str]:
        command = [sys.executable, "-m", "tests.faults.simulation"]
        command += ["--step", str(cores)]
        command += ["--seed", str(first + core), "--seeds", str(count - core)]
        command += ["--control"] if control else []
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.splitlines()

    with ThreadPoolExecutor(cores) as running:
        for lines in running.map(told, range(cores)):
            yield from map(json.loads, lines)


def _command(seed: int, *, control: bool) -> str:
    more = " --control" if control else ""
    return f"python -m tests.faults.simulation --seeds 1 --seed {seed}{more}"


if __name__ == "__main__":
    raise SystemExit(main())
