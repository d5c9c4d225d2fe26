"""P5: when amends cannot keep a complaint, it says so.

First every flush and many writes of intake's process fail, one in each run, until a run
is left untouched. Then complaints come in to a whole amends while the flushes of each
service and of the broker fail, the disks of both are full, the broker is down, and, on
PostgreSQL, the database. Nobody may hold a receipt that is not kept, and a process whose
flush failed must end. The control is a store that takes a failed commit for done.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.line import BROKEN, KEPT, line, options
from services.kernel.store.sqlite import HALTED
from tests.faults.counted import Points, every_failure
from tests.faults.injected import FLUSH, Fault, injected, missing, struck
from tests.faults.load import Load
from tests.faults.system import System, until
from tests.faults.verdict import Verdict, judged
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.line import Options

STRIDE: Final = {"ci": 40, "night": 1}
"""Each so many-th write fails."""
LASTS: Final = {"ci": 3.0, "night": 30.0}
"""Seconds that an outage lasts."""
RATE: Final = 20.0
SERVICES: Final = ("intake", "handling", "analytics")
WRITES: Final = "write,pwrite64"
DISK: Final = 64 << 20
_NEWNS, _PRIVATE, _DETACH = 0x20000, 1 << 18 | 1 << 14, 2


class Faults:
    """The faults that a whole amends is put through, one after the other."""

    def __init__(self, system: System, load: Load, folder: Path, lasts: float) -> None:
        self._system, self._load = system, load
        self._folder, self._lasts = folder, lasts
        self.points = 0
        self.silent: list[str] = []
        """Faults after which a process did not end that should have."""

    async def flushes(self) -> None:
        """Fail a flush of each service: it ends, and is started again."""
        for name in SERVICES:
            await self._answers(name)
            told, dead = self._folder / f"{name}.calls", len(self._system.ended)
            with injected(self._system.pid(name), Fault(FLUSH, "EIO", "1"), told):

                async def ended(dead: int = dead, name: str = name) -> bool:
                    return (name, HALTED) in self._system.ended[dead:]

                if not await until(ended, 60) and struck(told):
                    self.silent.append(f"{name}: {struck(told)[:3]}")
            self.points += bool(struck(told))

    async def broker(self) -> None:
        """Fail its flushes, then fill its disk, then take it away."""
        for number, fault in enumerate(
            (Fault(FLUSH, "EIO", "1+"), Fault(WRITES, "ENOSPC", "1+"))
        ):
            await self._answers("broker")
            told = self._folder / f"broker.{number}.calls"
            with injected(self._system.pid("broker"), fault, told):
                await asyncio.sleep(self._lasts)
            self.points += bool(struck(told))
            self._system.kill("broker")  # as one does whose disk has room again
        self._system.kept_down.add("broker")
        self._system.kill("broker")
        await asyncio.sleep(self._lasts)
        self._system.kept_down.clear()
        self.points += 1

    async def full(self, disk: Path) -> None:
        """Leave the services no room, then some; nobody is started again."""
        ballast = disk / "ballast"
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError), ballast.open("ab", 0) as file:
                while True:
                    file.write(bytes(size))
        await asyncio.sleep(self._lasts)
        ballast.unlink()
        self.points += 1

    async def database(self) -> None:
        """Take PostgreSQL away."""
        self._system.kept_down.add("postgres")
        self._system.kill("postgres")
        await asyncio.sleep(self._lasts)
        self._system.kept_down.clear()
        self.points += 1

    async def _answers(self, name: str) -> None:
        async def answers() -> bool:
            return await asyncio.to_thread(self._system.up, name)

        await until(answers, 60)


async def on_sqlite(folder: Path, given: Options) -> tuple[Faults, Load, Verdict]:
    disk = folder / "data"
    disk.mkdir()
    with own_disk(disk) as room:
        return await _on_sqlite(folder, disk if room else None, given)


async def _on_sqlite(
    folder: Path, disk: Path | None, given: Options
) -> tuple[Faults, Load, Verdict]:
    async with System.running(folder) as system:
        load = Load(system, random.Random(given.seed))
        faults = Faults(system, load, folder, LASTS[given.size])
        async with load.open():
            with offering(load):
                await asyncio.sleep(1)
                await faults.flushes()
                await faults.broker()
                if disk is not None:
                    await faults.full(disk)
                await asyncio.sleep(1)
            return faults, load, await judged(system, load)


async def on_postgres(
    folder: Path, given: Options, **how: Any
) -> tuple[Faults, Load, Verdict]:
    async with System.running(folder, **how) as system:
        load = Load(system, random.Random(given.seed))
        faults = Faults(system, load, folder, LASTS[given.size])
        async with load.open():
            with offering(load):
                await asyncio.sleep(1)
                await faults.database()
                await asyncio.sleep(1)
            return faults, load, await judged(system, load)


@contextlib.contextmanager
def offering(load: Load) -> Iterator[None]:
    """Have complaints come in while the block runs."""
    task = asyncio.create_task(load.offer(RATE, 3_600))
    try:
        yield
    finally:
        task.cancel()


@contextlib.contextmanager
def own_disk(folder: Path) -> Iterator[bool]:
    """Put a small disk under the folder, which nobody else sees and which ends with us."""
    libc = ctypes.CDLL(None)
    target, size = str(folder).encode(), f"size={DISK}".encode()
    made = (
        os.geteuid() == 0
        and libc.unshare(_NEWNS) == 0
        and libc.mount(b"none", b"/", None, _PRIVATE, None) == 0
        and libc.mount(b"tmpfs", target, b"tmpfs", 0, size) == 0
    )
    try:
        yield made
    finally:
        if made:
            libc.umount2(target, _DETACH)


def main(given: Options) -> int:
    begun = time.monotonic()
    if reason := missing():
        print(line("P5", {"skipped": reason, "seed": given.seed}))
        return KEPT
    points = Points()
    every_failure(points, stride=STRIDE[given.size], control=given.control)
    both, verdict = [], Verdict()
    if not given.control:
        with tempfile.TemporaryDirectory() as name:
            both.append(asyncio.run(on_sqlite(Path(name), given)))
        with tempfile.TemporaryDirectory() as name, postgres_server(fsync=True) as pg:
            both.append(asyncio.run(on_postgres(Path(name), given, postgres=pg)))
    silent, unasked = [], 0
    for faults, load, found in both:
        verdict += found
        silent += faults.silent
        unasked += sum(
            count
            for answer, count in load.answers.items()
            if answer.startswith("500") or answer == "no Retry-After"
        )
        print(*sorted(map(str, load.answers.items())), sep=" ")
        print(*found.told(), sep="\n")
    for fault in (*points.faults[:10], *silent):
        print(fault)
    false = points.false_receipts + (verdict.whole.lost.total if both else 0)
    figures = {
        "points": points.tried + sum(each.points for each, _, _ in both),
        "false_receipts": false,
        "integrity": f"{points.whole}/{points.tried}",
        "halted": points.halted,
        "went_on": points.went_on + len(silent),
        "refused": points.refused
        + sum(
            count
            for _, load, _ in both
            for answer, count in load.answers.items()
            if answer.startswith("503")
        ),
        "without_503": unasked,
        "offered": verdict.offered,
        "acked": verdict.acked,
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P5", figures))
    kept = (
        not false
        and points.whole == points.tried
        and not points.went_on
        and not silent
        and not unasked
        and (verdict.kept if both else False)
    )
    return KEPT if kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
