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
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from fastapi import Depends, FastAPI

from events.subjects import Stream
from services.analytics import main as analytics
from services.analytics.pages.insight import Readers
from services.asyncapi import describe
from services.bus import Bus, read_event, running_bus
from services.handling import main as handling
from services.handling.ports import FeedAccess
from services.intake import main as intake
from services.kernel.access import (
    OPERATOR,
    OperatorTokens,
    Runtime,
    new_token,
    remove_runtime,
    write_runtime,
)
from services.kernel.admission import Admission
from services.kernel.broker.server import API_PREFIX
from services.kernel.folder import DataFolder
from services.kernel.log_client import open_log
from services.kernel.web.caller import caller
from services.kernel.web.edge import edge
from services.kernel.web.health import health_router
from services.kernel.web.metrics import HttpMetrics, metrics_router, new_registry
from services.kernel.web.pages.assets import KERNEL_STATIC, Assets
from services.kernel.web.problems import install
from services.kernel.web.serving import answering, listen

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Mapping,
        Sequence,
    )

    from fastapi import APIRouter
    from faststream.nats import NatsBroker

    from services.handling.domain.policy import Policy
    from services.kernel.access import Authenticator
    from services.kernel.settings import Settings
    from services.kernel.web.health import Check

_log = structlog.get_logger(__name__)

CONNECTED = ("intake", "handling", "analytics")
"""Services with a connection of their own to the broker."""
SWITCH_INTERVAL = 0.0005
"""Seconds; the writer threads share the processor with the loop."""


class Service(Protocol):
    """One service as its `main` built it."""

    @property
    def name(self) -> str: ...

    @property
    def routers(self) -> Sequence[APIRouter]: ...

    @property
    def checks(self) -> Sequence[Check]: ...

    def progress(self) -> dict[str, int]:
        """Give the last position of its own record, and how far it has read others'."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def run_until_signal(
    settings: Settings, ready: Callable[[Runtime], Awaitable[None]]
) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as runtime:
        await ready(runtime)
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
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.held())
        listener = stack.enter_context(
            contextlib.closing(
                listen(settings.host, settings.port if port is None else port)
            )
        )
        token = new_token()
        host, bound = listener.getsockname()[:2]
        policy = handling.default_policy()
        bus = await stack.enter_async_context(
            running_bus(settings, folder, policy.departments)
        )
        runtime = Runtime(
            url=f"http://{host}:{bound}",
            token=token,
            nats_url=bus.url,
            pid=os.getpid(),
        )
        brokers = {name: bus.connection(name) for name in CONNECTED}
        services = _build(settings, folder, bus, runtime, policy, brokers=brokers)
        for service in services:
            stack.push_async_callback(_guarded, service.stop)
            await service.start()
        app = _app(services, OperatorTokens({token: OPERATOR}), list(brokers.values()))
        # Before HTTP answers: who saw it ready finds the token of this run.
        write_runtime(folder.path, runtime)
        stack.callback(remove_runtime, folder.path)
        await stack.enter_async_context(answering(app, listener))
        yield runtime
        _log.info("amends.stopping")


def _build(
    settings: Settings,
    folder: DataFolder,
    bus: Bus,
    runtime: Runtime,
    policy: Policy,
    *,
    brokers: Mapping[str, NatsBroker],
) -> list[Service]:
    """Build the services on one origin, each with a connection of its own."""
    roles = handling.roles(policy)
    looking = roles - {"admin", "channel"}
    admission = Admission(
        settings,
        folder,
        roles=roles,
        places=handling.places(policy),
        operator=runtime.token,
    )
    return [
        admission,
        intake.IntakeService(
            settings=settings,
            folder=folder,
            broker=brokers["intake"],
            prepare=bus.prepare,
            authenticator=admission,
            viewers=admission,
            read=read_event,
            handling_log=open_log(runtime.url, runtime.token, "handling"),
        ),
        handling.HandlingService(
            settings=settings,
            folder=folder,
            broker=brokers["handling"],
            prepare=bus.prepare,
            admission=admission,
            policy=policy,
            feeds=_feeds(bus),
            read=read_event,
            intake_log=open_log(runtime.url, runtime.token, "intake"),
        ),
        analytics.AnalyticsService(
            settings=settings,
            folder=folder,
            broker=brokers["analytics"],
            prepare=bus.prepare,
            authenticator=admission,
            viewers=admission,
            readers=Readers(
                figures=looking, cases=looking - frozenset(policy.unit_roles)
            ),
            read=read_event,
            handling_log=open_log(runtime.url, runtime.token, "handling"),
        ),
    ]


def _feeds(bus: Bus) -> dict[str, FeedAccess]:
    """Say how each department reads its feed: from an account of its own.

    A broker without users, which `seed` None means, has no accounts either.
    """
    return {
        feed.department: FeedAccess(
            nats_url=bus.url,
            seed=feed.seed,
            api_prefix=API_PREFIX if bus.seed else "$JS.API",
            stream=Stream.DEPARTMENTS,
            durable=feed.user.name,
            inbox_prefix=feed.user.inbox_prefix,
        )
        for feed in bus.feeds
    }


def _app(
    services: Sequence[Service], operator: Authenticator, live: Sequence[NatsBroker]
) -> Any:
    """Join the services' routes on one origin, with health and metrics."""
    app = FastAPI(
        title="amends",
        summary="Customer complaints, none of them lost.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    registry = new_registry()
    checks = [check for service in services for check in service.checks]
    app.include_router(health_router(checks))
    app.include_router(metrics_router(registry))
    app.include_router(Assets("kernel", KERNEL_STATIC).router())
    for service in services:
        for router in service.routers:
            app.include_router(router)
    bus = describe(version("amends"), live)

    @app.get("/asyncapi", tags=["documentation"], summary="The bus, as AsyncAPI 3")
    def asyncapi() -> dict[str, Any]:
        return bus

    @app.get(
        "/api/progress",
        tags=["health"],
        summary="How far each service has read the others' records",
        dependencies=[Depends(caller(operator, service=True))],
    )
    def progress() -> dict[str, dict[str, int]]:
        return {service.name: service.progress() for service in services}

    install(app)
    return edge(app, HttpMetrics(registry))


async def _guarded(stop: Callable[[], Awaitable[None]]) -> None:
    """Take a step of the stop; the others are taken although it fails."""
    try:
        await stop()
    except Exception:  # noqa: BLE001 the other steps must be taken
        _log.exception("amends.stop_failed")
