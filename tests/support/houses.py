"""An installation without its services: records that are filled, a broker of its own."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from events import codec
from events.examples import EXAMPLES
from services.backup.broker import provided, started_alone
from services.backup.streams import RELAYS
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.grants import FactCodec
from services.kernel.inbox import INBOX_TABLES
from services.kernel.record import open_record
from services.kernel.relay import Relay
from services.kernel.store.database import open_database
from services.kernel.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nats.aio.client import Client

    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings
    from services.kernel.store.recorder import LogEntry

DEPARTMENTS = ("quality", "service")


def received(number: int) -> bytes:
    """Give the first event of case `number`."""
    event = EXAMPLES["ComplaintReceived"]
    update: dict[str, Any] = {
        "event_id": new_uuid7(system_clock()),
        "case_id": case(number),
        "version": 1,
        "data": event.data.model_copy(update={"receipt_no": f"{number:015}0"}),
    }
    return codec.encode(event.model_copy(update=update))


def assigned(number: int, version: int) -> bytes:
    """Give a later event of it, which two departments hear of."""
    event = EXAMPLES["DepartmentAssigned"]
    update = {
        "event_id": new_uuid7(system_clock()),
        "case_id": case(number),
        "version": version,
        "departments": DEPARTMENTS,
    }
    return codec.encode(event.model_copy(update=update))


def case(number: int) -> UUID:
    return UUID(int=number, version=4)


@dataclass
class House:
    """Two records and their keys, as services would leave them."""

    settings: Settings
    folder: DataFolder
    cases: int = 0
    _open: list[Any] = field(default_factory=list)

    def found(self) -> None:
        """Make what a first start makes of the databases."""
        self.folder.make()
        for name in ("intake", "handling"):
            keys = open_database(
                self.folder.database_url(
                    name, "keys", server=self.settings.database_url
                ),
                schema=f"{name}_keys",
            )
            with self.record(name) as record:
                record.database.migrate(INBOX_TABLES)
                vault = Vault(keys, record.database)
                vault.ensure_keys([UUID(int=7)])
            keys.close()
        with self.record("access"):
            pass

    @contextlib.contextmanager
    def record(self, name: str) -> Iterator[Any]:
        language: Any = FactCodec() if name == "access" else codec
        opened = open_record(
            self.settings, self.folder, name=name, codec=language, now=system_clock
        )
        try:
            yield opened
        finally:
            opened.stop()

    def put(self, name: str, bodies: Sequence[bytes]) -> None:
        with self.record(name) as record, record.database.write() as tx:
            peeked = [(codec.peek(body), body) for body in bodies]
            record.store.put_bodies(
                tx, [(p.case_id, p.version, p.type, body) for p, body in peeked]
            )

    def receive(self, cases: int) -> None:
        """Let cases come in, be taken over and be assigned."""
        numbers = range(self.cases + 1, self.cases + cases + 1)
        bodies = [received(number) for number in numbers]
        self.put("intake", bodies)
        self.put("handling", bodies)
        self.put("handling", [assigned(number, 2) for number in numbers])
        self.cases += cases

    def log(self, name: str) -> list[LogEntry]:
        with self.record(name) as record:
            entries: list[LogEntry] = record.store.log(0, 10_000)
            return entries

    def epoch(self, name: str) -> str:
        with self.record(name) as record:
            epoch: str = record.store.epoch
            return epoch

    async def relay(self, client: Client) -> None:
        """Publish all that is not published yet."""
        for relay in RELAYS:
            with self.record(relay.record) as record:
                running = Relay(
                    client,
                    log=record.store,
                    stream=relay.stream,
                    outgoing=relay.outgoing,
                )
                task = asyncio.create_task(running.run())
                async with asyncio.timeout(20):
                    while running.position < record.store.last_position():
                        assert running.status().state != "mismatch", running.status()
                        await asyncio.sleep(0.005)
                await running.stop()
                await task

    @contextlib.asynccontextmanager
    async def broker(self) -> Any:
        async with started_alone(self.settings, self.folder, DEPARTMENTS) as client:
            await provided(client, self.settings, DEPARTMENTS)
            yield client
