"""One service in a process of its own, beside a broker and the others that run already."""

from __future__ import annotations

import contextlib
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from services.building import Site, started
from services.bus import running_bus
from services.handling.main import default_policy
from services.kernel.access import read_service_token
from services.kernel.errors import RefusedError
from services.kernel.folder import DataFolder
from services.kernel.settings import addresses
from services.kernel.web.serving import answering, listen
from services.up import SWITCH_INTERVAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.kernel.settings import Settings

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running(
    settings: Settings, name: str, *, port: int | None = None
) -> AsyncIterator[str]:
    """Serve one service while the block runs, and give where; `port` 0 takes a free one.

    Raises `RefusedError` where no broker or no token is given, where this service runs
    already on SQLite files, where `amends up` runs, or where the port is taken.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    if settings.nats_url is None:
        raise RefusedError(
            "run.no_broker",
            "Processes of their own need a NATS server that runs: name it with"
            " AMENDS_NATS_URL (`amends up` brings its own).",
        )
    folder = DataFolder(settings.data)
    folder.make()
    folder.require_whole()
    folder.require_own(settings.database_url, settings.nats_url)
    folder.require_own_broker(settings.nats_url)
    token = settings.service_token or read_service_token(folder.path)
    if token is None:
        raise RefusedError(
            "run.no_token",
            "The services have no token to show each other: run `amends provision`"
            " first, or set AMENDS_SERVICE_TOKEN.",
        )
    async with AsyncExitStack() as stack:
        # A SQLite file has one process that writes; PostgreSQL has any number.
        stack.enter_context(folder.held_for(name, alone=settings.database_url is None))
        where = addresses(settings)
        listener = stack.enter_context(
            contextlib.closing(
                listen(settings.host, _port_of(where[name]) if port is None else port)
            )
        )
        host, bound = listener.getsockname()[:2]
        policy = default_policy()
        bus = await stack.enter_async_context(
            running_bus(settings, folder, policy.departments)
        )
        site = Site(
            settings=settings,
            folder=folder,
            bus=bus,
            policy=policy,
            addresses=where,
            token=token,
        )
        app = await stack.enter_async_context(started(site, (name,)))
        await stack.enter_async_context(
            answering(app, listener, notice=settings.notice_seconds)
        )
        yield f"http://{host}:{bound}"
        _log.info("amends.stopping", service=name)


def _port_of(address: str) -> int:
    url = urlsplit(address)
    return url.port or (443 if url.scheme == "https" else 80)
