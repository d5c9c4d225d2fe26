"""P2: a complaint whose receipt number you hold is never lost by a power cut.

On a disk that forgets what nobody made durable lie the databases, keys and files of the
services, and nats-server's. Complaints come in, the power is cut for all of them at once,
what was durable comes back. Before that the same with a store alone and a broker alone;
the control has these two without their protection, and both must lose.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats

from bench.line import BROKEN, KEPT, line, options
from services.kernel.broker.server import find_binary
from services.kernel.store.database import open_database
from tests.faults.forgetting import Disk, absent
from tests.faults.load import Load
from tests.faults.system import System, until
from tests.faults.verdict import Verdict, judged
from tests.support.children import dying_with_us
from tests.support.processes import until_answers
from tests.support.records import Record
from tests.support.running import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.line import Options

CUTS: Final = {"ci": 3, "night": 100}
RATE: Final = 20.0
BETWEEN: Final = (3.0, 7.0)
"""Seconds of complaints before a cut."""
ACKED: Final = 300
"""Commits of the store alone, and messages of the broker alone, before a cut."""
SYNC: Final = {"always": "sync_interval: always", "default": ""}


@contextlib.contextmanager
def forgetful() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder))
        disk.mount()
        try:
            yield disk
        finally:
            disk.end()


# --------------------------------------------------------------------- a store alone


def append(path: str, synchronous: str) -> None:
    """Commit one event after the other, and say each time that it is done."""
    database: Any = open_database(f"sqlite:///{path}", schema="store")
    if synchronous:
        database._writer.execute(f"PRAGMA synchronous={synchronous}")
    record = Record(database)
    while True:
        record.write(1)
        print(record.store.last_position(), flush=True)


def lost_by_store(chance: random.Random, synchronous: str = "") -> int:
    """Count the commits that were answered for and are gone after a cut."""
    with forgetful() as disk:
        path = disk.path / "store.sqlite"
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.p02", "--append", path, synchronous],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
        )
        assert child.stdout is not None
        wanted = chance.randint(ACKED // 2, ACKED)
        acked = next(int(told) for told in child.stdout if int(told) >= wanted)
        disk.cut()
        child.kill()
        acked = max([acked, *map(int, child.stdout.read().split())])
        child.wait()
        disk.come_back()
        return acked - _stored(path)


def _stored(path: Path) -> int:
    """Count what is there; a database without its tables has nothing."""
    database = open_database(f"sqlite:///{path}", schema="store")
    try:
        with database.read() as tx:
            found = tx.fetchone("SELECT COUNT(*) FROM stored_events")
            return found[0] if found else 0
    except Exception:  # noqa: BLE001 whatever is wrong with it, it is no longer a store
        return 0
    finally:
        database.close()


# -------------------------------------------------------------------- a broker alone


async def lost_by_broker(chance: random.Random, sync: str = "always") -> int:
    """Count the messages that were acknowledged and are gone after a cut."""
    with forgetful() as disk:
        monitor, port = free_port(), free_port()
        config = disk.path.parent / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{port}"\nhttp: "127.0.0.1:{monitor}"\n'
            f'jetstream {{ store_dir: "{disk.path}"\n{SYNC[sync]} }}\n'
        )
        with _broker(config, monitor) as server:
            acked = await _published(port, chance.randint(ACKED // 2, ACKED))
            disk.cut()
            server.kill()
        disk.come_back()
        with _broker(config, monitor):
            return acked - await _kept(port)


@contextlib.contextmanager
def _broker(config: Path, monitor: int) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen(
        [find_binary(), "-c", str(config)],
        stderr=subprocess.DEVNULL,
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
    )
    try:
        until_answers(f"http://127.0.0.1:{monitor}/varz")  # it may not be healthy
        yield server
    finally:
        server.kill()
        server.wait()


async def _published(port: int, messages: int) -> int:
    client = await nats.connect(f"nats://127.0.0.1:{port}", error_cb=_quiet)
    stream = client.jetstream()
    await stream.add_stream(name="KEPT", subjects=["kept"])
    for number in range(messages):
        await stream.publish("kept", f"{number:500}".encode())
    await client.close()
    return messages


async def _kept(port: int) -> int:
    client = await nats.connect(f"nats://127.0.0.1:{port}", error_cb=_quiet)
    try:
        found = await client.jetstream().stream_info("KEPT")
    except nats.js.errors.APIError:
        return 0
    finally:
        await client.close()
    return found.state.messages


async def _quiet(_: Exception) -> None:
    """Say nothing of the cuts that are made here."""


# ---------------------------------------------------------------------- all of amends


async def cut(system: System, disk: Disk) -> None:
    """Take the power from disk and processes; then start again what was durable."""
    system.kept_down |= system.victims.keys()
    disk.cut()
    for name in system.victims:
        system.kill(name)
    await asyncio.to_thread(disk.come_back)
    system.kept_down.clear()
    for name in system.victims:

        async def answers(name: str = name) -> bool:
            return await asyncio.to_thread(system.up, name)

        await until(answers, 60)


async def run(disk: Disk, chance: random.Random, cuts: int) -> Verdict:
    async with System.running(disk.path) as system:
        disk.settle()  # the broker's configuration: an operator's file, no part of ours
        load = Load(system, chance)
        async with load.open():
            offering = asyncio.create_task(load.offer(RATE, 36_000))
            for _ in range(cuts):
                await asyncio.sleep(chance.uniform(*BETWEEN))
                await cut(system, disk)
            await asyncio.sleep(1)
            offering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await offering
            return await judged(system, load)


def kept(given: Options) -> int:
    """Cut the power; print what was lost by amends, by its store and by its broker."""
    begun, chance = time.monotonic(), random.Random(given.seed)
    alone = {
        "store_lost": lost_by_store(chance),
        "broker_lost": asyncio.run(lost_by_broker(chance)),
    }
    with forgetful() as disk:
        verdict = asyncio.run(run(disk, chance, CUTS[given.size]))
    print(*verdict.told(), sep="\n")
    figures = {"cuts": CUTS[given.size], **verdict.figures(), **alone}
    seconds = {"seconds": round(time.monotonic() - begun), "seed": given.seed}
    print(line("P2", figures | seconds))
    return KEPT if verdict.kept and not any(alone.values()) else BROKEN


def control(given: Options) -> int:
    """Cut the power where commits and messages are not waited for: all must lose."""
    begun, chance = time.monotonic(), random.Random(given.seed)
    lost = {
        "store_normal_lost": lost_by_store(chance, "NORMAL"),
        "store_off_lost": lost_by_store(chance, "OFF"),
        "broker_default_lost": asyncio.run(lost_by_broker(chance, "default")),
    }
    seconds = {"seconds": round(time.monotonic() - begun), "seed": given.seed}
    print(line("P2", {"cuts": len(lost), **lost, **seconds}))
    if not all(lost.values()):
        print("The control lost nothing: this test cannot fail.", file=sys.stderr)
    return BROKEN if any(lost.values()) else KEPT


def main(argv: Sequence[str] | None = None) -> int:
    given = options(__doc__.partition("\n")[0], argv)
    if reason := absent():
        print(f"P2 cannot be tried here: {reason}", file=sys.stderr)
        print(line("P2", {"skipped": reason, "seed": given.seed}))
        return KEPT
    return control(given) if given.control else kept(given)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--append"]:
        append(*sys.argv[2:4])
    raise SystemExit(main())
