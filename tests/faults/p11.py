"""P11: we can restore to any point.

Complaints come in and are worked on while a backup is taken, and go on for a while.
Then all services are stopped, the backup is restored, onto the broker's fuller streams
or onto empty ones, and all goes on. The record must be what had been published, or the
backup's own beginning of it; every reader must have every event, of before and after.
The control puts the backup's databases into the folder, as one who has no restore would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.line import BROKEN, KEPT, line, options
from services.backup.archive import Archive
from services.backup.broker import beside_running
from services.backup.reconciling import look
from services.backup.restoring import Restore
from services.backup.taking import take
from services.handling.main import default_policy
from services.kernel.clock import system_clock
from services.kernel.folder import DataFolder
from services.kernel.ledger.checkpoint import load_signer
from services.kernel.ledger.verify import verify
from services.kernel.record import SIGNING_KEY, origin
from services.kernel.settings import Settings
from services.kernel.store.database import open_database
from tests.faults.load import DEPARTMENT, Load
from tests.faults.system import System, until
from tests.faults.verdict import copies_of
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from bench.line import Options

RESTORES: Final = {"ci": (2, 2), "night": (14, 6)}
"""How many, on SQLite and on PostgreSQL; every other one onto empty streams."""
RATE: Final = 10.0
BEFORE: Final = (0.5, 3.0)
BEHIND: Final = (0.5, 2.5)
"""Seconds of load before the backup begins, and behind its end."""
AFTERWARDS: Final = 1.5
DRAIN: Final = 90.0
CONTROL_DRAIN: Final = 10.0
PAGE: Final = 500
LOOKED_AT: Final = 25
"""Customers whose status is compared with their case."""
_EPOCH: Final = re.compile(r'"epoch":"[0-9a-f]+",')
SERVICES: Final = ("intake", "handling", "analytics")


@dataclass
class Found:
    """What was wrong, over all restores."""

    restores: int = 0
    fuller: int = 0
    recovered: int = 0
    wrong: int = 0
    skipped: int = 0
    unverified: int = 0
    unequal: int = 0
    events: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        return not (self.wrong or self.skipped or self.unverified or self.unequal)


async def record(system: System, service: str) -> list[str]:
    """Read a whole record: position, instant and stored bytes, a line an event.

    Only the epoch is left out, which each restore replaces.
    """
    lines: list[str] = []
    after = 0
    while True:
        path = f"/api/{service}/log?after={after}&limit={PAGE}"
        answer = await system.post(service, path, method="GET")
        some = answer.text.splitlines()
        lines += (_EPOCH.sub("", each) for each in some)
        if len(some) < PAGE:
            return lines
        after = json.loads(some[-1])["position"]


def events(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(each)["event"] for each in lines]


async def stopped(system: System, chance: random.Random) -> None:
    """End the services, in order or as a crash does."""
    parts = [name for name in system.victims if name.split()[0] in SERVICES]
    system.kept_down.update(parts)
    for name in parts:
        if chance.random() < 0.5:
            system.kill(name)
        else:
            await asyncio.to_thread(system.processes.parts[name].stop)


async def started(system: System) -> None:
    """Have everything run again."""
    system.kept_down.clear()
    names = [name for name in system.victims if name != "postgres"]  # it never ended

    async def all_up() -> bool:
        return all([await asyncio.to_thread(system.up, name) for name in names])

    assert await until(all_up, DRAIN), "not all came up"


async def emptied(system: System) -> None:
    """Replace the broker by a new one."""
    system.kept_down.add("broker")
    system.kill("broker")
    shutil.rmtree(system.processes.broker.store)
    system.kept_down.discard("broker")
    await asyncio.sleep(0.2)
    await asyncio.to_thread(system.processes.broker.until_ready)


def settings_of(system: System) -> Settings:
    """Give what the services run with, for what the verbs call."""
    names = {f"AMENDS_{name.upper()}": name for name in Settings.model_fields}
    given = {
        names[variable]: value
        for variable, value in system.processes.cli.environment.items()
        if variable in names
    }
    return Settings(**given)  # type: ignore[arg-type] # pydantic reads texts


def quiet(_name: str, _done: int, _total: int) -> None:
    """Show nobody how far it is."""


async def backed_up(system: System, backup: Path, keys: Path) -> dict[str, Any]:
    """Do what `amends backup` does."""
    taken = await asyncio.to_thread(
        take, settings_of(system), backup, keys, now=system_clock(), progress=quiet
    )
    return taken.manifest


async def restored(system: System, backup: Path, keys: Path | None) -> int:
    """Do what `amends restore --replace` does; give how many events were recovered."""
    restore = Restore(settings_of(system), backup, keys, replace=True, staging=False)
    with contextlib.closing(restore):
        plan = restore.plan(quiet)
        restore.require_ready(plan)
        with restore.folder.held():
            done = await restore.run(plan, tuple(default_policy().departments), quiet)
    assert not done.register
    return sum(each.events for each in done.recovered)


async def sound(system: System) -> bool:
    """Do what `amends reconcile --dry-run` does."""
    settings = settings_of(system)
    folder = DataFolder(settings.data)
    async with beside_running(settings, folder) as client:
        return (await look(client, settings, folder)).sound


def verified(system: System) -> bool:
    """Do what `amends audit verify` does."""
    settings = settings_of(system)
    folder = DataFolder(settings.data)
    for name in ("intake", "handling", "access"):
        signer = load_signer(
            folder.path / name / SIGNING_KEY, origin(settings.tenant, name)
        )
        url = folder.database_url(name, "store", server=settings.database_url)
        with contextlib.closing(
            open_database(url, schema=name, read_only=True)
        ) as database:
            if not verify(database, signer.verifier).ok:
                return False
    return True


async def rebuilt(system: System) -> bool:
    """Have analytics make its rows anew beside the live ones; are they equal?"""
    path = "/api/analytics/rebuild"
    await system.post("analytics", path)

    async def done() -> bool:
        progress = await system.ask("analytics", path)
        return bool(progress["state"] != "running")

    await until(done, DRAIN)
    return bool((await system.ask("analytics", path))["equal"])


def by_hand(system: System, backup: Path) -> None:
    """Put the databases of a backup into the folder, as files."""
    archive = Archive(backup)
    data = system.processes.data
    with contextlib.closing(archive):
        for name in archive.members:
            kind, _, rest = name.partition("/")
            if kind == "stores":
                for ending in ("-wal", "-shm"):
                    (data / f"{rest}{ending}").unlink(missing_ok=True)
                archive.extract(name, data / rest)


async def one(
    system: System, chance: random.Random, folder: Path, found: Found, given: Options
) -> None:
    """Take one backup under load, restore it, go on, and compare."""
    fuller = given.control or found.restores % 2 == 0
    backup, keys = folder / "b.tar", folder / "k.tar"
    load = Load(system, chance)
    async with load.open():
        offering = asyncio.create_task(load.offer(RATE, 3_600))
        await asyncio.sleep(chance.uniform(*BEFORE))
        about = await backed_up(system, backup, keys)
        await asyncio.sleep(chance.uniform(*BEHIND))
        offering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await offering
        await load.settled()
        assert await system.followed(DRAIN), "not drained before the restore"
        before = {name: await record(system, name) for name in ("intake", "handling")}
        await stopped(system, chance)
        if not fuller:
            await emptied(system)
        if given.control:
            by_hand(system, backup)
        else:
            own = keys if chance.random() < 0.5 else None
            found.recovered += await restored(system, backup, own)
        await started(system)
        for name, lines in before.items():
            reach = len(lines) if fuller else about["records"][name]["events"]
            after = await record(system, name)
            if after != lines[:reach]:
                found.wrong += 1
                found.told.append(f"{name}: {len(after)} events, not {reach}")
        await load.offer(RATE, AFTERWARDS)
        await load.settled()
        await compared(system, load, chance, found, given)
    found.restores += 1
    found.fuller += fuller
    for path in (backup, keys):
        path.unlink()


async def compared(
    system: System, load: Load, chance: random.Random, found: Found, given: Options
) -> None:
    """Hold every reader against the records."""
    drain = CONTROL_DRAIN if given.control else DRAIN
    if not await system.followed(drain):
        found.told.append("not drained")
    received = events(await record(system, "intake"))
    handled = events(await record(system, "handling"))
    copies = copies_of(handled)
    found.events += len(handled)

    async def given_out() -> bool:
        return copies <= load.feed.keys()

    await until(given_out, drain)
    cases = {each["case_id"] for each in handled}
    skipped = {
        "handling": len({each["case_id"] for each in received} - cases),
        "department on the bus": len(copies - load.feed.keys()),
        "department over HTTP": len(copies ^ set(await over_http(system))),
        "customers": await customers(system, handled, chance),
    }
    if not given.control:
        skipped["streams"] = int(not await sound(system))
        found.unequal += not await rebuilt(system)
        found.unverified += not await asyncio.to_thread(verified, system)
    found.skipped += sum(skipped.values())
    found.told += [
        f"{name}: {count} skipped" for name, count in skipped.items() if count
    ]


async def over_http(system: System) -> list[str]:
    """Read the department's whole feed by its cursor."""
    ids: list[str] = []
    path = f"/api/handling/feed?department={DEPARTMENT}&limit={PAGE}"
    after = ""
    while True:
        page = await system.ask("handling", path + after)
        ids += (each["event_id"] for each in page["events"])
        after = f"&after={page['cursor']}"
        if not page["more"]:
            return ids


async def customers(
    system: System, handled: list[dict[str, Any]], chance: random.Random
) -> int:
    """Compare what customers are told with where their cases stand."""
    numbers = [
        each["data"]["receipt_no"]
        for each in handled
        if each["type"] == "ComplaintReceived"
    ]
    differing = 0
    for number in chance.sample(numbers, min(LOOKED_AT, len(numbers))):
        told = await system.ask("intake", f"/api/intake/complaints/{number}")
        case = await system.ask("handling", f"/api/handling/cases/{number}")
        differing += told["state"] != case["state"]
    return differing


async def run(
    place: Path, given: Options, restores: int, found: Found, **how: Any
) -> None:
    chance = random.Random(given.seed)
    async with System.running(place, **how) as system:
        for _ in range(restores):
            before = len(found.told)
            await one(system, chance, place, found, given)
            print(f"{found.restores}:", *(found.told[before:] or ["as it must be"]))
            sys.stdout.flush()


def main(given: Options) -> int:
    begun, found = time.monotonic(), Found()
    on_sqlite, on_postgres = (1, 0) if given.control else RESTORES[given.size]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), given, on_sqlite, found))
    if on_postgres:
        with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
            on_it = run(Path(folder), given, on_postgres, found, postgres=server)
            asyncio.run(on_it)
    figures = {
        "restores": found.restores,
        "fuller": found.fuller,
        "events": found.events,
        "recovered": found.recovered,
        "wrong": found.wrong,
        "skipped": found.skipped,
        "unverified": found.unverified,
        "unequal": found.unequal,
        "seconds": round(time.monotonic() - begun),
        "seed": given.seed,
    }
    print(line("P11", figures))
    return KEPT if found.kept else BROKEN


if __name__ == "__main__":
    sys.exit(main(options(__doc__.partition("\n")[0])))
