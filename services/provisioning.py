"""What must be there before services run in processes of their own, made or compared."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import nats
import nats.errors

from services.bus import (
    CHANNELS,
    CONSUMERS,
    DEPARTMENTS,
    Feed,
    kept_entrances,
    kept_feeds,
    seed_of,
    streams,
    write_accounts,
)
from services.kernel.access import kept_service_token
from services.kernel.broker.provision import provision
from services.kernel.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from nats.aio.client import Client

    from services.kernel.broker.provision import Report
    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings

_PATIENCE: Final = 5
"""Seconds for the broker to answer."""


@dataclass(frozen=True, slots=True)
class Provided:
    """What the broker has now; where the accounts were written, if it has users."""

    report: Report
    accounts: Path | None


async def provided(
    settings: Settings,
    folder: DataFolder,
    departments: Sequence[str],
    *,
    dry_run: bool = False,
) -> Provided:
    """Make token, secrets of departments and channels, accounts, streams, durables; again is harmless.

    `dry_run` makes nothing and compares. Raises RefusedError where no broker is named,
    UnavailableError where it cannot be reached.
    """
    if settings.nats_url is None:
        raise RefusedError(
            "provision.no_broker",
            "Name the NATS server with AMENDS_NATS_URL; `amends up` provisions the one"
            " that it brings at each start.",
        )
    seed = seed_of(settings)
    accounts = None
    if dry_run:
        feeds = [Feed(code, "") for code in departments]  # what is compared needs none
    else:
        folder.make()
        if settings.service_token is None:
            kept_service_token(folder.path)
        feeds = kept_feeds(folder.path / DEPARTMENTS, departments)
        if seed is not None:
            entrances = kept_entrances(folder.path / CHANNELS)
            accounts = write_accounts(folder, seed, feeds, entrances)
    async with connected(settings.nats_url, seed) as client:
        report = await provision(
            client.jetstream(),
            streams(settings),
            (*CONSUMERS, *(feed.consumer for feed in feeds)),
            monitor_url=settings.nats_monitor_url,
            dry_run=dry_run,
        )
    return Provided(report, accounts)


@contextlib.asynccontextmanager
async def connected(url: str, seed: str | None) -> AsyncIterator[Client]:
    """Connect once. Raises UnavailableError with what to do."""

    async def quiet(_: Exception) -> None:
        """Say nothing: what matters is raised."""

    try:
        async with asyncio.timeout(_PATIENCE):
            client = await nats.connect(
                url.split(","),
                nkeys_seed_str=seed,
                allow_reconnect=False,
                connect_timeout=_PATIENCE,
                error_cb=quiet,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        raise UnavailableError(
            "provision.broker_away",
            f"The broker did not let us in ({str(error) or type(error).__name__}): see"
            " that it runs with JetStream and, where it has users, that its configuration"
            " includes departments/accounts.conf of the data folder; then try again.",
        ) from error
    try:
        yield client
    finally:
        await client.close()
