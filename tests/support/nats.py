"""A real nats-server for tests, and a client that is allowed everything."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

from services.kernel.broker.server import NatsServer


@contextmanager
def running_nats(folder: Path) -> Iterator[NatsServer]:
    """Run a server with its files in `folder`; from the main thread only."""
    server = NatsServer(folder, max_file="10GB")
    server.start()
    try:
        yield server
    finally:
        server.stop()


async def settled(client: Client) -> None:
    """Wait until the server has read what the client sent, and sent what it has for it.

    nats-py writes the PING of a `flush` past commands that still wait to be written,
    so that the answer to a first one tells nothing of a subscription made before it.
    """
    await client.flush()
    await client.flush()


async def _quiet(_: Exception) -> None:
    """Say nothing of the outages that the tests make themselves."""


@asynccontextmanager
async def client_of(server: NatsServer, **options: Any) -> AsyncIterator[Client]:
    """Connect as the services' user; survives restarts of the server."""
    connection = await nats.connect(
        server.url,
        nkeys_seed_str=server.seed,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.05,
        error_cb=_quiet,
        **options,
    )
    try:
        yield connection
    finally:
        await connection.close()
