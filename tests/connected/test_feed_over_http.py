"""A department hears the same over HTTP as on the bus: each event, in the same order."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from events import codec
from events.subjects import Stream
from services.handling.api import feed
from services.handling.application.feeds import Feeds
from services.handling.messaging.feeds import department_copies
from services.handling.persistence import DepartmentCopies
from services.kernel.access import OPERATOR
from services.kernel.relay import Relay
from services.kernel.store.application import open_store
from tests.support.copies import DEPARTMENTS, NOW, history
from tests.support.feeds import department_bus, department_server
from tests.support.given import DEFAULT_POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.bus import Feed
    from services.kernel.access import Credential
    from services.kernel.broker.server import NatsServer
    from services.kernel.store.database import Database
    from tests.support.feeds import Insider

pytestmark = pytest.mark.connected


class Operator:
    def authenticate(self, _header: str | None) -> Credential:
        return OPERATOR


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[NatsServer, dict[str, Feed]]]:
    with department_server(tmp_path_factory.mktemp("broker")) as running:
        yield running


async def on_the_bus(insider: Insider) -> list[bytes]:
    """Read a feed to its end, as its department's own program does."""
    subscription = await insider.subscription()
    bodies: list[bytes] = []
    try:
        while True:
            for message in await subscription.fetch(100, timeout=1):
                bodies.append(message.data)
                await message.ack()
    except TimeoutError:
        return bodies


async def over_http(app: Any, department: str, limit: int) -> bytes:
    """Read a feed to its end, page by page: the bytes between the brackets."""
    pages: list[bytes] = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://t"
    ) as client:
        known: dict[str, Any] = {"department": department, "limit": limit}
        while True:
            answer = await client.get("/api/handling/feed", params=known)
            page = answer.json()
            assert len(page["events"]) <= limit
            inside, _, _ = answer.content.rpartition(b'],"cursor":')
            pages.append(inside.removeprefix(b'{"events":['))
            if not page["more"]:
                return b",".join(pages)
            known["after"] = page["cursor"]


@pytest.mark.parametrize("seed", range(3))
def test_http_and_bus_tell_each_department_the_same(
    broker: tuple[NatsServer, dict[str, Feed]],
    make_database: Callable[..., Database],
    seed: int,
) -> None:
    server, feeds = broker
    dice = random.Random(seed)  # noqa: S311
    database = make_database("handling")
    store = open_store(database, name="handling", codec=codec, now=lambda: NOW)
    events = history(dice, cases=12, events=400)
    early = dice.randrange(len(events))
    with database.write() as tx:  # by an amends that kept no copies
        store.put(tx, events[:early])
    app = FastAPI()
    reading = Feeds(DepartmentCopies(store), store)
    app.include_router(feed.router(reading, Operator(), policy=DEFAULT_POLICY))
    rest = events[early:]
    while rest:
        some, rest = rest[: (size := dice.randint(1, 40))], rest[size:]
        with database.write() as tx:
            store.put(tx, some)

    async def scenario() -> None:
        async with department_bus(server, feeds) as bus:
            relay = Relay(
                bus.services,
                log=store,
                stream=Stream.DEPARTMENTS,
                outgoing=department_copies,
            )
            running = asyncio.create_task(relay.run())
            async with asyncio.timeout(30):
                while relay.status().position < store.last_position():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await relay.stop()
            await running
            told = {name: await on_the_bus(getattr(bus, name)) for name in DEPARTMENTS}
            for name in DEPARTMENTS:
                assert len(told[name]) > 50
                limit = dice.choice([1, 7, 100, 500])
                assert await over_http(app, name, limit) == b",".join(told[name])
            # The control: one row of another department is noticed.
            with database.write() as tx:
                tx.execute(
                    "UPDATE department_copy SET department = 'quality'"
                    " WHERE department = 'logistics' AND position = (SELECT"
                    " MAX(position) FROM department_copy WHERE department ="
                    " 'logistics' AND position NOT IN (SELECT position FROM"
                    " department_copy WHERE department = 'quality'))"
                )
            heard = await over_http(app, "quality", 500)
            assert heard != b",".join(told["quality"])

    asyncio.run(scenario())
