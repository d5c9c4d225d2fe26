"""amends in one process: the broker's child, the three services, one HTTP origin.

Start order: folder, broker, streams, services, HTTP. Stop order is the reverse, and
every step is taken although another one failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, TypeVar

import structlog

from services.building import SERVICES, Site, started
from services.bus import running_bus
from services.handling.main import default_policy
from services.kernel.access import (
    Runtime,
    new_token,
    remove_runtime,
    write_runtime,
)
from services.kernel.folder import DataFolder
from services.kernel.web.serving import answering, listen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from services.kernel.settings import Settings

_log = structlog.get_logger(__name__)

R = TypeVar("R")

SWITCH_INTERVAL = 0.0005
"""Seconds; the writer threads share the processor with the loop."""


async def until_signal(
    serving: AbstractAsyncContextManager[R], ready: Callable[[R], Awaitable[None]]
) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` gets what `serving` gives."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving as given:
        await ready(given)
        await stop.wait()


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, *, port: int | None = None
) -> AsyncIterator[Runtime]:
    """Serve while the block runs; `port` overrides the setting, 0 takes a free one.

    Call it in the main thread: the broker's child ends with the thread that made it.
    Raises `RefusedError` where the data folder or the port is taken.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    folder = DataFolder(settings.data)
    folder.make()
    folder.require_whole()
    folder.require_own(settings.database_url, settings.nats_url)
    folder.require_own_broker(settings.nats_url)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.held())
        listener = stack.enter_context(
            contextlib.closing(
                listen(settings.host, settings.port if port is None else port)
            )
        )
        host, bound = listener.getsockname()[:2]
        policy = default_policy()
        bus = await stack.enter_async_context(
            running_bus(settings, folder, policy.departments)
        )
        runtime = Runtime(
            url=f"http://{host}:{bound}",
            token=new_token(),
            nats_url=bus.url,
            pid=os.getpid(),
        )
        site = Site(
            settings=settings,
            folder=folder,
            bus=bus,
            policy=policy,
            addresses=dict.fromkeys(SERVICES, runtime.url),
            token=runtime.token,
        )
        app = await stack.enter_async_context(started(site))
        # Before HTTP answers: who saw it ready finds the token of this run.
        write_runtime(folder.path, runtime)
        stack.callback(remove_runtime, folder.path)
        await stack.enter_async_context(answering(app, listener))
        yield runtime
        _log.info("amends.stopping")
