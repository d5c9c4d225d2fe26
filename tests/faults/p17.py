"""P17: the broker may lose everything, and we do not.

Complaints come in and are worked on; then one who reads, drawn by lot, is held down so
that something waits for it in the streams, and the broker suffers a disaster. It comes
back, `amends reconcile` is run beside the services, and every reader is compared.
The control leaves the reconcile out.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats

from bench.line import BROKEN, KEPT, line, options
from tests.faults.load import Load
from tests.faults.system import System, until
from tests.faults.verdict import DRAIN, Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.line import Options

    Disaster = Callable[["System", random.Random, Path], Awaitable[None]]

ROUNDS: Final = {"ci": 1, "night": 10}
RATE: Final = 20.0
QUIET: Final = 2.0
"""Seconds in which all goes well, before each disaster."""
WAITING: Final = 2.0
"""Seconds in which messages pile up for the one who is held down."""
READERS: Final = ("handling", "intake", "analytics")
CONTROL_DRAIN: Final = 8.0
STREAMS: Final = ("INTAKE", "CASES", "DEPARTMENTS")
FLIPS: Final = 2


async def deleted(system: System, chance: random.Random, _: Path) -> None:
    """An operator deletes streams, with the durables on them."""
    async with _connected(system) as client:
        for stream in chance.sample(STREAMS, 2):
            await client.jetstream().delete_stream(stream)


async def emptied(system: System, _: random.Random, __: Path) -> None:
    """An operator purges what somebody still waits for."""
    async with _connected(system) as client:
        for stream in STREAMS:
            await client.jetstream().purge_stream(stream)


async def rotten(system: System, chance: random.Random, _: Path) -> None:
    """Bits flip in the files of a server that was stopped in order."""
    _broker_down(system, in_order=True)
    for stream in STREAMS:
        for block in (_store(system) / "streams" / stream).rglob("*.blk"):
            content = bytearray(block.read_bytes())
            # Among the newer ones, which nobody has read yet; not in the last one,
            # whose damage the server sees when it starts.
            for _flip in range(FLIPS if content else 0):
                place = chance.randrange(len(content) // 2, len(content) * 9 // 10)
                content[place] ^= 1 << chance.randrange(8)
            block.write_bytes(content)
        if chance.random() < 0.5:  # the server rebuilds it at start, and drops more
            for index in (_store(system) / "streams" / stream).rglob("index.db"):
                index.unlink()


async def old_copy(system: System, _: random.Random, copies: Path) -> None:
    """Streams are put back from a copy, the rest of the broker's store is not."""
    _broker_down(system)
    for stream in STREAMS:
        target = _store(system) / "streams" / stream
        shutil.rmtree(target)
        shutil.copytree(copies / "streams" / stream, target)


async def power_cut(system: System, _: random.Random, __: Path) -> None:
    """A server that syncs every two minutes loses its whole store, streams and all."""
    _broker_down(system)
    shutil.rmtree(_store(system))


DISASTERS: Final[dict[str, Disaster]] = {
    "deleted": deleted,
    "emptied": emptied,
    "rotten": rotten,
    "old_copy": old_copy,
    "power_cut": power_cut,
}


def _store(system: System) -> Path:
    return system.processes.broker.store / "jetstream" / "AMENDS"


def _broker_down(system: System, *, in_order: bool = False) -> None:
    system.kept_down.add("broker")
    process = system.processes.broker.process
    if in_order and process is not None:
        process.send_signal(signal.SIGINT)
        process.wait()
    system.kill("broker")


class _connected:  # noqa: N801 it reads as a function
    """A connection as the services have it."""

    def __init__(self, system: System) -> None:
        environment = system.processes.environment
        self._url = system.processes.broker.url
        self._seed = Path(environment["AMENDS_NATS_CREDENTIALS"]).read_text().strip()

    async def __aenter__(self) -> Any:
        self._client = await nats.connect(self._url, nkeys_seed_str=self._seed)
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


async def suffered(
    system: System, load: Load, chance: random.Random, disaster: Disaster, copies: Path
) -> None:
    """Have one disaster, with somebody who has not read yet; all are back up then."""
    await load.offer(RATE, QUIET)
    reader = chance.choice(READERS)
    shutil.rmtree(copies, ignore_errors=True)
    shutil.copytree(_store(system), copies, ignore_dangling_symlinks=True)
    system.kept_down.add(reader)
    system.kill(reader)
    await load.offer(RATE, WAITING)
    if reader != "intake":
        await load.settled()
    await disaster(system, chance, copies)
    system.kept_down.clear()

    async def all_up() -> bool:
        return all(
            [await asyncio.to_thread(system.up, name) for name in system.victims]
        )

    assert await until(all_up, DRAIN), "not all came up"


async def reconciled(system: System) -> dict[str, Any]:
    """Run the verb beside the services."""
    done = await asyncio.to_thread(
        system.processes.cli.run, "reconcile", "--json", check=False
    )
    if done.returncode:
        print(done.stderr)
        return {"sound": False, "streams": []}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def run(folder: Path, given: Options) -> tuple[Verdict, int, float]:
    chance = random.Random(given.seed)
    whole, missing, repair = Verdict(), 0, 0.0
    drain = {"drain": CONTROL_DRAIN} if given.control else {}
    for number in range(1 if given.control else ROUNDS[given.size]):
        for name, disaster in DISASTERS.items():
            place = folder / f"{number}-{name}"
            place.mkdir()
            async with System.running(place) as system:
                load = Load(system, chance)
                async with load.open():
                    await suffered(system, load, chance, disaster, place / "copy")
                    begun = time.monotonic()
                    found = {} if given.control else await reconciled(system)
                    verdict = await judged(system, load, **drain)
                    repair = max(repair, time.monotonic() - begun)
                    if not given.control:
                        again = await reconciled(system)
                        verdict.drained &= bool(again["sound"])
            missing += sum(each["missing"] for each in found.get("streams", ()))
            print(name, *(line_of(each) for each in found.get("streams", ())))
            print(*verdict.told(), sep="\n", flush=True)
            whole = whole + verdict
            shutil.rmtree(place)
    return whole, missing, repair


def line_of(found: dict[str, Any]) -> str:
    return f"{found['stream']}:{found['action']}({found['missing']} missing)"


def main(given: Options) -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        verdict, missing, repair = asyncio.run(run(Path(folder), given))
    rounds = 1 if given.control else ROUNDS[given.size]
    figures: dict[str, object] = {
        "disasters": rounds * len(DISASTERS),
        **verdict.figures(),
        "missing_before": missing,
        "repair_seconds": round(repair, 1),
        "drained": "yes" if verdict.drained else "no",
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P17", figures))
    return KEPT if verdict.kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
