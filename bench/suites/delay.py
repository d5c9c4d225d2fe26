"""End to end where the disk syncs more slowly: a commit takes 0, 1 or 5 ms more.

A disk that answers at once hides what committing many together is worth. Every arm's
databases have the same delay; the broker has none.
"""

from __future__ import annotations

import asyncio
import statistics
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from bench.delayed import DELAY
from bench.offered import Offered
from bench.pipelines.running import Yardstick
from bench.processes import Amends
from bench.suites.e2e import taken
from bench.workload import Workload
from services.kernel.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Run
    from bench.processes import Pipeline

DELAYS: Final = (0, 1, 5)
COMPLAINTS: Final = 500
TURNS: Final = 3


def measure(run: Run) -> None:
    if run.quick:
        run.skip("delay/textbook", "a quick run has one disk")
        return
    points = []
    for delay in DELAYS:
        ours, textbook = _at(run, delay)
        ratio = statistics.median(
            one / other for one, other in zip(ours, textbook, strict=True)
        )
        points.append((float(delay), ratio))
        run.figure(f"delay/amends_{delay}ms", ours, unit="complaints/s")
        run.figure(f"delay/textbook_{delay}ms", textbook, unit="complaints/s")
    run.figure("delay/textbook", [points[-1][1]], unit="ratio", points=points)


def _at(run: Run, delay: int) -> tuple[list[float], list[float]]:
    """Give complaints a second of both, on a disk with this delay."""
    folder = run.folder / f"{delay}ms"
    environment = {DELAY: f"{delay / 1_000}"}
    offered = Offered(Workload(run.seed + delay, system_clock() - timedelta(hours=1)))
    lots = [offered.draw(COMPLAINTS) for _ in range(TURNS + 1)]
    with ExitStack() as running:
        amends = Amends(
            folder / "amends", module="bench.delayed", environment=environment
        )
        textbook = Yardstick("textbook", folder / "textbook", environment)
        arms: dict[str, Pipeline] = {
            "amends": running.enter_context(amends.running()),
            "textbook": running.enter_context(textbook.running()),
        }

        def turn(arm: Pipeline) -> Callable[[], float]:
            left = iter(lots)
            return lambda: asyncio.run(taken(arm, next(left))).rate

        found = run.turns({name: turn(arm) for name, arm in arms.items()}, turns=TURNS)
        for name, arm in arms.items():
            run.agree(f"cases of {name}", arm.committed(), len(offered.received))
    return found["amends"], found["textbook"]
