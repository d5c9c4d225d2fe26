"""amends in one process: the broker's child, the three services, one HTTP origin.

Start order: folder, broker, streams, services, HTTP. Stop order is the reverse, and
every step is taken although another one failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

import structlog
import uvicorn
from fastapi import Depends, FastAPI

from events.subjects import Stream
from services.asyncapi import describe
from services.bus import CONSUMERS, Feed, kept_feeds, read_event, streams
from services.kernel.access import (
    OPERATOR,
    OperatorTokens,
    Runtime,
    new_token,
    remove_runtime,
    write_runtime,
)
from services.kernel.admission import Admission
from services.kernel.broker.connection import build_broker
from services.kernel.broker.provision import provision
from services.kernel.broker.server import (
    API_PREFIX,
    NatsServer,
    accounts,
    public_key,
)
from services.kernel.errors import RefusedError
from services.kernel.folder import DataFolder
from services.kernel.log_client import open_log
from services.kernel.web.caller import caller
from services.kernel.web.edge import edge
from services.kernel.web.health import health_router
from services.kernel.web.metrics import HttpMetrics, metrics_router, new_registry
from services.kernel.web.pages.assets import KERNEL_STATIC, Assets
from services.kernel.web.problems import install

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Sequence,
    )

    from fastapi import APIRouter
    from faststream.nats import NatsBroker
    from nats.aio.client import Client

    from services.handling.domain.policy import Policy
    from services.handling.ports import FeedAccess
    from services.kernel.access import Authenticator
    from services.kernel.settings import Settings
    from services.kernel.web.health import Check

_log = structlog.get_logger(__name__)

SWITCH_INTERVAL = (
    0.0005  # seconds; the writer threads share the processor with the loop
)
ACCOUNTS_FILE = "accounts.conf"
DRAIN = 10  # seconds that open requests have to end


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


@dataclass(frozen=True, slots=True)
class _Bus:
    """The broker's address and secret, and what makes its streams."""

    url: str
    seed: str | None
    monitor_url: str | None
    feeds: Sequence[Feed]
    prepare: Callable[[Client], Awaitable[None]]

    def connection(self, name: str) -> NatsBroker:
        return build_broker(self.url.split(","), name=f"amends-{name}", seed=self.seed)


class _Server(uvicorn.Server):
    """uvicorn without its signals: it raises SIGTERM again before we have stopped."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
                _listen(settings.host, settings.port if port is None else port)
            )
        )
        token = new_token()
        host, bound = listener.getsockname()[:2]
        policy = _policy()
        bus = await stack.enter_async_context(
            _bus(settings, folder, policy.departments)
        )
        runtime = Runtime(
            url=f"http://{host}:{bound}",
            token=token,
            nats_url=bus.url,
            pid=os.getpid(),
        )
        services = _build(settings, folder, bus, runtime, policy)
        for service in services:
            stack.push_async_callback(_guarded, service.stop)
            await service.start()
        app = _app(services, OperatorTokens({token: OPERATOR}))
        # Before HTTP answers: who saw it ready finds the token of this run.
        write_runtime(folder.path, runtime)
        stack.callback(remove_runtime, folder.path)
        await stack.enter_async_context(_http(app, listener))
        yield runtime
        _log.info("amends.stopping")


@contextlib.asynccontextmanager
async def _bus(
    settings: Settings, folder: DataFolder, departments: Sequence[str]
) -> AsyncIterator[_Bus]:
    """Use the broker that the settings name, or run one as our child."""
    feeds = kept_feeds(folder.path / "departments", departments)
    users = [feed.user for feed in feeds]
    if settings.nats_url is not None:
        credentials = settings.nats_credentials
        seed = credentials.read_text().strip() if credentials else None
        if seed is not None:  # for whoever runs that broker to include
            target = folder.path / "departments" / ACCOUNTS_FILE
            target.write_text(f"{accounts(public_key(seed), users)}\n")
        yield _prepared(
            settings, settings.nats_url, seed, settings.nats_monitor_url, feeds
        )
        return
    child = NatsServer(folder.path / "nats", users=users)
    child.start()
    watching = asyncio.create_task(child.supervise())
    try:
        yield _prepared(settings, child.url, child.seed, child.monitor_url, feeds)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        child.stop()


def _prepared(
    settings: Settings,
    url: str,
    seed: str | None,
    monitor_url: str | None,
    feeds: Sequence[Feed],
) -> _Bus:
    once = asyncio.Lock()
    done = False

    async def prepare(client: Client) -> None:
        """Make streams and durables once, whichever service comes first."""
        nonlocal done
        async with once:
            if done:
                return
            report = await provision(
                client.jetstream(),
                streams(settings),
                (*CONSUMERS, *(feed.consumer for feed in feeds)),
                monitor_url=monitor_url,
            )
            if report.durable is False:
                _log.error(
                    "broker.not_durable",
                    sync_interval=report.sync_interval,
                    remedy="set `sync_interval: always` in the server's configuration",
                )
            done = True

    return _Bus(url, seed, monitor_url, feeds, prepare)


def _policy() -> Policy:
    from services.handling.main import default_policy  # noqa: PLC0415 see _build

    return default_policy()


def _build(
    settings: Settings,
    folder: DataFolder,
    bus: _Bus,
    runtime: Runtime,
    policy: Policy,
) -> list[Service]:
    """Build the services on one origin, each with a connection of its own."""
    # Imported here: `amends --help` must not load them.
    from services.analytics import main as analytics  # noqa: PLC0415
    from services.analytics.pages.insight import Readers  # noqa: PLC0415
    from services.handling import main as handling  # noqa: PLC0415
    from services.intake import main as intake  # noqa: PLC0415

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
            broker=bus.connection("intake"),
            prepare=bus.prepare,
            authenticator=admission,
            viewers=admission,
            read=read_event,
            handling_log=open_log(runtime.url, runtime.token, "handling"),
        ),
        handling.HandlingService(
            settings=settings,
            folder=folder,
            broker=bus.connection("handling"),
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
            broker=bus.connection("analytics"),
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


def _feeds(bus: _Bus) -> dict[str, FeedAccess]:
    """Say how each department reads its feed: from an account of its own.

    A broker without users, which `seed` None means, has no accounts either.
    """
    from services.handling.ports import FeedAccess  # noqa: PLC0415 see _build

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


def _app(services: Sequence[Service], operator: Authenticator) -> Any:
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
    bus = describe(version("amends"))

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


@contextlib.asynccontextmanager
async def _http(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Answer on the listener while the block runs, then let open requests end."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",  # the services' lives are framed by `serving`
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=DRAIN,
            server_header=False,
        )
    )
    serve = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serve.done():  # noqa: ASYNC110 uvicorn has no event
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await serve


def _listen(host: str, port: int) -> socket.socket:
    """Bind the address before anything is started, so that a taken one is told first."""
    try:
        return socket.create_server((host, port), backlog=2_048)
    except OSError as error:
        raise RefusedError(
            "up.port_taken",
            f"Cannot listen on {host}:{port} ({error.strerror}): stop what is there,"
            " or choose another port with AMENDS_PORT.",
        ) from error


async def _guarded(stop: Callable[[], Awaitable[None]]) -> None:
    """Take a step of the stop; the others are taken although it fails."""
    try:
        await stop()
    except Exception:  # noqa: BLE001 the other steps must be taken
        _log.exception("amends.stop_failed")
