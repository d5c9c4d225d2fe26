"""Connect to the broker and stay connected, whatever happens to it."""

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import nats.errors
import structlog
from faststream.nats import NatsBroker
from faststream.nats.security import NatsNKey
from nats.aio.client import Client

RECONNECT_SECONDS: Final = 1
_TRY_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 15.0

_STOPPING: Final[weakref.WeakSet[NatsBroker]] = weakref.WeakSet()
"""Those whose connection ends because we end it: nothing to warn of."""

log = structlog.get_logger(__name__)


def build_broker(
    servers: str | Sequence[str],
    *,
    name: str,
    seed: str | None = None,
    inbox_prefix: str = "_INBOX",
    reconnect_seconds: float = RECONNECT_SECONDS,
    on_closed: Callable[[], Awaitable[None]] | None = None,
) -> NatsBroker:
    """Make a FastStream broker that never gives a lost connection up.

    `seed` is the secret of an nkey user.  `on_closed` is called when the client has
    closed for good all the same, as it does when the server refuses its credentials
    at a reconnect: the program should end then and be started again.
    """

    async def disconnected() -> None:
        if broker not in _STOPPING:
            log.warning("broker.disconnected", client=name)

    async def reconnected() -> None:
        log.info("broker.reconnected", client=name)

    async def closed() -> None:
        if broker in _STOPPING:
            return
        log.error("broker.closed", client=name)
        if on_closed is not None:
            await on_closed()

    broker = NatsBroker(
        [servers] if isinstance(servers, str) else list(servers),
        name=name,
        security=None if seed is None else NatsNKey.from_seed(seed),
        inbox_prefix=inbox_prefix,
        # The default, 60 attempts, leaves a living process with a dead client.
        max_reconnect_attempts=-1,
        reconnect_time_wait=reconnect_seconds,  # type: ignore[arg-type]  # only slept
        error_cb=_log_error,
        disconnected_cb=disconnected,
        reconnected_cb=reconnected,
        closed_cb=closed,
        logger=None,  # FastStream would log each message; errors arrive in error_cb
    )
    return broker


async def connect_forever(broker: NatsBroker) -> Client:
    """Start the broker; while it cannot be reached, try again with growing pauses.

    Returns the connection, which stays the same object for the broker's life.
    """
    pause = 0.5
    while True:
        try:
            async with asyncio.timeout(_TRY_SECONDS):
                client = await broker.connect()
            await broker.start()
        except (TimeoutError, OSError, nats.errors.Error) as error:
            log.warning("broker.unreachable", reason=str(error), again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)
        else:
            return client


async def stop_broker(broker: NatsBroker, *, within: float = _STOP_SECONDS) -> None:
    """Stop the broker, also while the server is away, when `broker.stop()` raises."""
    _STOPPING.add(broker)
    client = broker._connection  # noqa: SLF001  (`connection` raises when there is none)
    try:
        async with asyncio.timeout(within):
            await broker.stop()
    except (TimeoutError, OSError, nats.errors.Error, ExceptionGroup) as error:
        log.warning("broker.stopped_roughly", reason=repr(error))
    if client is not None and not client.is_closed:
        with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
            async with asyncio.timeout(within):
                await client.close()


async def _log_error(error: Exception) -> None:
    reason = str(error)
    if "permissions violation" in reason.lower():
        # The only sign of it: a refused request just times out for its caller.
        log.error("broker.permission_refused", reason=reason)
    else:
        log.debug("broker.error", reason=reason or repr(error))
