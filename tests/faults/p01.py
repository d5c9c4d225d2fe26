"""P1: a complaint whose receipt number you hold is never lost by a crash.

Complaints come in over HTTP and the bus, some are worked on, and all the while a
process that is drawn by lot is killed: broker, intake, handling, analytics, and on
PostgreSQL, with two processes of each service, the database. A supervisor starts it again.
The control is an intake that gives receipts before it commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.line import BROKEN, KEPT, line, options
from tests.faults.load import Load
from tests.faults.system import System, doctored, until
from tests.faults.verdict import Verdict, judged
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from bench.line import Options

KILLS: Final = {"ci": (14, 6), "night": (350, 150)}
"""How many, on SQLite and on PostgreSQL."""
RATE: Final = 20.0
BETWEEN: Final = (0.6, 2.2)
"""Seconds from one kill to the next."""
DOCTORED: Final = {"intake": doctored("receipt-before-commit")}
CONTROL_KILLS: Final = 5
CONTROL_DRAIN: Final = 5.0


async def killed(system: System, chance: random.Random, kills: int, only: str) -> None:
    """Kill what is drawn, again and again; what still starts is waited for."""
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(*BETWEEN))
        name = only or chance.choice(sorted(system.victims))

        async def answers(name: str = name) -> bool:
            return await asyncio.to_thread(system.up, name)

        await until(answers, 30)
        system.kill(name)


async def run(folder: Path, given: Options, kills: int, **how: Any) -> Verdict:
    chance = random.Random(given.seed)
    async with System.running(folder, **how) as system:
        load = Load(system, chance)
        async with load.open():
            offering = asyncio.create_task(load.offer(RATE, 3_600))
            only = "intake" if given.control else ""
            await killed(system, chance, kills, only)
            await asyncio.sleep(1)
            offering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await offering
            drain = {"drain": CONTROL_DRAIN} if given.control else {}
            return await judged(system, load, **drain)


def main(given: Options) -> int:
    begun = time.monotonic()
    on_sqlite, on_postgres = KILLS[given.size]
    with tempfile.TemporaryDirectory() as folder:
        if given.control:
            kills = CONTROL_KILLS
            how = {"doctored": DOCTORED}
        else:
            kills, how = on_sqlite, {}
        verdicts = {"sqlite": asyncio.run(run(Path(folder), given, kills, **how))}
    if not given.control:
        kills += on_postgres
        with tempfile.TemporaryDirectory() as folder, postgres_server(fsync=True) as pg:
            on_it = run(Path(folder), given, on_postgres, postgres=pg, each=2)
            verdicts["postgres"] = asyncio.run(on_it)
    for name, verdict in verdicts.items():
        print(name)
        print(*verdict.told(), sep="\n")
    both = sum(verdicts.values(), Verdict())
    figures: dict[str, object] = {"kills": kills, **both.figures()}
    seconds = {"seconds": round(time.monotonic() - begun), "seed": given.seed}
    print(line("P1", figures | seconds))
    return KEPT if both.kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
