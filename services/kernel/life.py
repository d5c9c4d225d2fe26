"""What every service does alike: one writer, a life on the bus, health, an ordered end.

Nothing here holds up the start of a service: a complaint is received, and its receipt
given, while the broker is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from services.kernel import measures, telling
from services.kernel.broker.connection import connect_forever, stop_broker
from services.kernel.store.writer import Writer
from services.kernel.tasks import end
from services.kernel.web.health import Check, Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from fastapi import APIRouter
    from faststream.nats import NatsBroker
    from nats.aio.client import Client

    from services.kernel.inbox import Consumer
    from services.kernel.log_client import LogClient
    from services.kernel.measures import Sample
    from services.kernel.record import Record
    from services.kernel.relay import Relay
    from services.kernel.store.recorder import LogEntry

_log = structlog.get_logger(__name__)

_PAUSE = 1.0
_LONGEST_PAUSE = 15.0
_STOP_WITHIN = 10.0  # seconds for what is under way; the broker may be gone


class Part(Protocol):
    """A relay or a consumer: `run` ends after `stop`, or when cancelled."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


class Life:
    """`prepare` makes what the parts need on the broker; `parts` builds them."""

    def __init__(
        self,
        broker: NatsBroker,
        *,
        prepare: Callable[[Client], Awaitable[None]],
        parts: Callable[[Client], Sequence[Part]],
    ) -> None:
        self._broker = broker
        self._prepare = prepare
        self._make = parts
        self._parts: Sequence[Part] = ()
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, and return at once."""
        self._task = asyncio.create_task(self._live())

    async def quiet(self) -> None:
        """Take in no more and finish what is in hand; before the writer ends."""
        for part in self._parts:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_WITHIN):
                    await part.stop()

    async def stop(self) -> None:
        """End the connection, after the writer; never raises for a lost broker."""
        if self._task is not None:
            await end(self._task)
        await stop_broker(self._broker)

    @property
    def client(self) -> Client | None:
        """The connection, where there is one now."""
        return self._client if self._client and self._client.is_connected else None

    async def health(self) -> Health:
        """Say whether the broker can be reached now."""
        if self._client is None:
            return Health(ok=False, detail="not connected yet")
        if not self._client.is_connected:
            return Health(ok=False, detail="connection lost, trying again")
        if not self._parts:
            return Health(ok=False, detail="streams are being prepared")
        return Health(ok=True)

    async def _live(self) -> None:
        self._client = await connect_forever(self._broker)
        await self._prepared(self._client)
        self._parts = self._make(self._client)
        async with asyncio.TaskGroup() as running:
            for part in self._parts:
                running.create_task(part.run())

    async def _prepared(self, client: Client) -> None:
        pause = _PAUSE
        while True:
            try:
                await self._prepare(client)
            except Exception as error:  # noqa: BLE001 whatever it is, try until it works
                _log.warning(
                    "broker.not_prepared", reason=str(error), again_in_seconds=pause
                )
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, 2 * pause)
            else:
                return


class BusService:
    """A running service: its routes, its checks, its life.

    Each service's `main` puts its own parts together and says in `_on_bus` which relays
    and which consumer it runs. `follows` names the service whose record it reads, with
    `log` as the road to what is missing; `record` is its own, where it has one.
    """

    def __init__(
        self,
        name: str,
        broker: NatsBroker,
        *,
        prepare: Callable[[Client], Awaitable[None]],
        follows: str,
        log: LogClient,
        record: Record[Any] | None,
    ) -> None:
        self.name = name
        self.routers: Sequence[APIRouter] = ()
        self.checks = [
            # While the broker is away complaints and commands are still taken.
            Check(f"{name}.broker", self._broker_health, required=False),
            Check(f"{name}.consumer", self._consumer_health, required=False),
        ]
        if record is not None:
            self.checks.append(Check(f"{name}.relay", self._relay_health))
        self._follows, self._log, self._own = follows, log, record
        self._writer = Writer(name)
        self._relays: Sequence[Relay] = ()
        self._consumer: Consumer | None = None
        self._life = Life(broker, prepare=prepare, parts=self._on_bus)

    async def start(self) -> None:
        if self._own is not None:
            self._own.start()
        self._writer.start()
        await self._life.start()

    async def stop(self) -> None:
        """Stop taking in, end the writer, then the broker, then close the databases."""
        await self._life.quiet()
        await asyncio.to_thread(self._writer.stop)
        await self._life.stop()
        await self._log.close()
        await asyncio.to_thread(self._close)

    def recorded(self, after: int, limit: int) -> list[LogEntry]:
        """Give at most `limit` entries of its own record behind a position."""
        return [] if self._own is None else self._own.store.log(after, limit)

    def progress(self) -> dict[str, int]:
        """Give its record's last position, and how far the other's was read."""
        read = self._consumer.status().position if self._consumer else 0
        recorded = (
            {} if self._own is None else {"recorded": self._own.store.last_position()}
        )
        return {**recorded, self._follows: read}

    async def figures(self) -> list[Sample]:
        """Tell what `/metrics` and `amends top` show of it. Never raises."""
        return await telling.told(self.name, self._questions())

    def _questions(self) -> list[telling.Question]:
        """Give what to ask for figures; each service adds what only it has."""
        name, consumer = self.name, self._consumer
        asked: list[telling.Question] = [self._own_figures]
        if self._own is not None:
            asked.append(telling.asked_in_thread(partial(telling.of_record, self._own)))
        asked += [
            telling.asked_in_thread(partial(telling.of_relay, name, relay))
            for relay in self._relays
        ]
        if consumer is not None:
            asked.append(partial(telling.of_pull, name, "consumer", consumer))
        return asked

    async def _own_figures(self) -> list[Sample]:
        found = self._writer.figures()
        found.append(measures.BROKER.of(self._life.client is not None, self.name))
        if self._consumer is not None:
            found += telling.of_inbox(self.name, self._consumer)
        return found

    def _on_bus(self, client: Client) -> Sequence[Part]:
        """Make what runs on the bus, and keep `_relays` and `_consumer` of it."""
        raise NotImplementedError

    def _close(self) -> None:
        """Close what the service opened beside its record."""
        if self._own is not None:
            self._own.stop()

    async def _broker_health(self) -> Health:
        return await self._life.health()

    async def _relay_health(self) -> Health:
        if not self._relays:
            return Health(ok=True, detail="waits for the broker")
        found = [_relay_health(relay) for relay in self._relays]
        return next((health for health in found if not health.ok), found[0])

    async def _consumer_health(self) -> Health:
        if self._consumer is None:
            return Health(ok=True, detail="waits for the broker")
        return _consumer_health(self._consumer)


def _relay_health(relay: Relay) -> Health:
    """Say whether a relay may go on; a broker that is away is not its fault."""
    status = relay.status()
    return Health(status.state != "mismatch", status.fault or "")


def _consumer_health(consumer: Consumer) -> Health:
    """Say how far a consumer is behind, and what waits."""
    status = consumer.status()
    waiting = status.waiting
    told = {
        "position": status.position,
        "behind": status.behind,
        "gaps": waiting.gaps,
        "newer": waiting.newer,
        "poison": waiting.poison,
    }
    detail = " ".join(f"{name}={value}" for name, value in told.items())
    if waiting.poison:
        detail += " run `amends quarantine list`"
    return Health(status.healthy, f"{detail} {status.fault or ''}".rstrip())
