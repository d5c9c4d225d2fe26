"""Intake put together: the only place that knows its concrete parts."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from faststream.nats import NatsBroker
from nats.aio.client import Client

from events import codec, subjects
from events.subjects import Stream
from services.intake.api import (
    channels_router,
    imports_router,
    privacy_router,
    uploader,
)
from services.intake.api import router as api_router
from services.intake.application.imports import Imports
from services.intake.application.inquiries import Inquiries
from services.intake.application.receipts import SEEN_AT_START
from services.intake.application.registering import Registrar
from services.intake.application.submitting import Intake
from services.intake.domain.submission import field_names
from services.intake.importing.jobs import Jobs
from services.intake.messaging import (
    Submissions,
    answer_about_people,
    answer_questions,
    answer_readers,
    following,
    received_message,
    taking_in,
)
from services.intake.pages.customers import intake_pages
from services.intake.pages.customers import router as pages_router
from services.intake.pages.imports import router as import_pages_router
from services.intake.persistence import IntakeRecord, texts
from services.intake.ports import ChannelAccess
from services.kernel.access import Authenticator
from services.kernel.clock import Clock, from_micros, new_uuid7, system_clock
from services.kernel.files import EVERY, FileStore
from services.kernel.folder import DataFolder
from services.kernel.inbox import Consumer, Decode, Door, Following, Inbox, Ward
from services.kernel.life import BusService, Part
from services.kernel.log_client import LogClient, filling
from services.kernel.measures import Sample
from services.kernel.record import open_record
from services.kernel.relay import Relay
from services.kernel.room import Room
from services.kernel.settings import Settings
from services.kernel.store.database import open_database
from services.kernel.store.secret import kept_secret
from services.kernel.tasks import end
from services.kernel.telling import (
    Question,
    asked_in_thread,
    lagging,
    of_pull,
    of_quarantine,
)
from services.kernel.vault import (
    MARKS,
    BlindIndex,
    Cleaner,
    Indexing,
    Readings,
    Vault,
    WordFollower,
    WordIndex,
)
from services.kernel.web.limiter import Limiter
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.pages import Viewers
from services.kernel.web.pages.quarantine import quarantine_pages
from services.kernel.web.pages.readings import readings_pages
from services.kernel.web.quarantine_endpoint import quarantine_router
from services.kernel.web.readings_endpoint import AccessLog, readings_router
from services.kernel.web.uploads_endpoint import uploads_router

NAME: Final = "intake"
STATUS_PER_MINUTE: Final = 600
"""How often one address may ask for the status of complaints."""
UPLOADS_PER_MINUTE: Final = 300
"""How often one address may ask about uploads or send a part of one."""


_log = structlog.get_logger(__name__)


class IntakeService(BusService):
    """Receives complaints and follows their cases for the people who complained."""

    def __init__(
        self,
        *,
        settings: Settings,
        folder: DataFolder,
        broker: NatsBroker,
        prepare: Callable[[Client], Awaitable[None]],
        authenticator: Authenticator,
        viewers: Viewers,
        names: Callable[[], Mapping[str, str]] = dict,
        read: Decode,
        handling_log: LogClient,
        entrances: Mapping[str, ChannelAccess],
        addresses: Mapping[str, str],
        import_token: Callable[[str, datetime], str],
        departments: Sequence[str],
        now: Clock = system_clock,
    ) -> None:
        """`read` decodes what arrives on the bus; `handling_log` fills what is missing.

        `entrances` are the ways in of channels on a broker that has users.
        `names` gives the staff's names by their ids. `import_token` makes a token to
        import as somebody until an instant, good at the services' `addresses`;
        `departments` are those of the policy.
        """
        self._now, self._read = now, read
        self._submissions: Submissions | None = None
        self._sweep: asyncio.Task[None] | None = None
        self._inboxes = {code: each.inbox_prefix for code, each in entrances.items()}
        self._record = open_record(
            settings, folder, name=NAME, codec=codec, now=now, secure_delete=True
        )
        super().__init__(
            NAME,
            broker,
            prepare=prepare,
            follows="handling",
            log=handling_log,
            record=self._record,
        )
        store, database = self._record.store, self._record.database
        self._keys = open_database(
            folder.database_url(NAME, "keys", server=settings.database_url),
            schema=f"{NAME}_keys",
            secure_delete=True,
        )
        vault = Vault(self._keys, database)
        words = WordIndex(self._keys, database)
        self._file_store = FileStore(
            settings,
            folder,
            NAME,
            keys=self._keys,
            documents=database,
            vault=vault,
            now=now,
        )
        files, uploads = self._file_store.files, self._file_store.uploads
        self._intake_record = IntakeRecord(
            store,
            vault,
            files,
            BlindIndex(self._keys, database, region=settings.phone_region),
            words,
            keys=self._keys,
        )
        self._indexing = Indexing(
            NAME,
            store,
            database,
            self._writer,
            form=f"{MARKS} {settings.phone_region or ''}",
            take=self._intake_record.index,
        )
        self._word_follower = WordFollower(
            NAME,
            store,
            database,
            self._writer,
            index=words,
            vault=vault,
            texts=texts,
            erased=self._intake_record.erasures.among,
        )
        self.registrar = Registrar(
            self._intake_record,
            vault,
            files,
            uploads,
            tenant=settings.tenant,
            now=now,
            new_id=new_uuid7,
        )
        self.intake = Intake(
            self._intake_record,
            self.registrar,
            uploads,
            writer=self._writer,
            now=now,
            new_id=new_uuid7,
            demonstration=folder.demonstration,
            silence=settings.channel_silence,
            room=Room(folder.path),
        )
        self.following = Following(
            Inbox(NAME, decode=read, vault=vault, now=now),
            database=database,
            writer=self._writer,
            effect=following(self._intake_record.follow),
        )
        self._inquiries = Inquiries(
            self._intake_record,
            vault,
            files,
            self._word_follower,
            writer=self._writer,
            now=now,
        )
        answer_questions(broker, self.intake, self._inquiries)
        answer_about_people(broker, self._inquiries)
        answer_readers(broker, self._inquiries)
        # One count for one address, whichever way it asks.
        limiter = Limiter(STATUS_PER_MINUTE, code="intake.too_many_questions")
        pages = intake_pages(
            viewers=viewers,
            secret=kept_secret(database, "form"),
            time_zone=settings.time_zone,
            demonstration=folder.demonstration,
            staging=folder.staging,
        )
        self._jobs = Jobs(
            folder.service(NAME) / "imports",
            limit=settings.import_bytes,
            kept=timedelta(hours=settings.import_hours),
            addresses=addresses,
            token=import_token,
            departments=departments,
            now=now,
        )
        readings = Readings(database)
        access_log = AccessLog(readings, self._writer, now)
        self._door = Door(
            NAME,
            database=database,
            vault=vault,
            readings=readings,
            quarantine=self.following.inbox.quarantine,
            writer=self._writer,
            now=now,
            names=field_names() | {"$", "body", "Idempotency-Key"},
        )
        ward = Ward(self.following, self._door, taking_in(self.intake))
        self.routers = [
            channels_router(entrances, authenticator),
            api_router(
                self.intake, self._inquiries, authenticator, now=now, limiter=limiter
            ),
            imports_router(
                Imports(
                    self.intake,
                    self.registrar,
                    self._intake_record,
                    writer=self._writer,
                    now=now,
                ),
                authenticator,
            ),
            privacy_router(self._intake_record, self._writer, authenticator),
            pages_router(
                self.intake, self._inquiries, uploads, pages, now=now, limiter=limiter
            ),
            uploads_router(
                NAME,
                uploads,
                uploader(authenticator),
                limiter=Limiter(UPLOADS_PER_MINUTE, code="upload.too_many"),
            ),
            import_pages_router(self._jobs, pages, zone=settings.time_zone),
            log_router(store, authenticator),
            quarantine_router(NAME, ward, authenticator),
            quarantine_pages(NAME, ward, pages),
            readings_router(NAME, access_log, authenticator),
            readings_pages(
                NAME,
                access_log,
                pages,
                names=names,
                case_of=self._intake_record.case_of,
            ),
        ]

    def _questions(self) -> list[Question]:
        def behind() -> list[Sample]:
            store, words = self._record.store, self._word_follower
            return [
                *lagging(store, NAME, "words", words.reach()),
                *of_quarantine(NAME, self.following, self._door),
            ]

        async def receipts() -> list[Sample]:
            return self.intake.receipts.figures()

        asked = [*super()._questions(), asked_in_thread(behind), receipts]
        if self._submissions is not None:
            asked.append(partial(of_pull, NAME, "submissions", self._submissions))
        return asked

    async def start(self) -> None:
        await asyncio.to_thread(self._hear)
        await super().start()
        await self._file_store.start()
        self._indexing.start()
        self._word_follower.start()
        self._sweep = asyncio.create_task(self._swept())

    async def stop(self) -> None:
        if self._sweep is not None:
            await end(self._sweep)
        await asyncio.to_thread(self._jobs.close)
        await self._word_follower.stop()
        await self._indexing.stop()
        await self._file_store.stop()
        await super().stop()

    def _hear(self) -> None:
        """Look when each channel last brought something, before this start."""
        store, receipts = self._record.store, self.intake.receipts
        after = max(0, store.last_position() - SEEN_AT_START)
        for entry in store.log(after, SEEN_AT_START):
            channel = codec.heading(entry.body).channel
            if channel is not None:
                receipts.heard(channel, from_micros(entry.committed_at))

    async def _swept(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._jobs.sweep)
            except OSError:  # the next one may succeed
                _log.warning("imports.sweep_failed", exc_info=True)
            await asyncio.sleep(EVERY)

    def _on_bus(self, client: Client) -> Sequence[Part]:
        self._relays = [
            Relay(
                client,
                log=self._record.store,
                stream=Stream.INTAKE,
                outgoing=received_message,
            )
        ]
        self._consumer = Consumer(
            client,
            stream=Stream.CASES,
            durable=NAME,
            following=self.following,
            fetch=filling(self._log, self._read),
            now=self._now,
            announce_on=subjects.quarantined(NAME),
        )
        self._submissions = Submissions(client, self.intake, self._inboxes, self._door)
        return [
            self._submissions,
            self._consumer,
            *self._relays,
            Cleaner(self._intake_record.erasures),
        ]

    def _close(self) -> None:
        super()._close()
        self._keys.close()
