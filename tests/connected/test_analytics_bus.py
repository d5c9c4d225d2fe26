"""Analytics on a real broker: figures follow the log, whatever the stream has lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI

from events import codec, subjects
from events.subjects import Stream
from services.analytics.main import AnalyticsService
from services.analytics.pages.insight import Readers
from services.bus import CONSUMERS, read_event, streams
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.broker.connection import build_broker
from services.kernel.broker.provision import provision
from services.kernel.clock import system_clock
from services.kernel.folder import DataFolder
from services.kernel.log_client import LogClient
from services.kernel.relay import Outgoing, Relay
from services.kernel.settings import Settings
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from services.kernel.web.log_endpoint import log_router
from services.kernel.web.pages import Strangers
from services.kernel.web.problems import install
from tests.support.histories import folded, made_up_log
from tests.support.nats import client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from services.kernel.broker.server import NatsServer
    from services.kernel.store.database import Database
    from services.kernel.store.recorder import LogEntry
    from tests.support.histories import Logged

pytestmark = pytest.mark.connected

LOG = made_up_log(71, cases=300, events=1_200)
TOKENS = OperatorTokens({"t": OPERATOR})
HEADERS = {"Authorization": "Bearer t"}


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings on either database; nothing is left of another test's rows."""
    server = None
    if database_url.startswith("postgresql:"):
        server = database_url
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
    return Settings(
        data=tmp_path / "data", stream_bytes=64 * 1024**2, database_url=server
    )


def _outgoing(entry: LogEntry) -> tuple[Outgoing]:
    subject = subjects.case_event(entry.case_id, entry.type)
    headers = subjects.headers(codec.heading(entry.body))
    return (Outgoing(subject=subject, body=entry.body, headers=headers),)


class Handling:
    """Handling as analytics sees it: a log that grows, a relay, an endpoint."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(
            open_database(f"sqlite://{folder / 'handling.sqlite'}", schema="handling"),
            name="handling",
            codec=codec,
            now=system_clock,
        )
        self.app = FastAPI()
        install(self.app)
        self.app.include_router(log_router(self.store, TOKENS))

    def put(self, log: Sequence[Logged]) -> None:
        with self.store.database.write() as tx:
            self.store.put(tx, [logged.event for logged in log])

    def log_client(self) -> LogClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://handling",
            headers=HEADERS,
        )
        return LogClient(client, "handling")

    @asynccontextmanager
    async def relayed(self, server: NatsServer) -> AsyncIterator[Any]:
        async with client_of(server) as client:
            relay = Relay(
                client, log=self.store, stream=Stream.CASES, outgoing=_outgoing
            )
            running = asyncio.create_task(relay.run())
            try:
                yield client.jetstream()
            finally:
                await relay.stop()
                await running
        self.store.database.close()


@asynccontextmanager
async def analytics(
    settings: Settings, server: NatsServer, handling: Handling
) -> AsyncIterator[httpx.AsyncClient]:
    folder = DataFolder(settings.data)
    folder.make()

    async def prepare(client: Any) -> None:
        await provision(client.jetstream(), streams(settings), CONSUMERS)

    service = AnalyticsService(
        settings=settings,
        folder=folder,
        broker=build_broker(server.url, name="analytics", seed=server.seed),
        prepare=prepare,
        authenticator=TOKENS,
        viewers=Strangers(),
        readers=Readers(frozenset(), frozenset()),
        read=read_event,
        handling_log=handling.log_client(),
    )
    app = FastAPI()
    install(app)
    for router in service.routers:
        app.include_router(router)
    await service.start()
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://t", headers=HEADERS
        ) as http:
            yield http
    finally:
        await service.stop()


async def eventually(asked: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(30):
        while True:
            if found := await asked():
                return found
            await asyncio.sleep(0.05)


async def reached(http: httpx.AsyncClient, position: int) -> dict[str, Any]:
    """Wait until figures reach `position`; give the states of all complaints."""

    async def asked() -> dict[str, Any] | None:
        path = "/api/analytics/frequency?group_by=state&origin=live,migration,demo"
        answer: dict[str, Any] = (await http.get(path)).json()
        return answer if answer["position"] >= position else None

    found: dict[str, Any] = await eventually(asked)
    return found


def states(log: Sequence[Logged]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for facts in folded(log).values():
        counts[facts.state] = counts.get(facts.state, 0) + 1
    return counts


async def rebuilt(http: httpx.AsyncClient) -> dict[str, Any]:
    assert (await http.post("/api/analytics/rebuild")).status_code == 202

    async def asked() -> dict[str, Any] | None:
        progress: dict[str, Any] = (await http.get("/api/analytics/rebuild")).json()
        return progress if progress["state"] != "running" else None

    found: dict[str, Any] = await eventually(asked)
    assert found["state"] == "done", found
    return found


def rows_of(settings: Settings) -> Database:
    """Give a second way to the rows, as somebody with the database's password has."""
    return open_database(
        DataFolder(settings.data).database_url(
            "analytics", "facts", server=settings.database_url
        ),
        schema="analytics",
    )


def test_figures_follow_the_bus_and_a_rebuild_repairs_them(
    settings: Settings, own_nats: NatsServer, tmp_path: Path
) -> None:
    async def main() -> None:
        handling = Handling(tmp_path)
        async with (
            analytics(settings, own_nats, handling) as http,
            handling.relayed(own_nats),
        ):
            for at in range(0, 1_000, 100):
                handling.put(LOG[at : at + 100])
                await asyncio.sleep(0.01)
            answer = await reached(http, 1_000)
            assert {row["state"]: row["count"] for row in answer["rows"]} == states(
                LOG[:1_000]
            )
            assert (answer["damaged"], answer["held"]) == (False, 0)
            done = await rebuilt(http)
            assert (done["equal"], done["compared_to"]) == (True, 1_000)

            database = rows_of(settings)
            with database.write() as tx:
                tx.execute("UPDATE complaint_row SET state = 'CLOSED'")
            database.close()
            running = asyncio.create_task(rebuilt(http))
            for at in range(1_000, 1_200, 20):  # live events go on meanwhile
                handling.put(LOG[at : at + 20])
                await asyncio.sleep(0.01)
            assert (await running)["equal"] is False
            answer = await reached(http, 1_200)
            assert {row["state"]: row["count"] for row in answer["rows"]} == states(LOG)
            assert (await rebuilt(http))["equal"] is True

    asyncio.run(main())


def test_what_the_stream_lost_is_taken_from_the_log(
    settings: Settings, own_nats: NatsServer, tmp_path: Path
) -> None:
    async def main() -> None:
        handling = Handling(tmp_path)
        async with handling.relayed(own_nats) as js:
            async with analytics(settings, own_nats, handling) as http:
                handling.put(LOG[:300])
                await reached(http, 300)
            handling.put(LOG[300:900])

            async def published() -> bool:
                return bool((await js.stream_info(Stream.CASES)).state.last_seq == 900)

            await eventually(published)
            await js.purge_stream(Stream.CASES)
            async with analytics(settings, own_nats, handling) as http:
                answer = await reached(http, 900)
                assert {row["state"]: row["count"] for row in answer["rows"]} == (
                    states(LOG[:900])
                )
                handling.put(LOG[900:])
                await reached(http, 1_200)
                assert (await rebuilt(http))["equal"] is True

    asyncio.run(main())


def test_figures_go_on_while_the_broker_is_away(
    settings: Settings, own_nats: NatsServer, tmp_path: Path
) -> None:
    async def main() -> None:
        handling = Handling(tmp_path)
        own_nats.stop()
        handling.put(LOG[:700])
        async with analytics(settings, own_nats, handling) as http:
            await reached(http, 700)
        handling.store.database.close()

    asyncio.run(main())
