"""The broker of an installation, whether amends runs or not."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from services.bus import CONSUMERS, Feed, running_bus, seed_of, streams
from services.kernel.access import read_runtime
from services.kernel.broker.provision import provision
from services.kernel.broker.server import kept_seed
from services.provisioning import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from nats.aio.client import Client

    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings


@contextlib.asynccontextmanager
async def beside_running(
    settings: Settings, folder: DataFolder
) -> AsyncIterator[Client]:
    """Connect to the broker that a running amends uses, its own child or the named one.

    Raises UnavailableError where it cannot be reached.
    """
    if settings.nats_url is not None:
        async with connected(settings.nats_url, seed_of(settings)) as client:
            yield client
        return
    runtime = read_runtime(folder.path)
    assert runtime is not None  # noqa: S101 it runs
    seed = kept_seed(folder.path / "nats" / "services.nk")
    async with connected(runtime.nats_url, seed) as client:
        yield client


@contextlib.asynccontextmanager
async def started_alone(
    settings: Settings, folder: DataFolder, departments: Sequence[str]
) -> AsyncIterator[Client]:
    """Connect to the named broker, or run our own for the length of the block.

    Nothing else of amends runs on this folder.
    """
    async with (
        running_bus(settings, folder, departments) as bus,
        connected(bus.url, bus.seed) as client,
    ):
        yield client


async def provided(
    client: Client, settings: Settings, departments: Sequence[str]
) -> None:
    """Make the streams and durables that are missing."""
    feeds = [Feed(code, "") for code in departments]
    await provision(
        client.jetstream(timeout=10),
        streams(settings),
        (*CONSUMERS, *(feed.consumer for feed in feeds)),
    )
