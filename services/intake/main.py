"""Intake put together: the only place that knows its concrete parts."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from faststream.nats import NatsBroker
from nats.aio.client import Client

from events import codec
from events.subjects import Stream
from services.intake.api import router as api_router
from services.intake.application.inquiries import Inquiries
from services.intake.application.registering import Registrar
from services.intake.application.submitting import Intake
from services.intake.messaging import (
    Submissions,
    answer_questions,
    following,
    received_message,
)
from services.intake.pages import intake_pages
from services.intake.pages import router as pages_router
from services.intake.persistence import IntakeRecord
from services.kernel.access import Authenticator
from services.kernel.clock import Clock, new_uuid7, system_clock
from services.kernel.folder import DataFolder
from services.kernel.inbox import Consumer, Decode, Inbox
from services.kernel.life import Life, Part, consumer_health, relay_health
from services.kernel.log_client import LogClient, filling
from services.kernel.record import open_record
from services.kernel.relay import Relay
from services.kernel.settings import Settings
from services.kernel.store.database import open_database
from services.kernel.store.secret import kept_secret
from services.kernel.store.writer import Writer
from services.kernel.vault import BlindIndex, Vault
from services.kernel.web.health import Check, Health
from services.kernel.web.limiter import Limiter
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.pages import Viewers

if TYPE_CHECKING:
    from fastapi import APIRouter

NAME: Final = "intake"
STATUS_PER_MINUTE: Final = 600
"""How often one address may ask for the status of complaints."""


class IntakeService:
    """The running service: its routes, its checks, its life."""

    name = NAME

    def __init__(
        self,
        *,
        settings: Settings,
        folder: DataFolder,
        broker: NatsBroker,
        prepare: Callable[[Client], Awaitable[None]],
        authenticator: Authenticator,
        viewers: Viewers,
        read: Decode,
        handling_log: LogClient,
        now: Clock = system_clock,
    ) -> None:
        """`read` decodes what arrives on the bus; `handling_log` fills what is missing."""
        self._now, self._read, self._handling_log = now, read, handling_log
        self._record = open_record(
            settings, folder, name=NAME, codec=codec, now=now, secure_delete=True
        )
        store, database = self._record.store, self._record.database
        self._keys = open_database(
            folder.database_url(NAME, "keys", server=settings.database_url),
            schema=f"{NAME}_keys",
            secure_delete=True,
        )
        vault = Vault(self._keys, database)
        self._intake_record = IntakeRecord(
            store, vault, BlindIndex(self._keys, database), keys=self._keys
        )
        self._writer = Writer(NAME)
        registrar = Registrar(
            self._intake_record,
            vault,
            tenant=settings.tenant,
            now=now,
            new_id=new_uuid7,
        )
        self._intake = Intake(
            self._intake_record,
            registrar,
            writer=self._writer,
            now=now,
            new_id=new_uuid7,
        )
        self._inquiries = Inquiries(
            self._intake_record, vault, writer=self._writer, now=now
        )
        answer_questions(broker, self._intake, self._inquiries)
        self._relay: Relay | None = None
        self._consumer: Consumer | None = None
        self._life = Life(broker, prepare=prepare, parts=self._parts)
        # One count for one address, whichever way it asks.
        limiter = Limiter(STATUS_PER_MINUTE, code="intake.too_many_questions")
        pages = intake_pages(
            viewers=viewers,
            secret=kept_secret(database, "form"),
            time_zone=settings.time_zone,
        )
        self.routers: list[APIRouter] = [
            api_router(
                self._intake, self._inquiries, authenticator, now=now, limiter=limiter
            ),
            pages_router(
                self._intake, self._inquiries, pages, now=now, limiter=limiter
            ),
            log_router(store, authenticator),
        ]
        self.checks = [
            # While the broker is away complaints are still taken.
            Check("intake.broker", self._life.health, required=False),
            Check("intake.relay", self._relay_health),
            Check("intake.consumer", self._consumer_health, required=False),
        ]

    async def start(self) -> None:
        self._record.start()
        self._writer.start()
        await self._life.start()

    async def stop(self) -> None:
        """Stop taking in, end the writer, then the broker, then close the record."""
        await self._life.quiet()
        await asyncio.to_thread(self._writer.stop)
        await self._life.stop()
        await self._handling_log.close()
        await asyncio.to_thread(self._record.stop)
        self._keys.close()

    def progress(self) -> dict[str, int]:
        """Give the record's last position, and how far handling's was read."""
        read = self._consumer.status().position if self._consumer else 0
        return {"recorded": self._record.store.last_position(), "handling": read}

    def _parts(self, client: Client) -> Sequence[Part]:
        self._relay = Relay(
            client,
            log=self._record.store,
            stream=Stream.INTAKE,
            outgoing=received_message,
        )
        self._consumer = Consumer(
            client,
            stream=Stream.CASES,
            durable=NAME,
            database=self._record.database,
            writer=self._writer,
            inbox=Inbox(NAME, decode=self._read, now=self._now),
            effect=following(self._intake_record.follow),
            fetch=filling(self._handling_log, self._read),
            now=self._now,
        )
        return [Submissions(client, self._intake), self._consumer, self._relay]

    async def _relay_health(self) -> Health:
        return relay_health(self._relay)

    async def _consumer_health(self) -> Health:
        return consumer_health(self._consumer)
