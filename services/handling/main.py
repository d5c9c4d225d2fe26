"""Handling put together: the only place that knows its concrete parts."""

from __future__ import annotations

import tomllib
from contextlib import closing, contextmanager
from functools import partial
from importlib import resources
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from events import codec, subjects
from events.subjects import Stream
from events.vocabulary import Channel
from services.handling.api import (
    access,
    cases,
    clocks,
    codes,
    commands,
    departments,
    feed,
)
from services.handling.api import privacy as privacy_api
from services.handling.api.commands import uploader
from services.handling.application.cases import Handling
from services.handling.application.commanding import Commanding
from services.handling.application.exporting import Exporting
from services.handling.application.feeds import Feeds
from services.handling.application.finding import Finding
from services.handling.application.privacy import Privacy
from services.handling.application.reading import Words
from services.handling.domain.clocks import Clockwork, clockwork
from services.handling.domain.policy import Policy, parse_policy
from services.handling.domain.visibility import NEVER, PROGRAMS, staff
from services.handling.messaging.cases import case_message, taking_over
from services.handling.messaging.commands import answer_commands
from services.handling.messaging.documents import IntakeWords
from services.handling.messaging.feeds import department_copies
from services.handling.messaging.finding import AskedIntake
from services.handling.messaging.people import IntakePeople, erasing_late
from services.handling.messaging.receipts import IntakeCodes, IntakeReceipts
from services.handling.pages import access as access_pages
from services.handling.pages import (
    access_privacy,
    customer,
    desk,
    desk_case,
    desk_codes,
    desk_files,
    handling_pages,
)
from services.handling.persistence import (
    DepartmentCopies,
    HandlingRecord,
    PrivacyRecord,
    WorkList,
    texts,
)
from services.handling.persistence.public_holidays import EDITION, public_days
from services.kernel.broker.durables import of_feeds
from services.kernel.clock import new_uuid7, system_clock
from services.kernel.errors import RefusedError
from services.kernel.files import FileStore
from services.kernel.inbox import Consumer, Following, Inbox, Ward
from services.kernel.life import BusService
from services.kernel.log_client import filling
from services.kernel.places import Places
from services.kernel.record import open_record
from services.kernel.relay import Relay
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from services.kernel.store.secret import kept_secret
from services.kernel.telling import asked_in_thread, lagging, of_quarantine
from services.kernel.vault import (
    Cleaner,
    Readings,
    Vault,
    WordFollower,
    WordIndex,
)
from services.kernel.web.limiter import Limiter
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.pages.quarantine import quarantine_pages
from services.kernel.web.pages.readings import readings_pages
from services.kernel.web.quarantine_endpoint import quarantine_router
from services.kernel.web.readings_endpoint import AccessLog, readings_router
from services.kernel.web.uploads_endpoint import uploads_router

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from faststream.nats import NatsBroker
    from nats.aio.client import Client

    from services.handling.ports import FeedAccess, QueueFilter
    from services.kernel.admission import Admission
    from services.kernel.clock import Clock
    from services.kernel.folder import DataFolder
    from services.kernel.inbox import Decode
    from services.kernel.life import Part
    from services.kernel.log_client import LogClient
    from services.kernel.measures import Sample
    from services.kernel.settings import Settings
    from services.kernel.telling import Question

NAME = "handling"
ACTS_PER_MINUTE = 300
"""How often one address may show a receipt and its access code."""
UPLOADS_PER_MINUTE = 300
"""How often one address may ask about uploads or send a part of one."""


class HandlingService(BusService):
    """Owns the cases: takes complaints over, decides, tells departments."""

    def __init__(
        self,
        *,
        settings: Settings,
        folder: DataFolder,
        broker: NatsBroker,
        prepare: Callable[[Client], Awaitable[None]],
        admission: Admission,
        policy: Policy,
        feeds: Mapping[str, FeedAccess],
        read: Decode,
        intake_log: LogClient,
        now: Clock = system_clock,
    ) -> None:
        self._now, self._read, self._feeds = now, read, feeds
        self._record = open_record(
            settings, folder, name=NAME, codec=codec, now=now, secure_delete=True
        )
        self._staging = folder.staging
        _require_same_mark(self._record.store.staging, here=self._staging)
        super().__init__(
            NAME,
            broker,
            prepare=prepare,
            follows="intake",
            log=intake_log,
            record=self._record,
        )
        store, database = self._record.store, self._record.database
        self._keys = open_database(
            folder.database_url(NAME, "keys", server=settings.database_url),
            schema=f"{NAME}_keys",
            secure_delete=True,
        )
        vault = Vault(self._keys, database)
        word_index = WordIndex(self._keys, database)
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
        zone = ZoneInfo(settings.time_zone)
        timing = clockwork_of(policy, zone)
        work_list = WorkList(database, timing)
        self._handling = handling = Handling(store, work_list)
        record = HandlingRecord(store, work_list, vault, files)
        self.commanding = commanding = Commanding(
            record,
            vault,
            files,
            uploads,
            policy=policy,
            secret=kept_secret(self._keys, "command"),
            tenant=settings.tenant,
            now=now,
            new_id=new_uuid7,
        )
        people = PrivacyRecord(
            store,
            record,
            work_list,
            vault,
            keys=self._keys,
            beside=(word_index.erase, files.erase),
        )
        self._erasures = people.erasures
        self._word_follower = WordFollower(
            NAME,
            store,
            database,
            self._writer,
            index=word_index,
            vault=vault,
            texts=texts,
            erased=people.erasures.among,
        )
        privacy = Privacy(
            people,
            handling,
            vault,
            policy=policy,
            tenant=settings.tenant,
            zone=zone,
            now=now,
            new_id=new_uuid7,
            changed=commanding.forget,
        )
        self.following = Following(
            Inbox(NAME, decode=read, vault=vault, now=now),
            database=database,
            writer=self._writer,
            effect=erasing_late(taking_over(handling), privacy),
        )
        pages = handling_pages(
            viewers=admission,
            secret=kept_secret(self._keys, "form"),
            time_zone=settings.time_zone,
            demonstration=folder.demonstration,
            staging=folder.staging,
        )
        receipts, access_codes = IntakeReceipts(broker), IntakeCodes(broker)
        # One count for one address, on the page and by programs.
        limiter = Limiter(ACTS_PER_MINUTE, code="handling.too_many_acts")
        readings = Readings(database)
        words = Words(
            vault,
            files,
            readings,
            IntakeWords(broker),
            writer=self._writer,
            now=now,
        )
        at_intake = IntakePeople(broker)
        exporting = Exporting(
            handling, words, at_intake, readings, writer=self._writer, now=now
        )
        finding = Finding(
            work_list,
            word_index,
            self._word_follower,
            AskedIntake(broker),
            readings,
            policy=policy,
            secret=kept_secret(self._keys, "search"),
            region=settings.phone_region,
            writer=self._writer,
            now=now,
        )
        answer_commands(
            broker, commanding, self._writer, departments=policy.departments
        )
        access_log = AccessLog(readings, self._writer, now)
        ward = Ward(self.following)
        self.routers = [
            cases.router(
                handling, finding, admission, policy=policy, zone=zone, now=now
            ),
            clocks.router(handling, admission, timing, now=now),
            commands.router(
                commanding, self._writer, admission, receipts, limiter=limiter
            ),
            codes.router(handling, access_codes, admission, policy=policy),
            customer.router(
                pages,
                handling,
                commanding,
                self._writer,
                receipts,
                words=words,
                uploads=uploads,
                policy=policy,
                now=now,
                limiter=limiter,
            ),
            uploads_router(
                NAME,
                uploads,
                uploader(admission, receipts),
                limiter=Limiter(UPLOADS_PER_MINUTE, code="upload.too_many"),
            ),
            departments.router(feeds, admission, policy=policy),
            feed.router(
                Feeds(DepartmentCopies(store), store, silent=self._staging),
                admission,
                policy=policy,
            ),
            access.router(
                admission.tokens,
                admission.users,
                admission.passwords,
                admission,
                zone=zone,
            ),
            privacy_api.router(privacy, exporting, at_intake, self._writer, admission),
            desk.router(handling, finding, pages, policy=policy, now=now),
            desk_case.router(
                handling,
                commanding,
                self._writer,
                words,
                pages,
                uploads=uploads,
                clockwork=timing,
                names=admission.names,
                now=now,
            ),
            desk_codes.router(handling, access_codes, pages, policy=policy),
            desk_files.router(handling, words, pages, policy=policy),
            *access_pages.routers(admission, pages, zone=zone),
            access_privacy.router(
                access_privacy.Office(
                    privacy, exporting, at_intake, self._writer, pages
                )
            ),
            log_router(store, admission),
            quarantine_router(NAME, ward, admission),
            quarantine_pages(NAME, ward, pages),
            readings_router(NAME, access_log, admission),
            readings_pages(
                NAME,
                access_log,
                pages,
                names=admission.names,
                case_of=handling.of_receipt,
            ),
        ]

    def count(self, wanted: QueueFilter) -> int:
        """Give how many cases of the queue a filter has."""
        return self._handling.count(wanted)

    def _questions(self) -> list[Question]:
        def behind() -> list[Sample]:
            store, words = self._record.store, self._word_follower
            return [
                *lagging(store, NAME, "words", words.reach()),
                *of_quarantine(NAME, self.following),
            ]

        asked = [*super()._questions(), asked_in_thread(behind)]
        if (client := self._life.client) is not None:
            durables = {code: each.durable for code, each in self._feeds.items()}
            asked.append(partial(of_feeds, client, Stream.DEPARTMENTS, durables))
        return asked

    async def start(self) -> None:
        await super().start()
        await self._file_store.start()
        self._word_follower.start()

    async def stop(self) -> None:
        await self._word_follower.stop()
        await self._file_store.stop()
        await super().stop()

    def _on_bus(self, client: Client) -> list[Part]:
        self._relays = [
            Relay(client, log=self._record.store, stream=stream, outgoing=outgoing)
            for stream, outgoing in (
                (Stream.CASES, case_message),
                *([] if self._staging else [(Stream.DEPARTMENTS, department_copies)]),
            )
        ]
        self._consumer = Consumer(
            client,
            stream=Stream.INTAKE,
            durable=NAME,
            following=self.following,
            fetch=filling(self._log, self._read),
            now=self._now,
            announce_on=subjects.quarantined(NAME),
        )
        return [self._consumer, *self._relays, Cleaner(self._erasures)]

    def _close(self) -> None:
        super()._close()
        self._keys.close()


def _require_same_mark(in_record: bool, *, here: bool) -> None:
    """Raise RefusedError where a copy's folder meets a record in use, or the reverse."""
    if in_record != here:
        what = "a copy to try things on" if in_record else "in use"
        raise RefusedError(
            "staging.other_database",
            f"This database is {what}, and the data folder is not: give each its own"
            " with AMENDS_DATA and AMENDS_DATABASE_URL.",
        )


def default_policy() -> Policy:
    """Give the rules that amends comes with."""
    text = resources.files("services.handling").joinpath("policy/default.toml")
    return parse_policy(tomllib.loads(text.read_text(encoding="utf-8")))


def clockwork_of(policy: Policy, zone: ZoneInfo) -> Clockwork:
    """Give the policy's clocks on its calendars, with the public holidays."""
    return clockwork(policy, zone, public_days, edition=EDITION)


def roles(policy: Policy) -> frozenset[str]:
    """Name what somebody with a token can be; a customer shows receipt and code."""
    return staff(policy) | PROGRAMS


def looking(policy: Policy) -> frozenset[str]:
    """Name the roles that look at complaints."""
    return roles(policy) - NEVER


def places(policy: Policy) -> Places:
    """Name what people who sign in can be, and where."""
    return Places(
        roles=staff(policy),
        unit_roles=frozenset(policy.unit_roles),
        departments=tuple(policy.departments),
        channels=tuple(channel.value for channel in Channel),
    )


@contextmanager
def open_for_reading(settings: Settings, folder: DataFolder) -> Iterator[Handling]:
    """Open the record beside whatever runs; nothing can be written through it."""
    with closing(
        open_database(record_url(settings, folder), schema=NAME, read_only=True)
    ) as database:
        store = open_store(database, name=NAME, codec=codec, now=system_clock)
        yield Handling(store, WorkList(database))


def record_url(settings: Settings, folder: DataFolder) -> str:
    """Give the address of handling's record."""
    return folder.database_url(NAME, "store", server=settings.database_url)
