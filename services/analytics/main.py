"""Analytics put together: the only place that knows its concrete parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from events import subjects
from events.subjects import Stream
from services.analytics.api.routes import analytics_router
from services.analytics.application.figures import Figures
from services.analytics.application.rebuilding import (
    Progress,
    Rebuilder,
    run_rebuild,
)
from services.analytics.domain.figures import counted_origins
from services.analytics.messaging import LogFollower, filling, placed, recording
from services.analytics.pages import exports_router, insight_pages, insight_router
from services.analytics.persistence import SqlFactStore
from services.kernel.clock import system_clock
from services.kernel.inbox import Consumer, Following, Inbox, Ward
from services.kernel.life import BusService
from services.kernel.measures import LAG_EVENTS
from services.kernel.store.database import open_database
from services.kernel.store.secret import kept_secret
from services.kernel.telling import asked_in_thread, of_quarantine
from services.kernel.vault import Readings, Vault
from services.kernel.web.health import Check, Health
from services.kernel.web.pages.quarantine import quarantine_pages
from services.kernel.web.pages.readings import readings_pages
from services.kernel.web.quarantine_endpoint import quarantine_router
from services.kernel.web.readings_endpoint import AccessLog, readings_router

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from faststream.nats import NatsBroker
    from nats.aio.client import Client

    from services.analytics.pages.insight import Readers
    from services.kernel.access import Authenticator
    from services.kernel.clock import Clock
    from services.kernel.folder import DataFolder
    from services.kernel.inbox import Decode
    from services.kernel.life import Part
    from services.kernel.log_client import LogClient
    from services.kernel.measures import Sample
    from services.kernel.settings import Settings
    from services.kernel.telling import Question
    from services.kernel.web.pages import Viewers

NAME = "analytics"


class AnalyticsService(BusService):
    """Folds what happened into rows, and answers with figures."""

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
        readers: Readers,
        read: Decode,
        handling_log: LogClient,
        now: Clock = system_clock,
    ) -> None:
        super().__init__(
            NAME,
            broker,
            prepare=prepare,
            follows="handling",
            log=handling_log,
            record=None,
        )
        self._now, self._read = now, read
        folder.service(NAME)
        self._database = open_database(
            folder.database_url(NAME, "facts", server=settings.database_url),
            schema=NAME,
        )
        self._store = SqlFactStore(self._database, consumer=NAME)
        self._keys = open_database(
            folder.database_url(NAME, "keys", server=settings.database_url),
            schema=f"{NAME}_keys",
            secure_delete=True,
        )
        vault = Vault(self._keys, self._database)
        inbox = Inbox(NAME, decode=placed(read), vault=vault, now=now)
        self.following = Following(
            inbox,
            database=self._database,
            writer=self._writer,
            effect=recording(self._store),
        )
        self._rebuilder = Rebuilder(self._rebuild)
        self._follower = LogFollower(
            self._store,
            handling_log,
            inbox=inbox,
            read=read,
            writer=self._writer,
        )
        self._following_log: asyncio.Task[None] | None = None
        zone = ZoneInfo(settings.time_zone)
        figures = Figures(self._store, zone)
        pages = insight_pages(
            viewers=viewers,
            secret=kept_secret(self._database, "form"),
            time_zone=settings.time_zone,
            demonstration=folder.demonstration,
            staging=folder.staging,
        )
        access_log = AccessLog(Readings(self._database), self._writer, now)
        ward = Ward(self.following)
        self.routers = [
            analytics_router(
                figures,
                self._rebuilder,
                authenticator,
                zone=zone,
                clock=now,
                counted=counted_origins(demonstration=folder.demonstration),
            ),
            # Before the pages: an address with an ending is never one of theirs.
            exports_router(figures, pages, readers=readers, now=now),
            insight_router(figures, pages, readers=readers, now=now),
            quarantine_router(NAME, ward, authenticator),
            quarantine_pages(NAME, ward, pages),
            readings_router(NAME, access_log, authenticator),
            readings_pages(NAME, access_log, pages, names=names),
        ]
        self.checks.append(
            # Figures are answered as far as they reach.
            Check("analytics.rows", self._rows_health, required=False)
        )

    async def start(self) -> None:
        await super().start()
        # Not a part of the life on the bus: it goes on while the broker is away.
        self._following_log = asyncio.create_task(self._follower.run())

    async def stop(self) -> None:
        await self._rebuilder.stop()
        await self._follower.stop()
        if self._following_log is not None:
            await self._following_log
        await super().stop()

    def progress(self) -> dict[str, int]:
        """Say how far handling's record is in the rows."""
        with self._store.snapshot() as rows:
            return {"handling": rows.standing.complete_to}

    def _questions(self) -> list[Question]:
        def rows() -> list[Sample]:
            with self._store.snapshot() as found:
                complete_to, _, last = found.standing
            behind = max(0, last - complete_to)
            return [
                LAG_EVENTS.of(behind, NAME, "rows"),
                *of_quarantine(NAME, self.following),
            ]

        return [*super()._questions(), asked_in_thread(rows)]

    def _on_bus(self, client: Client) -> list[Part]:
        self._consumer = Consumer(
            client,
            stream=Stream.CASES,
            durable=NAME,
            following=self.following,
            fetch=filling(self._log, self._read),
            now=self._now,
            announce_on=subjects.quarantined(NAME),
        )
        return [self._consumer]

    async def _rebuild(self, report: Callable[[Progress], None]) -> Progress:
        return await run_rebuild(
            self._store,
            fetch=self._log.page,
            write=self._writer.run,
            report=report,
        )

    def _close(self) -> None:
        self._database.close()
        self._keys.close()

    async def _rows_health(self) -> Health:
        def look() -> Health:
            with self._store.snapshot() as rows:
                complete_to, unfit, last = rows.standing
            detail = f"complete_to={complete_to} last={last} unfit={unfit}"
            if unfit:
                detail += " run `amends analytics rebuild`"
            return Health(ok=unfit == 0, detail=detail)

        return await asyncio.to_thread(look)
