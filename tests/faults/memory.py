"""How much memory and processor each process of a system takes, looked at as it runs."""

from __future__ import annotations

import asyncio
import csv
import os
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.plot import lines_svg

if TYPE_CHECKING:
    from tests.faults.system import System

PROC: Final = Path("/proc")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Watch:
    """Samples of every process; by name, (seconds, MB) in the order of time."""

    system: System
    every: float
    memory: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    processor: dict[str, float] = field(default_factory=dict)
    """Seconds of a processor that each has taken so far."""

    async def run(self) -> None:
        """Look until cancelled."""
        begun = time.monotonic()
        while True:
            for name, victim in self.system.victims.items():
                if victim.process is None:
                    continue
                try:
                    self._look(name, victim.process.pid, time.monotonic() - begun)
                except OSError:  # it ended in between
                    continue
            await asyncio.sleep(self.every)

    def _look(self, name: str, pid: int, seconds: float) -> None:
        resident = int((PROC / str(pid) / "statm").read_text().split()[1])
        self.memory[name].append((seconds, resident * _PAGE / 1e6))
        told = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        self.processor[name] = (int(told[11]) + int(told[12])) / _TICK

    def growth(self, begin: float, end: float) -> dict[str, float]:
        """Say by how many MB each grew from the first fifth of a time to its last."""
        fifth = (end - begin) / 5
        found = {}
        for name, samples in self.memory.items():
            first = [mb for at, mb in samples if begin <= at <= begin + fifth]
            last = [mb for at, mb in samples if end - fifth <= at <= end]
            if first and last:
                found[name] = statistics.median(last) - statistics.median(first)
        return found

    def write(self, folder: Path, name: str) -> None:
        """Write `<name>.csv` and `<name>.svg`."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("process", "seconds", "megabytes"))
            for process, samples in self.memory.items():
                rows.writerows(
                    (process, f"{at:.1f}", f"{mb:.1f}") for at, mb in samples
                )
        (folder / f"{name}.svg").write_text(
            lines_svg(
                "Memory of each process", self.memory, across="seconds", upwards="MB"
            ),
            encoding="utf-8",
        )
