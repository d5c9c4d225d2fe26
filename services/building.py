"""Services put together on one HTTP origin: all of them, or one in a process of its own.

The one way to build each service, start it, join its routes and stop it.
"""

from __future__ import annotations

import contextlib
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog
from fastapi import Depends, FastAPI

from events import subjects
from events.subjects import Stream
from services.analytics.main import AnalyticsService
from services.analytics.pages.insight import Readers
from services.bus import read_event
from services.documentation import pages as documentation
from services.documentation.asyncapi import describe
from services.handling import main as handling
from services.handling.ports import FeedAccess
from services.intake.main import IntakeService
from services.intake.ports import ChannelAccess
from services.kernel.access import MIGRATION
from services.kernel.admission import Admission
from services.kernel.broker.server import API_PREFIX
from services.kernel.clock import system_clock
from services.kernel.delegation import IMPORTERS
from services.kernel.installation import Installation
from services.kernel.log_client import open_log
from services.kernel.web.caller import caller
from services.kernel.web.edge import edge
from services.kernel.web.health import Check, Health, health_router
from services.kernel.web.metrics import HttpMetrics, metrics_router, new_registry
from services.kernel.web.pages.assets import KERNEL_STATIC, Assets
from services.kernel.web.problems import install

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

    from services.bus import Bus
    from services.handling.domain.policy import Policy
    from services.kernel.clock import Clock
    from services.kernel.folder import DataFolder
    from services.kernel.measures import Sample
    from services.kernel.settings import Settings
    from services.kernel.web.pages import Pages

_log = structlog.get_logger(__name__)

OPENAPI: Final = "/api/openapi.json"
_OPENAPI_OF: Final = "/api/{}/openapi.json"
SERVICES: Final = ("intake", "handling", "analytics")


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

    async def figures(self) -> Sequence[Sample]:
        """Tell what `/metrics` shows of it; never raises."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Site:
    """What the services of one process stand on.

    `addresses` says where each service answers (`http://host:port`); `token` is what
    they and the operator show there.
    """

    settings: Settings
    folder: DataFolder
    bus: Bus
    policy: Policy
    addresses: Mapping[str, str]
    token: str = field(repr=False)
    clock: Clock = system_clock


@contextlib.asynccontextmanager
async def started(site: Site, names: Sequence[str] = SERVICES) -> AsyncIterator[Any]:
    """Start these services and give their one HTTP application; then stop them.

    They stop in reverse order, each although another one failed.
    """
    brokers = {name: site.bus.connection(name) for name in names}
    services = await built(site, brokers)
    admission = services[0]
    assert isinstance(admission, Admission)  # noqa: S101 - as built, for mypy
    async with AsyncExitStack() as stack:
        for service in services:
            stack.push_async_callback(_guarded, service.stop)
            await service.start()
        pages = documentation.documentation_pages(
            viewers=admission,
            time_zone=site.settings.time_zone,
            demonstration=site.folder.demonstration,
            staging=site.folder.staging,
        )
        yield _joined(
            services,
            pages,
            admission,
            Installation(site.settings, site.folder),
            live=list(brokers.values()),
            of=names,
            marks=[Check("staging", _nothing_is_sent)] if site.folder.staging else [],
        )


async def built(site: Site, brokers: Mapping[str, NatsBroker]) -> list[Service]:
    """Build the services that have a connection here, behind the one that admits."""
    admission = await _admission(site, writing="handling" in brokers)
    return [
        admission,
        *(_BUILDERS[name](site, admission, broker) for name, broker in brokers.items()),
    ]


async def _admission(site: Site, *, writing: bool) -> Admission:
    """Open the record of who may come in; handling's process is the one that writes."""

    def opened(*, reading: bool) -> Admission:
        roles, looking = handling.roles(site.policy), handling.looking(site.policy)
        return Admission(
            site.settings,
            site.folder,
            roles=roles,
            places=handling.places(site.policy),
            sections={
                "/desk": looking,
                "/insight": looking,
                "/import": IMPORTERS,
                "/access": roles,
            },
            operator=site.token,
            reading=reading,
            now=site.clock,
        )

    with site.folder.one_at_a_time(Admission.name):
        if writing:
            return opened(reading=False)
        # Handling may never have run: make what is read. On SQLite not again: beside
        # one connection that writes, another could lose its commits.
        file = site.folder.path / Admission.name / "store.sqlite"
        if site.settings.database_url or not file.exists():
            await opened(reading=False).stop()
        return opened(reading=True)


def _intake(site: Site, admission: Admission, broker: NatsBroker) -> Service:
    return IntakeService(
        settings=site.settings,
        folder=site.folder,
        broker=broker,
        prepare=site.bus.prepare,
        authenticator=admission,
        viewers=admission,
        names=admission.names,
        read=read_event,
        handling_log=open_log(site.addresses["handling"], site.token, "handling"),
        entrances=_entrances(site.bus),
        now=site.clock,
        addresses=site.addresses,
        import_token=lambda actor, until: admission.delegation.token(
            actor, until=until
        ),
        departments=tuple(site.policy.departments),
    )


def _entrances(bus: Bus) -> dict[str, ChannelAccess]:
    """Say how the system of each channel hands in; none where the broker has no users."""
    return {
        each.channel: ChannelAccess(
            nats_url=bus.url,
            seed=each.seed,
            inbox_prefix=each.user.inbox_prefix,
            submit=subjects.submit(each.channel),
            ask=subjects.ask_submit(each.channel),
        )
        for each in bus.entrances
        if bus.seed is not None
    }


def _handling(site: Site, admission: Admission, broker: NatsBroker) -> Service:
    return handling.HandlingService(
        settings=site.settings,
        folder=site.folder,
        broker=broker,
        prepare=site.bus.prepare,
        admission=admission,
        policy=site.policy,
        feeds=_feeds(site.bus),
        read=read_event,
        intake_log=open_log(site.addresses["intake"], site.token, "intake"),
        now=site.clock,
    )


def _analytics(site: Site, admission: Admission, broker: NatsBroker) -> Service:
    looking = handling.looking(site.policy)
    return AnalyticsService(
        settings=site.settings,
        folder=site.folder,
        broker=broker,
        prepare=site.bus.prepare,
        authenticator=admission,
        viewers=admission,
        names=admission.names,
        readers=Readers(
            figures=looking, cases=looking - frozenset(site.policy.unit_roles)
        ),
        read=read_event,
        handling_log=open_log(site.addresses["handling"], site.token, "handling"),
        now=site.clock,
    )


_BUILDERS: Final[Mapping[str, Callable[[Site, Admission, NatsBroker], Service]]] = {
    "intake": _intake,
    "handling": _handling,
    "analytics": _analytics,
}


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


def _joined(
    services: Sequence[Service],
    pages: Pages,
    admission: Admission,
    installation: Installation,
    *,
    live: Sequence[NatsBroker],
    of: Sequence[str],
    marks: Sequence[Check],
) -> Any:
    """Join the services' routes on one origin, with health and metrics.

    Where each has a process of its own, each describes its own routes.
    """
    together = tuple(of) == SERVICES
    openapi = OPENAPI if together else _OPENAPI_OF.format(of[0])
    everything = [openapi] if together else [_OPENAPI_OF.format(s) for s in SERVICES]
    app = FastAPI(
        title="amends",
        summary="Customer complaints, none of them lost.",
        docs_url=None,
        redoc_url=None,
        openapi_url=openapi,
    )
    registry = new_registry()
    checks = [check for service in services for check in service.checks]
    checks += marks
    app.include_router(health_router(checks))
    told = [installation.figures, *(service.figures for service in services)]
    app.include_router(metrics_router(registry, told))
    app.include_router(Assets("kernel", KERNEL_STATIC).router())
    for service in services:
        for router in service.routers:
            app.include_router(router)
    app.include_router(
        documentation.router(pages, describe(version("amends"), live), everything)
    )

    # An import waits until handling has its cases.
    following = caller(admission, service=True, or_role=MIGRATION)

    @app.get(
        "/api/progress",
        tags=["health"],
        summary="How far each service has read the others' records",
        dependencies=[Depends(following)],
    )
    def progress() -> dict[str, dict[str, int]]:
        return {service.name: service.progress() for service in services}

    install(app)
    return edge(app, HttpMetrics(registry), pages=pages)


async def _nothing_is_sent() -> Health:
    return Health(ok=True, detail="a copy to try things on: nothing is sent")


async def _guarded(stop: Callable[[], Awaitable[None]]) -> None:
    """Take a step of the stop; the others are taken although it fails."""
    try:
        await stop()
    except Exception:  # noqa: BLE001 the other steps must be taken
        _log.exception("amends.stop_failed")
