"""The three services put together as their `main` does, on a bus and a clock of ours."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from eventsourcing import persistence

from events import codec, subjects
from events.subjects import Stream
from services.analytics.messaging import LogFollower, filling, placed, recording
from services.analytics.persistence import SqlFactStore
from services.bus import read_event
from services.handling.application.cases import Handling
from services.handling.application.commanding import Commanding
from services.handling.application.privacy import Privacy
from services.handling.main import clockwork_of
from services.handling.messaging.cases import case_message, taking_over
from services.handling.messaging.feeds import department_copies
from services.handling.messaging.people import erasing_late
from services.handling.persistence import (
    DepartmentCopies,
    HandlingRecord,
    PrivacyRecord,
    WorkList,
)
from services.intake.application.registering import Registrar
from services.intake.application.submitting import Intake
from services.intake.messaging import following, received_message
from services.intake.persistence import IntakeRecord
from services.kernel import log_client
from services.kernel.clock import new_uuid7
from services.kernel.errors import UnavailableError
from services.kernel.inbox import Consumer, Following, Inbox
from services.kernel.record import open_record
from services.kernel.relay import Relay
from services.kernel.settings import Settings
from services.kernel.store.database import open_database
from services.kernel.store.secret import kept_secret
from services.kernel.vault import BlindIndex, Files, Uploads, Vault, WordIndex
from services.kernel.web.log_lines import log_line, parse_log_line
from tests.fakes.writer import SteppedWriter
from tests.simulation.loop import Life
from tests.support.files import LIMIT, MemoryObjects
from tests.support.given import DEFAULT_POLICY

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from services.kernel.folder import DataFolder
    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Database, Tx
    from services.kernel.web.log_lines import LogLine
    from tests.simulation.world import World

ZONE: Final = ZoneInfo("Asia/Shanghai")
TIMING: Final = clockwork_of(DEFAULT_POLICY, ZONE)


@functools.cache
def settings() -> Settings:
    """Give the defaults; what the environment says is of another installation."""
    return Settings(data=Path("simulated"), database_url=None, tenant="default")


class Service:
    """One run of one service; `parts` are what it does on the bus."""

    name = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.life = Life(self.name)
        self.writer = SteppedWriter(self.name, pause=world.latency)
        self.writer.start()
        self.client = world.bus.connect()
        self.databases: list[Database] = []
        self.parts: list[Any] = []
        self.store: EventStore[Any] | None = None

    def now(self) -> dt.datetime:
        return self.world.now(self.name)

    def open(self, folder: DataFolder) -> None:
        """Open the databases and put the parts together; raises PersistenceError."""
        raise NotImplementedError

    def begin(self) -> None:
        """Let the parts run."""
        for part in self.parts:
            self.world.loop.begin(self.life, part.run())

    def close(self) -> None:
        for database in self.databases:
            database.close()

    def _record(self, folder: DataFolder) -> tuple[Any, Any]:
        record = open_record(
            settings(), folder, name=self.name, codec=codec, now=self.now
        )
        self.store = record.store
        self.databases.append(self.world.faulty(record.database))
        return record.store, record.database

    def _open(self, folder: DataFolder, part: str) -> Any:
        url = folder.database_url(self.name, part, server=None)
        database = open_database(url, schema=f"{self.name}_{part}")
        self.databases.append(self.world.faulty(database))
        return database

    def _consumer(self, following: Following, fetch: Any, stream: Stream) -> Consumer:
        return Consumer(
            self.client,
            stream=stream,
            durable=self.name,
            following=following,
            fetch=fetch,
            now=self.now,
            announce_on=subjects.quarantined(self.name),
        )

    def _relay(self, stream: Stream, outgoing: Any) -> Relay:
        return Relay(self.client, log=self.store, stream=stream, outgoing=outgoing)  # type: ignore[arg-type]  # open by now


class IntakeService(Service):
    name = "intake"

    def open(self, folder: DataFolder) -> None:
        world = self.world
        store, database = self._record(folder)
        keys = self._open(folder, "keys")
        vault = Vault(keys, database)
        objects = MemoryObjects()
        files = Files(keys, database, objects, vault)
        uploads = Uploads(keys, database, objects, limit=LIMIT, now=self.now)
        index = BlindIndex(keys, database, region="CN")
        words = WordIndex(keys, database)
        self.record = IntakeRecord(store, vault, files, index, words, keys=keys)
        registrar = Registrar(
            self.record,
            vault,
            files,
            uploads,
            tenant="default",
            now=self.now,
            new_id=new_uuid7,
        )
        self.intake = Intake(
            self.record,
            registrar,
            uploads,
            writer=self.writer,
            now=self.now,
            new_id=new_uuid7,
        )
        self.following = Following(
            Inbox(self.name, decode=read_event, vault=vault, now=self.now),
            database=database,
            writer=self.writer,
            effect=following(self.record.follow),
            now=self.now,
        )
        fetch = log_client.filling(SimLog(world, "handling"), read_event)  # type: ignore[arg-type]  # its twin
        self.parts = [
            self._relay(Stream.INTAKE, received_message),
            self._consumer(self.following, fetch, Stream.CASES),
        ]


class HandlingService(Service):
    name = "handling"

    def open(self, folder: DataFolder) -> None:
        world = self.world
        store, database = self._record(folder)
        keys = self._open(folder, "keys")
        vault = Vault(keys, database)
        objects = MemoryObjects()
        files = Files(keys, database, objects, vault)
        uploads = Uploads(keys, database, objects, limit=LIMIT, now=self.now)
        words = WordIndex(keys, database)
        work_list = WorkList(database, TIMING)
        self.handling = Handling(store, work_list)
        record = HandlingRecord(store, work_list, vault, files)
        self.commanding = Commanding(
            record,
            vault,
            files,
            uploads,
            policy=DEFAULT_POLICY,
            secret=kept_secret(keys, "command"),
            tenant="default",
            now=self.now,
            new_id=new_uuid7,
        )
        people = PrivacyRecord(
            store,
            record,
            work_list,
            vault,
            keys=keys,
            beside=(words.erase, files.erase),
        )
        self.privacy = Privacy(
            people,
            self.handling,
            vault,
            policy=DEFAULT_POLICY,
            tenant="default",
            zone=ZONE,
            now=self.now,
            new_id=new_uuid7,
            changed=self.commanding.forget,
        )
        self.copies = DepartmentCopies(store)
        self.following = Following(
            Inbox(self.name, decode=read_event, vault=vault, now=self.now),
            database=database,
            writer=self.writer,
            effect=erasing_late(taking_over(self.handling), self.privacy),
            now=self.now,
        )
        fetch = log_client.filling(SimLog(world, "intake"), read_event)  # type: ignore[arg-type]  # its twin
        self.parts = [
            self._relay(Stream.CASES, case_message),
            self._relay(Stream.DEPARTMENTS, department_copies),
            self._consumer(self.following, fetch, Stream.INTAKE),
        ]


class AnalyticsService(Service):
    name = "analytics"

    def open(self, folder: DataFolder) -> None:
        world = self.world
        folder.service(self.name)
        database = self._open(folder, "facts")
        self.rows = SqlFactStore(database, consumer=self.name)
        keys = self._open(folder, "keys")
        inbox = Inbox(
            self.name,
            decode=placed(read_event),
            vault=Vault(keys, database),
            now=self.now,
        )
        self.following = Following(
            inbox,
            database=database,
            writer=self.writer,
            effect=recording(self.rows),
            now=self.now,
        )
        log: Any = SimLog(world, "handling")
        self.parts = [
            self._consumer(self.following, filling(log, read_event), Stream.CASES),
            LogFollower(
                self.rows, log, inbox=inbox, read=read_event, writer=self.writer
            ),
        ]


SERVICES: Final[dict[str, Callable[..., Any]]] = {
    each.name: each for each in (IntakeService, HandlingService, AnalyticsService)
}


class SimLog:
    """`LogClient` to a service that may be away; its lines go over the wire's form."""

    def __init__(self, world: World, service: str) -> None:
        self._world, self._service = world, service

    async def page(self, after: int, limit: int) -> log_client.Page:
        store = await self._reached()
        return log_client.Page(
            self._lines(store, store.log(after, limit)), store.last_position()
        )

    async def of_case(self, case_id: Any, after_version: int) -> list[LogLine]:
        store = await self._reached()
        lines = self._lines(store, store.log(0, 1_000, case_id=case_id))
        return [line for line in lines if line.version > after_version]

    async def _reached(self) -> EventStore[Any]:
        world = self._world
        await world.slowly()
        service = world.services.get(self._service)
        if service is None or world.unanswered():
            raise UnavailableError("log.away", "It is away.", retry_after=1)
        assert service.store is not None
        return service.store

    def _lines(self, store: EventStore[Any], entries: Any) -> list[LogLine]:
        return [
            parse_log_line(log_line(entry, store.epoch).rstrip()) for entry in entries
        ]


def faulty_writes(database: Any, world: World) -> None:
    """Have commits of a database fail as the world's odds say; and count them."""
    write = database.write

    @contextlib.contextmanager
    def writing() -> Iterator[Tx]:
        fate = world.fate()
        with write() as tx:
            yield tx
            if fate == "refused":
                raise persistence.OperationalError("disk I/O error")
        world.commits += 1
        if fate == "unknown":
            raise persistence.OperationalError("disk I/O error, too late")

    database.write = writing
