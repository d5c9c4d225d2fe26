"""P15: it can be upgraded and rolled back without a pause.

Two processes of each service on PostgreSQL, complaints all the while. They begin with
the code of a commit before this one, are replaced one of each service after the other
until all are of this one, and then go back to the old one. At last they are upgraded to
a release that writes a version of an event which the old ones do not know: those hold
it, and what they held is there once all are upgraded. A customer's program that finds
one process not listening turns to the other; any other failure counts as refused.
The control is an old release that guesses what a newer event means.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from bench.line import BROKEN, KEPT, line, options
from services.building import SERVICES
from tests.faults.load import Load, complaint
from tests.faults.system import System, until
from tests.faults.verdict import judged
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from bench.line import Options
    from tests.faults.load import Attempt

ROOT: Final = Path(__file__).parents[2]
RATE: Final = {"ci": 5.0, "night": 20.0}
BETWEEN: Final = {"ci": 1.0, "night": 150.0}
"""Seconds of each state: mixed, all new, all old, mixed with the version not known."""
FIRST: Final = SERVICES
SECOND: Final = tuple(f"{name} 2" for name in SERVICES)


class Customers(Load):
    """Senders who turn to the next process where one does not listen, and to no other.

    As the shipped proxy does they connect anew for each complaint. `turned_away` counts
    what they got instead of a receipt.
    """

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        self.turned_away: Counter[str] = Counter()
        self._anew = httpx.AsyncClient(
            timeout=60,  # a slow machine refuses nobody
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        async with self._anew, super().open():
            yield

    async def _by_http(self, attempt: Attempt) -> bool:
        doors, why = self.system.urls("intake"), ""
        for turn in range(len(doors)):
            door = doors[(attempt.number + turn) % len(doors)]
            attempt.sent += 1
            try:
                answer = await self._anew.post(
                    f"{door}/api/intake/complaints",
                    json=complaint("web", attempt.number),
                    headers={"Idempotency-Key": attempt.key},
                )
            except httpx.ConnectError:
                why = "nobody listens"  # nothing was sent
                continue
            except httpx.TransportError as error:
                why = type(error).__name__
                break
            if attempt.answer(answer.status_code, answer.json()):
                return True
            why = str(answer.status_code)
            break
        self.turned_away[why] += 1
        return False


class Release:
    """Where the code of a release lies, and what is done to it first."""

    def __init__(self, path: Path, doctored: str = "") -> None:
        self.path, self.doctored = path, doctored

    @property
    def program(self) -> tuple[str, ...]:
        code = [f"import sys; sys.path[0] = {str(self.path)!r}"]
        if self.doctored:
            newer = str(Path(__file__).with_name("newer.py"))
            code.append(f"import runpy; runpy.run_path({newer!r})[{self.doctored!r}]()")
        code.append("from services.cli import main; main()")
        return (sys.executable, "-c", "; ".join(code))


async def rolled(system: System, names: Collection[str], release: Release) -> int:
    """Replace processes as an upgrade does; give how many did not end in order."""
    parts = [system.processes.parts[name] for name in names]
    system.kept_down.update(names)
    ended = []
    for part in parts:
        assert part.process is not None
        part.process.send_signal(signal.SIGTERM)
        ended.append(asyncio.to_thread(part.process.wait, 60))
    statuses = await asyncio.gather(*ended)
    for part in parts:
        part.process, part.program = None, release.program
    system.kept_down.difference_update(names)
    for name in names:

        async def answers(name: str = name) -> bool:
            return await asyncio.to_thread(system.up, name)

        assert await until(answers, 90), f"{name} does not start"
    return sum(status != 0 for status in statuses)


async def waiting(system: System, reason: str) -> int:
    """Count what followers keep aside for a reason, as their health tells."""
    found = 0
    for service in ("intake", "handling", "analytics"):
        told = await system.ask(service, "/health/ready")
        detail = told["checks"][f"{service}.consumer"]["detail"]
        counts = dict(pair.split("=") for pair in detail.split() if "=" in pair)
        found += int(counts.get(reason, 0))
    return found


async def rows_differ(system: System) -> bool:
    """Have analytics make its rows anew; tell whether the live ones were others."""
    await system.post("analytics", "/api/analytics/rebuild")

    async def done() -> bool:
        told = await system.ask("analytics", "/api/analytics/rebuild")
        return bool(told["state"] != "running")

    assert await until(done, 60)
    told = await system.ask("analytics", "/api/analytics/rebuild")
    return bool(told["equal"] is not True)


async def run(folder: Path, given: Options, old: Release, pg: Any) -> dict[str, object]:
    new, unknown = Release(ROOT), Release(ROOT, "knowing")
    if given.control:
        old.doctored = "guessing"
    pause = BETWEEN[given.size]
    chance = random.Random(given.seed)
    rough, restarts = 0, len((*FIRST, *SECOND))
    programs = dict.fromkeys((*FIRST, *SECOND), old.program)
    async with System.running(folder, postgres=pg, each=2, doctored=programs) as system:
        load = Customers(system, chance)
        async with load.open():
            offering = asyncio.create_task(load.offer(RATE[given.size], 36_000))
            steps: Sequence[tuple[str, Collection[str], Release]] = (
                ("mixed", SECOND, new),
                ("all new", FIRST, new),
                ("mixed", SECOND, old),
                ("all old", FIRST, old),
            )
            for what, names, release in steps if not given.control else ():
                rough += await rolled(system, names, release)
                restarts += len(names)
                print(f"  {what}: offered={len(load.attempts)}", flush=True)
                await asyncio.sleep(pause)
            unreadable = await waiting(system, "newer") + await waiting(
                system, "poison"
            )

            rough += await rolled(system, ("handling", "handling 2"), unknown)

            async def held_some() -> bool:
                return given.control or await waiting(system, "newer") > 0

            came = await until(held_some, 30)
            await asyncio.sleep(pause)
            offering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await offering
            await load.settled()
            held, quarantined = (
                await waiting(system, "newer"),
                await waiting(system, "poison"),
            )
            print(f"  a version not known: held={held} quarantined={quarantined}")
            followers = [
                name for name in system.processes.parts if "handling" not in name
            ]
            rough += await rolled(system, followers, unknown)
            verdict = await judged(system, load)
            left = await waiting(system, "newer") + await waiting(system, "poison")
            wrong = await rows_differ(system)
    print(*verdict.told(), sep="\n")
    if load.turned_away:
        print(f"  turned away: {dict(load.turned_away)}")
    kept = (
        verdict.kept
        and came
        and not any((unreadable, quarantined, left, wrong, load.turned_away, rough))
    )
    figures = verdict.figures()
    return {
        "restarts": restarts,
        "offered": figures["offered"],
        "acked": figures["acked"],
        "lost": figures["lost"],
        "unreadable": unreadable + quarantined + left,
        "refused": load.turned_away.total(),
        "held": held,
        "released": held - left,
        "rows_differ": int(wrong),
        "duplicates": figures["duplicates"],
        "rough_ends": rough,
        "kept": kept,
    }


def unpacked(revision: str | None, folder: Path) -> tuple[str, Release] | None:
    """Take the code of a commit out of the history; None where there is none."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None

    def said(*arguments: str) -> bytes:
        return subprocess.run(
            [git, "-C", str(ROOT), *arguments], capture_output=True, check=True
        ).stdout

    try:
        # Before the last change of what is stored and published.
        changed = said("rev-list", "-1", "HEAD", "--", "events").decode().strip()
        name = said("rev-parse", "--short", revision or f"{changed}^").decode().strip()
        packed = said("archive", name, "events", "services")
    except subprocess.CalledProcessError:
        return None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return name, Release(folder)


def main(given: Options, revision: str | None) -> int:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "old").mkdir()
        found = unpacked(revision, place / "old")
        if found is None:
            print(line("P15", {"skipped": "no history: there is no release before"}))
            return KEPT
        name, old = found
        (place / "run").mkdir()
        with postgres_server(fsync=True) as pg:
            figures = asyncio.run(run(place / "run", given, old, pg))
    kept = figures.pop("kept")
    seconds = {"seconds": round(time.monotonic() - begun), "seed": given.seed}
    print(line("P15", {"old": name, **figures, **seconds}))
    return KEPT if kept else BROKEN


def _asked() -> tuple[Options, str | None]:
    """Read `--old REVISION` beside what every promise takes."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--old")
    known, rest = parser.parse_known_args()
    return options(__doc__.partition("\n")[0], rest), known.old


if __name__ == "__main__":
    sys.exit(main(*_asked()))
