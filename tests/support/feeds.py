"""Departments on a real broker, each in its own account, and what they may try."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.js.client import JetStreamContext

from events.subjects import Stream
from services.bus import Feed, kept_feeds, streams
from services.kernel.broker.provision import provision
from services.kernel.broker.server import API_PREFIX, NatsServer
from services.kernel.settings import Settings
from tests.support.nats import client_of

DEPARTMENTS = ("logistics", "quality")


@dataclass(frozen=True)
class Insider:
    """A program of a department, connected as its locked user."""

    client: Client
    feed: Feed

    @property
    def js(self) -> JetStreamContext:
        return self.client.jetstream(prefix=API_PREFIX, timeout=1)

    async def subscription(self) -> Any:
        return await self.js.pull_subscribe_bind(
            durable=self.feed.user.name,
            stream=Stream.DEPARTMENTS,
            inbox_prefix=f"{self.feed.user.inbox_prefix}.".encode(),
        )


@dataclass(frozen=True)
class DepartmentBus:
    """The services' own client, and one of each department."""

    services: Client
    quality: Insider
    logistics: Insider
    refused: list[str]
    """What the broker refused to the departments' clients."""

    async def count(self, stream: Stream) -> int:
        state = (await self.services.jetstream().stream_info(stream)).state
        return int(state.messages)


@contextmanager
def department_server(
    folder: Path, *, more: Sequence[str] = ()
) -> Iterator[tuple[NatsServer, dict[str, Feed]]]:
    """Run a broker that knows the departments; from the main thread only.

    `more` are subjects that each may use beyond its own: a lock that was left open.
    """
    feeds = {feed.department: feed for feed in kept_feeds(folder / "d", DEPARTMENTS)}
    users = [
        replace(feed.user, uses=(*feed.user.uses, *more)) for feed in feeds.values()
    ]
    server = NatsServer(folder / "nats", users=users, max_file="10GB")
    server.start()
    try:
        yield server, feeds
    finally:
        server.stop()


@asynccontextmanager
async def department_bus(
    server: NatsServer, feeds: dict[str, Feed]
) -> AsyncIterator[DepartmentBus]:
    """Give empty streams, and somebody of each department."""
    refused: list[str] = []

    async def note(error: Exception) -> None:
        refused.append(str(error))

    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(client_of(server))
        js = services.jetstream()
        for stream in await js.streams_info():
            await js.delete_stream(str(stream.config.name))
        await provision(
            js,
            streams(Settings(stream_bytes=64 << 20)),
            [feed.consumer for feed in feeds.values()],
        )
        insiders = {}
        for code, feed in feeds.items():
            client = await nats.connect(
                server.url,
                nkeys_seed_str=feed.seed,
                inbox_prefix=feed.user.inbox_prefix,
                error_cb=note,
            )
            stack.push_async_callback(client.close)
            insiders[code] = Insider(client, feed)
        yield DepartmentBus(services, refused=refused, **insiders)
