"""One bus, twice: in memory and on a real nats-server; the suites run on both."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from services.kernel.broker.server import NatsServer
from tests.fakes.broker import FakeNats
from tests.support.bus import Bus
from tests.support.nats import client_of, running_nats

OpenBus = Callable[[], AbstractAsyncContextManager[Bus]]


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(
    params=["memory", pytest.param("nats", marks=pytest.mark.connected)],
)
def open_bus(request: pytest.FixtureRequest) -> OpenBus:
    """`async with open_bus() as bus`: empty streams, as many clients as one likes."""
    if request.param == "memory":
        return _memory_bus
    server: NatsServer = request.getfixturevalue("nats_server")
    return lambda: _nats_bus(server)


@asynccontextmanager
async def _memory_bus() -> AsyncIterator[Bus]:
    server = FakeNats()

    async def connect() -> Any:
        return server.client()

    with server.running():
        yield await Bus.open(connect)


@asynccontextmanager
async def _nats_bus(server: NatsServer) -> AsyncIterator[Bus]:
    async with AsyncExitStack() as clients:

        async def connect() -> Any:
            return await clients.enter_async_context(client_of(server))

        bus = await Bus.open(connect)
        yield bus
        await bus.remove()
