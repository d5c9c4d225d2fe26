"""End to end: from a submission on the bus, or in a batch, to the analytics commit.

Three `amends run` processes on SQLite, with vault, ledger, access checks and a broker
that syncs always, take turns with the bare pipeline and with the textbook's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.checking import check
from bench.latency import steady
from bench.lives import Lives
from bench.loading import offer
from bench.measuring import Absent
from bench.offered import Lot, Offered
from bench.pipelines.running import Yardstick
from bench.processes import SERVICES, Amends, cpu_of
from bench.singles import singles
from bench.syncs import counted
from bench.workload import Workload
from services.kernel.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.measuring import Run
    from bench.processes import Pipeline

COMPLAINTS: Final = 1_500
QUICK: Final = 100
SATURATING: Final = 5_000
QUICK_SATURATING: Final = 400
LIVES: Final = 500
QUICK_LIVES: Final = 40
_LOOK: Final = 0.01
_ROWS: Final = (
    ("intake", "stored_events"),
    ("intake", "submission"),
    ("intake", "blind_mark"),
    ("handling", "stored_events"),
    ("handling", "work_list"),
    ("handling", "inbox_case"),
    ("analytics", "complaint_row"),
    ("analytics", "log_position"),
    ("analytics", "inbox_case"),
)
"""Tables of which the bare pipeline must write as many rows as amends."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Complaints a second, and seconds of CPU that each has cost, by process."""

    rate: float
    cpu: Mapping[str, float]

    @property
    def cost(self) -> float:
        return sum(self.cpu.values())


def measure(run: Run) -> None:
    workload = Workload(run.seed, system_clock() - timedelta(hours=1))
    offered = Offered(workload)
    with ExitStack() as running:
        run.say("starting")
        amends = running.enter_context(Amends(run.folder / "amends").running())
        with ExitStack() as beside:
            found = _beside(run, amends, offered, beside)
        batches = run.turns({"batch": partial(_by_batch, run, amends, offered)})
        syncs = _syncs(run, amends, offered)
        capacity = statistics.median(turn.rate for turn in found["amends"])
        steady(run, amends, offered, capacity)
        singles(run, amends, offered)
        lives = offered.received[: QUICK_LIVES if run.quick else LIVES]
        commands = Lives(run, amends, offered.oracle).live(workload, lives)
        amends.quiet()
        check(run, amends, offered.oracle)
    _give(run, found, batches["batch"])
    run.figure("e2e/commands_rate", [commands], unit="commands/s")
    for name, each in syncs.items():
        run.figure(f"fsyncs/{name}", [each], unit="for each", better="lower")


def _beside(
    run: Run, amends: Amends, offered: Offered, running: ExitStack
) -> dict[str, list[Turn]]:
    """Take turns with the yardsticks, which have come to the same afterwards."""
    bare, textbook = (
        running.enter_context(Yardstick(name, run.folder / name).running())
        for name in ("bare", "textbook")
    )
    arms: dict[str, Pipeline] = {"amends": amends, "bare": bare, "textbook": textbook}
    lots: list[Lot] = []
    found = run.turns(
        {name: _by_the_bus(run, arm, offered, lots) for name, arm in arms.items()},
        warm=True,
    )
    for name, arm in arms.items():
        run.agree(f"cases of {name}", arm.committed(), len(offered.received))
    for stage, table in _ROWS:
        store = "facts" if stage == "analytics" else "store"
        query = f"SELECT COUNT(*) FROM {table}"  # noqa: S608 our own names
        ((rows,),) = amends.rows(f"{stage}/{store}", query)
        run.agree(f"rows of {table}", bare.count(stage, table), rows)
    return found


def _by_the_bus(
    run: Run, arm: Pipeline, offered: Offered, lots: list[Lot]
) -> Callable[[], Turn]:
    """Give what offers this arm the same messages as the others have in a turn."""
    turns = itertools.count()

    def turn() -> Turn:
        number = next(turns)
        while len(lots) <= number:
            lots.append(offered.draw(QUICK if run.quick else COMPLAINTS))
        return asyncio.run(taken(arm, lots[number]))

    return turn


async def taken(arm: Pipeline, lot: Lot) -> Turn:
    """Offer messages as fast as they are taken, until analytics has the last."""
    client = await arm.connect()
    expected = arm.committed() + len(lot.worth)
    before = cpu_of(arm)
    begun = time.perf_counter()
    await offer(client, lot.messages, lot.worth)
    while arm.committed() < expected:
        arm.programs.require_alive()
        await asyncio.sleep(_LOOK)
    took = time.perf_counter() - begun
    await client.close()
    return Turn(len(lot.worth) / took, _cost(arm, before, len(lot.worth)))


def _by_batch(run: Run, amends: Amends, offered: Offered) -> Turn:
    lot = offered.draw(QUICK if run.quick else COMPLAINTS, by_bus=False)
    body = b"".join(
        json.dumps(
            {"channel": each.channel, "idempotency_key": each.key, **each.document}
        ).encode()
        + b"\n"
        for each in lot.messages
    )
    expected = amends.committed() + len(lot.worth)
    before = cpu_of(amends)
    with amends.client("intake") as client:
        begun = time.perf_counter()
        answer = client.post(
            "/api/intake/complaints:batch",
            content=body,
            headers={"Content-Type": "application/x-ndjson"},
        )
    results = [json.loads(line) for line in answer.read().splitlines()]
    run.agree("answers", [result["status"] for result in results], lot.answers)
    while amends.committed() < expected:
        amends.programs.require_alive()
        time.sleep(_LOOK)
    took = time.perf_counter() - begun
    return Turn(len(lot.worth) / took, _cost(amends, before, len(lot.worth)))


def _cost(arm: Pipeline, before: Mapping[str, float], count: int) -> dict[str, float]:
    """Give what each complaint has cost, with all that followed from it."""
    arm.quiet()
    return {name: (spent - before[name]) / count for name, spent in cpu_of(arm).items()}


def _syncs(run: Run, amends: Amends, offered: Offered) -> dict[str, float]:
    """Count the syncs of each process for a complaint, in a run of its own."""
    lot = offered.draw(QUICK_SATURATING if run.quick else SATURATING)
    try:
        with counted(amends.pids(), run.folder) as counts:
            asyncio.run(taken(amends, lot))
    except Absent as reason:
        for name in SERVICES:
            run.skip(f"fsyncs/{name}", str(reason))
        asyncio.run(taken(amends, lot))
        return {}
    return {name: count / len(lot.worth) for name, count in counts.items()}


def _give(
    run: Run, found: Mapping[str, Sequence[Turn]], batches: Sequence[Turn]
) -> None:
    rates = {name: [turn.rate for turn in turns] for name, turns in found.items()}
    costs = {name: [turn.cost for turn in turns] for name, turns in found.items()}
    for name in ("bare", "textbook"):
        run.ratio(f"e2e/{name}", rates["amends"], rates[name])
        run.ratio(f"e2e/{name}_cpu", costs[name], costs["amends"])
    for name, turns in {**found, "batch": batches}.items():
        run.figure(f"e2e/{name}_rate", [t.rate for t in turns], unit="complaints/s")
        for process in (*SERVICES, "broker"):
            spent = [1e6 * turn.cpu[process] for turn in turns]
            run.figure(f"e2e/{name}_{process}", spent, unit="µs", better="lower")
