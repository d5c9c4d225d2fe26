"""The second machine takes over when the first is gone: nothing that was kept is lost."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from events import codec
from events.examples import EXAMPLES
from events.subjects import Stream
from services.backup import succeeding
from services.backup.broker import started_alone
from services.backup.streams import pages
from services.backup.succeeding import look, take_over
from services.handling.main import default_policy
from services.intake.messaging import received_message
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.errors import RefusedError
from services.kernel.folder import DataFolder
from services.kernel.record import open_record
from services.kernel.relay import Relay
from services.kernel.settings import Settings
from tests.support.postgres import PostgresServer, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPARTMENTS = tuple(default_policy().departments)
COMPLAINTS = 5


@pytest.fixture
def machines() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Give the database of the first machine, and the second's, which is kept in step."""
    with postgres_server() as first:
        folder = Path(str(first.folder) + "-standby")
        folder.mkdir()
        first.keep_in_step()
        second = first.standby(folder)
        second.launch()
        try:
            second.until_ready()
            yield first, second
        finally:
            second.stop()
            shutil.rmtree(folder)


def received(settings: Settings) -> Any:
    """Receive complaints; each is answered for when the standby has it."""
    record = open_record(
        settings,
        DataFolder(settings.data),
        name="intake",
        codec=codec,
        now=system_clock,
    )
    with closing(record.database):
        for _ in range(COMPLAINTS):
            now = system_clock()
            event = EXAMPLES["ComplaintReceived"].model_copy(
                update={"case_id": new_uuid7(now), "event_id": new_uuid7(now)}
            )
            with record.database.write() as tx:
                record.store.put(tx, [event])
        return record.store.epoch, record.store.log(0, 100)


def test_the_second_machine_has_all_that_was_kept_and_fills_its_own_broker(
    machines: tuple[PostgresServer, PostgresServer], tmp_path: Path
) -> None:
    first, second = machines
    here = Settings(data=tmp_path / "a", database_url=first.url)
    DataFolder(here.data).make()
    epoch, before = received(here)
    shutil.copytree(here.data, tmp_path / "b")
    there = Settings(data=tmp_path / "b", database_url=second.url)

    with pytest.raises(RefusedError) as refused:
        asyncio.run(take_over(there, DEPARTMENTS, other_is_off=False))
    assert refused.value.code == "takeover.other_lives"
    assert look(there).standby

    first.kill()
    done = asyncio.run(take_over(there, DEPARTMENTS, other_is_off=True))
    assert done.promoted
    assert done.waited_for == "standby"
    assert done.reach["intake"][0] == before[-1].position

    record = open_record(
        there, DataFolder(there.data), name="intake", codec=codec, now=system_clock
    )
    with closing(record.database):
        assert record.store.log(0, 100) == before
        assert record.store.epoch != epoch
        # No commit waits for the machine that is gone.
        with record.database.write() as tx:
            tx.execute("CREATE TABLE written_here (it TEXT)")
        bodies = asyncio.run(relayed(there, record.store))
    assert bodies == [entry.body for entry in before]

    with pytest.raises(RefusedError) as refused:
        asyncio.run(take_over(there, DEPARTMENTS, other_is_off=True))
    assert refused.value.code == "takeover.no_standby"
    # One that was cut short may be run again.
    (there.data / succeeding.BEGUN).touch()
    assert not asyncio.run(take_over(there, DEPARTMENTS, other_is_off=False)).promoted


async def relayed(settings: Settings, log: Any) -> list[bytes]:
    """Let intake's relay fill its stream, and read what is there then."""
    folder = DataFolder(settings.data)
    async with started_alone(settings, folder, DEPARTMENTS) as client:
        relay = Relay(client, log=log, stream=Stream.INTAKE, outgoing=received_message)
        running = asyncio.create_task(relay.run())
        ends = time.monotonic() + 60
        while relay.position < log.last_position():
            assert time.monotonic() < ends, relay.status()
            await asyncio.sleep(0.01)
        await relay.stop()
        await running
        found: list[bytes] = []
        with contextlib.suppress(TimeoutError):
            async for page in pages(client.jetstream(), Stream.INTAKE):
                found += [message.body for message in page]
        return found
