"""P16: amends carries a country on two cores.

Complaints come in at the pace of a country's busiest hour, each with fifteen events,
then for a while five times as fast. Everything that got a receipt is a case with all of
its events, in every reader, soon after; memory is written down of each process. The
control holds one service still: what does not drain must be seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from bench.line import BROKEN, KEPT, line, options
from services.kernel.tasks import end
from tests.faults.load import PAUSE, Load
from tests.faults.memory import PROC, Watch
from tests.faults.sets import Sets, Tried, compared
from tests.faults.system import System
from tests.faults.verdict import counts
from tests.support.house import ACCEPT

if TYPE_CHECKING:
    from bench.line import Options
    from tests.faults.load import Attempt

RATE: Final = 20.0
BURST: Final = 100.0
SECONDS: Final = {"ci": (12.0, 2.0), "night": (1_800.0, 60.0)}
"""How long at the one rate, then at the other."""
DRAIN: Final = 300.0
CONTROL_DRAIN: Final = 8.0
GROWTH: Final = 200.0
"""MB by which a process may grow while the pace is steady."""
EVENTS: Final = 15
"""Of a case: received, accepted, assigned, and evidence."""
CLERKS: Final = 3
TOGETHER: Final = 10
"""Cases that a clerk works on in one request."""
BUILD: Final = Path("build")


class Country(Load):
    """Complaints at a pace, and clerks who do the rest of each case's work."""

    async def offer(self, rate: float, seconds: float) -> None:
        if not hasattr(self, "_to_do"):
            self._to_do: asyncio.Queue[str] = asyncio.Queue()
            self._clerks = [
                asyncio.create_task(self._clerk_works()) for _ in range(CLERKS)
            ]
        await super().offer(rate, seconds)

    async def _hand_in(self, attempt: Attempt) -> None:
        await self._sent(attempt, patience=DRAIN)
        if attempt.receipt is not None:
            self._to_do.put_nowait(attempt.receipt["case_id"])

    async def worked(self) -> None:
        """Wait until each complaint is answered and each case worked on."""
        await self.settled()
        await self._to_do.join()

    async def close(self) -> None:
        for clerk in self._clerks:
            await end(clerk)

    async def _clerk_works(self) -> None:
        while True:
            cases = [await self._to_do.get()]
            while len(cases) < TOGETHER and not self._to_do.empty():
                cases.append(self._to_do.get_nowait())
            undone = await self._worked_on(cases)
            for case in undone:
                self._to_do.put_nowait(case)
            for _ in cases:
                self._to_do.task_done()
            if undone:  # handling does not know them yet
                await asyncio.sleep(PAUSE)

    async def _worked_on(self, cases: list[str]) -> list[str]:
        """Give all commands of these cases; gives those that are not done."""
        lines = [each for case in cases for each in commands(case)]
        try:
            answer = await self._http.post(
                f"{self.system.url('handling')}/api/handling/commands:batch",
                content="\n".join(map(json.dumps, lines)),
                headers=self._clerk,
                timeout=60,
            )
        except httpx.TransportError:
            return cases
        if not answer.is_success:
            return cases
        failed = set()
        for each, asked in zip(answer.text.splitlines(), lines, strict=True):
            told = json.loads(each)
            case = str(asked["case_id"])
            if told["status"] == 200:
                self.commands[case] = told["version"]
            else:
                failed.add(case)
        return sorted(failed)


def commands(case: str) -> list[dict[str, Any]]:
    """Give the commands that make fifteen events of a case that was received."""
    first = {"case_id": case, "command": "accept", "with": ACCEPT}
    evidence = [
        {
            "case_id": case,
            "command": "add-evidence",
            "with": {"document": f"Photo {n}: it leaks. 漏水。", "source": "customer"},
        }
        for n in range(EVENTS - 3)
    ]
    return [
        {**each, "idempotency_key": f"{case} {n}"}
        for n, each in enumerate([first, *evidence])
    ]


@dataclass
class Outcome:
    """What became of it all."""

    attempts: list[Attempt]
    steady_until: float
    sets: dict[str, Sets] = field(default_factory=dict)
    events: int = 0
    duplicates: int = 0
    drained: float | None = None
    growth: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0
    lasted: float = 0.0

    @property
    def lost(self) -> int:
        return max((each.lost.total for each in self.sets.values()), default=0)

    @property
    def kept(self) -> bool:
        unexpected = sum(each.unexpected for each in self.sets.values())
        grown = max(self.growth.values(), default=0.0)
        return (
            self.drained is not None
            and not (self.lost or unexpected or self.duplicates)
            and all(each.receipt is not None for each in self.attempts)
            and grown <= GROWTH
        )

    def waited(self, *, steady: bool) -> list[float]:
        """Give the milliseconds from the time a complaint was due to its receipt."""
        return sorted(
            1e3 * (each.answered - each.due)
            for each in self.attempts
            if each.answered is not None and (each.due < self.steady_until) == steady
        )

    def figures(self) -> dict[str, object]:
        return {
            "offered": len(self.attempts),
            "acked": sum(each.receipt is not None for each in self.attempts),
            "asked_again": sum(each.sent - 1 for each in self.attempts),
            "lost": self.lost,
            "duplicates": self.duplicates,
            "events": self.events,
            "events_per_s": round(self.events / self.lasted) if self.lasted else 0,
            "receipt_p99_ms": _p99(self.waited(steady=True)),
            "burst_p99_ms": _p99(self.waited(steady=False)),
            "drained_s": "never" if self.drained is None else round(self.drained, 1),
            "growth_mb": round(max(self.growth.values(), default=0.0)),
            "cpu_percent": round(100 * self.cpu),
        }


def _p99(sorted_values: list[float]) -> object:
    if not sorted_values:
        return "none"
    return round(statistics.quantiles(sorted_values, n=100, method="inclusive")[98])


async def run(folder: Path, given: Options) -> Outcome:
    steady, burst = SECONDS[given.size]
    async with System.running(folder) as system:
        load = Country(system, random.Random(given.seed))
        watch = Watch(system, every=max(0.25, steady / 2_000))
        async with load.open():
            watching = asyncio.create_task(watch.run())
            begun = time.monotonic()
            stopped = system.pid("analytics") if given.control else None
            if stopped is not None:
                os.kill(stopped, signal.SIGSTOP)
            try:
                await load.offer(RATE, steady)
                outcome = Outcome(load.attempts, steady_until=time.monotonic())
                if not given.control:
                    await load.offer(BURST, burst)
                ended = time.monotonic()
                outcome.drained = await _drained(
                    system, load, CONTROL_DRAIN if given.control else DRAIN
                )
                outcome.lasted = time.monotonic() - begun
            finally:
                if stopped is not None:
                    os.kill(stopped, signal.SIGCONT)
                await end(watching)
                await load.close()
            outcome.growth = watch.growth(0, outcome.steady_until - begun)
            outcome.cpu = sum(watch.processor.values()) / (ended - begun)
            watch.write(BUILD, "p16-memory")
            await judge(system, load, outcome)
            return outcome


async def _drained(system: System, load: Country, within: float) -> float | None:
    """Wait until all is answered, worked on and read; give the seconds, None if never."""
    begun = time.monotonic()
    try:
        async with asyncio.timeout(within):
            await load.worked()
            while not await system.followed(within):
                pass
    except TimeoutError:
        return None
    return time.monotonic() - begun


async def judge(system: System, load: Country, outcome: Outcome) -> None:
    """Hold what intake, handling and analytics have against what was answered for."""
    tried = await load.asked_again()
    received = await _counted(system, "intake", "ComplaintReceived")
    handled = await _counted(system, "handling", None)
    whole = {case for case, count in handled.items() if count == EVENTS}
    counted = await counts(system)
    outcome.events = sum(received.values()) + sum(handled.values())
    outcome.duplicates = sum(count - 1 for count in received.values()) + max(
        0, counted - len(handled)
    )
    done = {case: Tried("clerk", n, True) for n, case in enumerate(load.commands)}
    outcome.sets = {
        "receipts": compared(tried, received),
        "cases": compared(tried, handled),
        "work": compared(done, whole & done.keys()),
        "figures": compared(
            {str(n): Tried("figures", n, True) for n in range(len(handled))},
            [str(n) for n in range(min(counted, len(handled)))],
        ),
    }


async def _counted(system: System, service: str, only: str | None) -> Counter[str]:
    """Count the events of each case in a record, which may be larger than memory."""
    found: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {system.token}"}
    async with (
        httpx.AsyncClient(timeout=300, trust_env=False) as http,
        http.stream(
            "GET", f"{system.url(service)}/api/{service}/log", headers=headers
        ) as answer,
    ):
        async for each in answer.aiter_lines():
            event = json.loads(each)["event"]
            if only is None or event["type"] == only:
                found[event["case_id"]] += 1
    return found


def main(given: Options) -> int:
    if not PROC.is_dir():
        print(line("P16", {"skipped": "no_proc", "seed": given.seed}))
        return KEPT
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(run(Path(folder), given))
    for name, sets in outcome.sets.items():
        print(f"  {name}: ok={sets.ok} lost={sets.lost} unexpected={sets.unexpected}")
    for name, grown in outcome.growth.items():
        print(f"  {name}: grew by {grown:.0f} MB while the pace was steady")
    print(line("P16", outcome.figures() | {"seed": given.seed}))
    return KEPT if outcome.kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
