"""The plug of one machine is pulled, and the second takes over: no receipt is lost.

Two folders stand for two machines: PostgreSQL, nats-server and the services on the
first; on the second a standby and nothing else. Complaints come in; then everything of
the first is killed at once, `amends takeover` runs on the second, the services start
there, and whoever holds a receipt asks for it again. The control replicates without
waiting, and the line between the machines is cut a moment before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from bench.line import BROKEN, KEPT, line, options
from tests.faults.load import CHANNEL, Load, complaint
from tests.faults.system import System
from tests.faults.verdict import DRAIN
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from bench.line import Options
    from tests.faults.load import Attempt
    from tests.support.postgres import PostgresServer

RATE: Final = 10.0
SECONDS: Final = {"ci": 5.0, "night": 300.0}
CUT_BEFORE: Final = 2.0


async def received(
    folder: Path, given: Options, first: PostgresServer, second: PostgresServer
) -> list[Attempt]:
    """Have complaints come in on the first machine, then pull its plug."""
    chance = random.Random(given.seed)
    environment = {"AMENDS_DATABASE_URL": first.url}
    async with System.running(folder, environment=environment) as system:
        load = Load(system, chance)
        # Whoever was connected finds nobody to say goodbye to.
        with contextlib.suppress(OSError):
            async with load.open():
                offering = asyncio.create_task(load.offer(RATE, 36_000))
                await asyncio.sleep(SECONDS[given.size])
                if given.control:
                    second.kill()
                    await asyncio.sleep(CUT_BEFORE)
                system.kept_down.update(system.victims)
                assert first.process is not None
                os.killpg(first.process.pid, signal.SIGKILL)
                for name in system.victims:
                    system.kill(name)
                first.process.wait()
                first.process = None
                offering.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await offering
        return load.attempts


async def succeeded(folder: Path, second: PostgresServer) -> System:
    """Take over on the second machine, and start the services there."""
    system = System(folder, environment={"AMENDS_DATABASE_URL": second.url})
    system.processes.prepare()
    system.processes.broker.launch()
    system.processes.broker.until_ready()
    print(system.processes.cli.run("takeover", "--other-is-off").stdout)
    system.processes.start_services()
    return system


async def held_against(system: System, attempts: list[Attempt]) -> dict[str, object]:
    """Look for every receipt that was given, and ask for each of them again."""
    acked = [each for each in attempts if each.receipt is not None]
    followed = await system.followed(DRAIN)
    found = {}
    for service in ("intake", "handling"):
        found[service] = Counter(
            event["case_id"]
            for event in await system.log(service)
            if event["type"] == "ComplaintReceived"
        )
    everywhere = set.intersection(*(set(each) for each in found.values()))
    lost = sum(
        each.receipt["case_id"] not in everywhere
        for each in acked
        if each.receipt is not None
    )
    changed = 0
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        for each in acked:
            if each.writer == CHANNEL or each.receipt is None:
                continue
            again = await http.post(
                f"{system.url('intake')}/api/intake/complaints",
                json=complaint("web", each.number),
                headers={"Idempotency-Key": each.key},
            )
            changed += again.json().get("receipt_no") != each.receipt["receipt_no"]
    return {
        "offered": len(attempts),
        "acked": len(acked),
        "lost": lost,
        "duplicates": sum(sum(each.values()) - len(each) for each in found.values()),
        "receipts_changed": changed,
        "followed": int(followed),
    }


async def run(place: Path, given: Options) -> dict[str, object]:
    with postgres_server(fsync=True) as first:
        standby = Path(tempfile.mkdtemp(prefix="amends-standby-"))
        if not given.control:
            first.keep_in_step()
        second = first.standby(standby)
        second.launch()
        try:
            second.until_ready()
            attempts = await received(place / "a", given, first, second)
            begun = time.monotonic()
            if second.process is None:
                second.launch()
                second.until_ready()
            (place / "b").mkdir()
            shutil.copytree(
                place / "a" / "data",
                place / "b" / "data",
                ignore=shutil.ignore_patterns("*.lock"),
            )
            system = await succeeded(place / "b", second)
            away = time.monotonic() - begun
            try:
                figures = await held_against(system, attempts)
            finally:
                system.processes.end()
        finally:
            second.stop()
            shutil.rmtree(standby)
    return {**figures, "seconds_away": round(away)}


def main(given: Options) -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "a").mkdir()
        figures = asyncio.run(run(place, given))
    print(line("TAKEOVER", {**figures, "seed": given.seed}))
    wrong = (figures["lost"], figures["duplicates"], figures["receipts_changed"])
    return BROKEN if any(wrong) or not figures["followed"] else KEPT


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
