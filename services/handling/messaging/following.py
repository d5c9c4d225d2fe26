"""Read a department's feed as the department's own program does, event by event."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import nats.errors
from nats.aio.client import Client

from services.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.msg import Msg

    from services.handling.ports import FeedAccess

CONNECT_WITHIN: Final = 10.0
ASK_FOR: Final = 1.0
"""Seconds that one request for the next event stays open.

The broker counts a request whose sender is gone as waiting until it ends. So requests
are short, and the last one is waited for.
"""

GRACE: Final = 0.5
"""Seconds that the broker may take beyond its time to give an event out again."""

_PAUSE: Final = 1.0
_ANSWER_WITHIN: Final = 5.0
_LAST_WORD: Final = 1


async def follow(
    access: FeedAccess, show: Callable[[bytes], None], *, tell: Callable[[str], None]
) -> None:
    """Show every event of the feed, oldest first, until cancelled.

    An event is acknowledged once it was shown, and no other is in hand meanwhile: who
    follows later goes on behind it. After a crash the one that was being shown comes
    first, and again. `tell` gets what a person should know in between.

    Raises UnavailableError where the broker lets the department in nowhere.
    """
    client = await _connected(access, tell)
    try:
        _heed_cancelling()
        feed = _Feed(client, access)
        await feed.open(tell)
        _heed_cancelling()
        while True:
            step = asyncio.ensure_future(feed.step(show))
            try:
                await asyncio.shield(step)
            except asyncio.CancelledError:
                await step  # what comes meanwhile is shown: nobody else would get it
                await feed.rest(show)
                raise
    finally:
        await _closed(client)


def _heed_cancelling() -> None:
    """Raise a cancellation that was lost on the way.

    The client waits by `asyncio.wait_for`, which before Python 3.12 drops one that
    comes together with what it waits for: Ctrl-C would be heard and nothing end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Feed:
    """The department's durable; one message in hand."""

    def __init__(self, client: Client, access: FeedAccess) -> None:
        self._client = client
        self._js = client.jetstream(prefix=access.api_prefix, timeout=_ANSWER_WITHIN)
        self._access = access
        self._subscription: Any = None
        self._last: tuple[int, float] | None = None

    async def open(self, tell: Callable[[str], None]) -> None:
        """Bind; wait until what a killed follower had in hand is given out again."""
        stream, durable = self._access.stream, self._access.durable
        try:
            known = await self._js.consumer_info(stream, durable)
            if known.num_waiting:  # perhaps of one who was killed just now
                await asyncio.sleep(ASK_FOR)
                known = await self._js.consumer_info(stream, durable)
        except (nats.errors.Error, TimeoutError) as error:
            raise UnavailableError(
                "follow.no_feed",
                f"The broker does not give {durable} to its department: see"
                " docs/how-to/follow-a-department.md on a broker of your own.",
            ) from error
        if known.num_waiting:
            tell("Somebody else follows this feed now: each event goes to one of you.")
        elif known.num_ack_pending:
            seconds = known.config.ack_wait or 0
            tell(f"Waiting {seconds:g} s for what a killed follower had in hand.")
            await asyncio.sleep(seconds + GRACE)
        self._subscription = await self._js.pull_subscribe_bind(
            durable=durable,
            stream=stream,
            inbox_prefix=f"{self._access.inbox_prefix}.".encode(),
        )

    async def step(self, show: Callable[[bytes], None]) -> None:
        """Show the next event, if one comes, and acknowledge it."""
        message = await self._next()
        if message is None:
            return
        if _place(message) != self._last:  # else its acknowledgement was lost
            show(message.data)
        self._last = _place(message)
        with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
            await message.ack_sync(timeout=_ANSWER_WITHIN)

    async def rest(self, show: Callable[[bytes], None]) -> None:
        """Show what was on its way as the last question for it ended."""
        with contextlib.suppress(nats.errors.Error, TimeoutError, OSError):
            await self._client.flush(timeout=_LAST_WORD)
        while self._subscription.pending_msgs:
            await self.step(show)

    async def _next(self) -> Msg | None:
        """Give the next message, None where there was none for a while."""
        try:
            (message,) = await self._subscription.fetch(1, timeout=ASK_FOR)
        except nats.errors.TimeoutError:
            return None
        except (nats.errors.Error, OSError):
            await asyncio.sleep(_PAUSE)  # the client connects again by itself
            return None
        return message  # type: ignore[no-any-return] # the library names no type


def _place(message: Msg) -> tuple[int, float]:
    about = message.metadata
    return about.sequence.stream, about.timestamp.timestamp()


async def _connected(access: FeedAccess, tell: Callable[[str], None]) -> Client:
    client = Client()
    reasons: list[str] = []

    async def failed(error: Exception) -> None:
        reasons.append(str(error) or type(error).__name__)

    async def lost() -> None:
        if not client.is_closed:
            tell("Connection lost; going on when the broker is back.")

    async def back() -> None:
        tell("Connected again.")

    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            await client.connect(
                access.nats_url.split(","),
                name=f"amends-follow-{access.durable}",
                nkeys_seed_str=access.seed,
                inbox_prefix=access.inbox_prefix,
                max_reconnect_attempts=-1,
                reconnect_time_wait=1,
                error_cb=failed,
                disconnected_cb=lost,
                reconnected_cb=back,
            )
    except asyncio.CancelledError:
        await _closed(client)
        raise
    except (nats.errors.Error, TimeoutError, OSError) as error:
        reason = reasons[-1] if reasons else str(error) or "no answer"
        await _closed(client)
        raise UnavailableError(
            "follow.not_connected",
            f"The broker at {access.nats_url} does not let {access.durable} in"
            f" ({reason}): start it, or give it the department's account.",
        ) from error
    return client


async def _closed(client: Client) -> None:
    with contextlib.suppress(nats.errors.Error, OSError):
        await client.close()
