"""P3: each complaint becomes exactly one case, each event has its effect once.

Every complaint is handed in three times under its key, twice in the same moment;
commands are given twice. Handling and analytics die behind commits, before they have
acknowledged anything. Then the broker forgets, again and again, how far everybody was,
and delivers everything from the beginning. The control is an intake without keys.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats

from bench.line import BROKEN, KEPT, line, options
from services.bus import CONSUMERS
from tests.faults.load import Load
from tests.faults.system import System, doctored
from tests.faults.verdict import DRAIN, judged

if TYPE_CHECKING:
    from bench.line import Options
    from tests.faults.verdict import Verdict

COMPLAINTS: Final = {"ci": 300, "night": 20_000}
ROUNDS: Final = {"ci": 2, "night": 5}
"""How often everything is delivered once more."""
AT_ONCE: Final = 16
SERVICES: Final = ("intake", "handling", "analytics")
DYING: Final = {name: doctored("crash-before-ack") for name in SERVICES[1:]}
KEYLESS: Final = {"intake": doctored("keys-forgotten")}


async def delivered_again(system: System) -> int:
    """Have the broker forget what was handled; tell how often it had delivered."""
    system.kept_down.update(SERVICES)
    for name in SERVICES:
        system.kill(name)
    processes = system.processes
    client = await nats.connect(
        processes.broker.url,
        nkeys_seed_str=(processes.folder / "amends.nk").read_text().strip(),
    )
    js = client.jetstream(timeout=30)
    deliveries = 0
    for each in CONSUMERS:
        info = await js.consumer_info(each.stream, each.durable)
        deliveries += info.delivered.consumer_seq if info.delivered else 0
        await js.delete_consumer(each.stream, each.durable)
    await client.close()
    system.kept_down.clear()
    return deliveries


async def run(folder: Path, given: Options) -> tuple[dict[str, Any], Verdict]:
    chance = random.Random(given.seed)
    dying = KEYLESS if given.control else DYING
    async with System.running(folder, doctored=dying) as system:
        load = Load(system, chance)
        async with load.open():
            count = COMPLAINTS[given.size]
            differing = await load.thrice(count, at_once=AT_ONCE)
            deliveries = 0
            if not given.control:
                for _ in range(ROUNDS[given.size]):
                    await system.followed(DRAIN)
                    deliveries += await delivered_again(system)
            verdict = await judged(system, load)
            cases = {each["case_id"] for each in await system.log("handling")}
            deliveries += sum(load.feed.values())
            crashes = sum(
                len(each.read_text())
                for each in system.processes.data.glob("crashes.*")
            )
            figures = {
                "complaints": count,
                "sent": 3 * count,
                "deliveries": deliveries,
                "crashes": crashes,
                "cases": len(cases),
                "differing": differing,
            }
            return figures, verdict


def main(given: Options) -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures, verdict = asyncio.run(run(Path(folder), given))
    print(*verdict.told(), sep="\n")
    whole = verdict.whole
    figures |= {
        "lost": whole.lost,
        "unexpected": whole.unexpected,
        "double_effects": verdict.duplicates,
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P3", figures))
    once = figures["cases"] == figures["complaints"] and not figures["differing"]
    return KEPT if once and verdict.kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
