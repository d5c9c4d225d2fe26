"""A service's life on the bus: connect, prepare, run its relays and consumers, stop.

Nothing here holds up the start of a service: a complaint is received, and its receipt
given, while the broker is away.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

import structlog

from services.kernel.broker.connection import connect_forever, stop_broker
from services.kernel.tasks import end
from services.kernel.web.health import Health

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from faststream.nats import NatsBroker
    from nats.aio.client import Client

    from services.kernel.inbox import Consumer
    from services.kernel.relay import Relay

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


def relay_health(relay: Relay | None) -> Health:
    """Say whether a relay may go on; a broker that is away is not its fault."""
    if relay is None:
        return Health(ok=True, detail="waits for the broker")
    status = relay.status()
    return Health(status.state != "mismatch", status.fault or "")


def consumer_health(consumer: Consumer | None) -> Health:
    """Say how far a consumer is behind, and what waits."""
    if consumer is None:
        return Health(ok=True, detail="waits for the broker")
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
    return Health(status.healthy, f"{detail} {status.fault or ''}".rstrip())
