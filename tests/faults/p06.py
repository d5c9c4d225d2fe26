"""P6: it is back in seconds and catches up.

Each service and the broker are killed in turn while complaints come in: how long until
the first one that is sent afterwards has its receipt? Then the broker is away while many
come in: how fast are they handled when it is back, and how much did memory grow?
Times are held against a bare start of the same program in the same run, so that a busy
machine does not decide. The control is a relay that waits for each event.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.line import BROKEN, KEPT, line, options
from tests.faults.load import Load
from tests.faults.system import System, doctored, until
from tests.faults.verdict import judged

if TYPE_CHECKING:
    from bench.line import Options
    from tests.faults.verdict import Verdict

RATE: Final = 20.0
KILLS: Final = {"ci": 2, "night": 25}
"""Of each process."""
OUTAGE: Final = {"ci": 8.0, "night": 600.0}
"""Seconds without a broker."""
RUSH: Final = {"ci": 60.0, "night": 20.0}
"""Complaints a second meanwhile."""
SERVICES: Final = ("intake", "handling", "analytics")
MOST_STARTS: Final = 4.0
"""A restart may take so many bare starts."""
LEAST_DRAIN: Final = 4.0
MOST_MB: Final = 200.0
SLOW: Final = {"intake": doctored("slow-relay")}
BARE: Final = (sys.executable, "-c", "import services.run, services.cli.running")


def bare_start() -> float:
    """Give the seconds that Python takes to read the program, the median of three."""
    times = []
    for _ in range(3):
        begun = time.monotonic()
        subprocess.run(BARE, check=True)
        times.append(time.monotonic() - begun)
    return statistics.median(times)


async def back(system: System, load: Load, name: str) -> float:
    """Kill a process; give the seconds until a complaint sent since has its receipt."""

    async def all_up() -> bool:
        ups = [await asyncio.to_thread(system.up, each) for each in system.victims]
        return all(ups)

    await until(all_up, 60)
    already = len(load.attempts)
    killed = time.monotonic()
    system.kill(name)

    async def received() -> bool:
        return bool(_answered(load, already))

    await until(received, 60)
    answered = _answered(load, already)
    return (min(answered) if answered else float("inf")) - killed


def _answered(load: Load, already: int) -> list[float]:
    return [
        each.answered
        for each in load.attempts[already:]
        if each.answered is not None and each.receipt is not None
    ]


def resident(system: System) -> float:
    """Give the memory of the services in MB."""
    found = 0
    for name in SERVICES:
        status = Path(f"/proc/{system.pid(name)}/status").read_text()
        found += int(status.partition("VmRSS:")[2].split()[0])
    return found / 1_000


async def outage(system: System, load: Load, given: Options) -> dict[str, Any]:
    """Take the broker away while many come in, and see them handled behind it."""
    before = resident(system)
    system.kept_down.add("broker")
    system.kill("broker")
    already = len(load.acked)
    await load.offer(RUSH[given.size], OUTAGE[given.size])
    await asyncio.sleep(1)
    backlog = len(load.acked) - already
    system.kept_down.clear()

    async def up() -> bool:
        return await asyncio.to_thread(system.up, "broker")

    await until(up, 60)
    begun = time.monotonic()
    drained = await system.followed(20 if given.control else 300)
    seconds = time.monotonic() - begun
    rate = backlog / seconds if drained else 0.0
    return {
        "backlog": backlog,
        "drained_per_s": round(rate, 1),
        "of_arrival": round(rate / RATE, 1),
        "grown_mb": round(max(0.0, resident(system) - before), 1),
    }


async def run(folder: Path, given: Options) -> tuple[dict[str, Any], Verdict]:
    chance = random.Random(given.seed)
    how = {"doctored": SLOW} if given.control else {}
    async with System.running(folder, **how) as system:
        load = Load(system, chance)
        async with load.open():
            restarts: dict[str, list[float]] = {}
            if not given.control:
                task = asyncio.create_task(load.offer(RATE, 3_600))
                for name in [*SERVICES, "broker"] * KILLS[given.size]:
                    restarts.setdefault(name, []).append(await back(system, load, name))
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await load.settled()
            await system.followed(60)
            figures = await outage(system, load, given)
            starts = {f"{name}_s": round(max(t), 2) for name, t in restarts.items()}
            drain = {"drain": 1.0} if given.control else {}
            return starts | figures, await judged(system, load, **drain)


def main(given: Options) -> int:
    begun = time.monotonic()
    bare = bare_start()
    with tempfile.TemporaryDirectory() as folder:
        figures, verdict = asyncio.run(run(Path(folder), given))
    print(*verdict.told(), sep="\n")
    starts = figures.get("intake_s", 0.0) / bare
    figures = {
        "kills": 0 if given.control else 4 * KILLS[given.size],
        "bare_start_s": round(bare, 2),
        "starts": round(starts, 1),
        **figures,
        "lost": verdict.whole.lost,
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P6", figures))
    kept = (
        starts <= MOST_STARTS
        and figures["of_arrival"] >= LEAST_DRAIN
        and figures["grown_mb"] <= MOST_MB
        and verdict.kept
    )
    return KEPT if kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
