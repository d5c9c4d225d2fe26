"""Take messages of a durable as they come: what gathers while one batch commits is next."""

import asyncio
import contextlib
import json
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from services.kernel.broker.durables import lag_of
from services.kernel.broker.headers import POSITION

HAND: Final = 1_000
"""Messages that one worker holds at most: all are out of reach if it dies."""
BATCH: Final = 500

_EXPIRES: Final = 30.0
_HEARTBEAT: Final = 1.0
_SILENT_HEARTBEATS: Final = 3
_FLUSH_SECONDS: Final = 2.0
_LONGEST_DELAY: Final = 30.0
_API_TIMEOUT: Final = 2.0
_V1_WORDS: Final = 9  # $JS.ACK.<stream>.<durable>.<delivered>.…; v2 has two more before

_log = structlog.get_logger(__name__)


class StandingPull:
    """A request for messages that always stands, for as many as there is room for.

    It asks for the places that are free in hand, again when half are free, and only
    after a batch was handled: never because messages have merely arrived, else a dead
    worker would hold everything that may be pending.  It asks anew after a reconnect
    and when the heartbeats of its request stay out.
    """

    def __init__(
        self,
        nc: Client,
        *,
        stream: str,
        durable: str,
        hand: int = HAND,
        batch: int = BATCH,
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_ask` is consulted before each request: False pauses the pull."""
        self._nc = nc
        self._js = nc.jetstream(timeout=_API_TIMEOUT)
        self._stream, self._durable = stream, durable
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._room, self._batch, self._may_ask = hand, batch, may_ask
        self._in_hand: deque[Msg] = deque()
        self._asked = 0  # messages asked for that did not come yet
        self._heard = 0.0
        self._reconnects = 0
        self._failures = 0
        self._inbox = ""
        self._stir = asyncio.Event()
        self._stopping = False
        self._running = asyncio.Lock()
        self._away: str | None = None
        self._failed: str | None = None

    @property
    def fault(self) -> str | None:
        """What hinders it now: the broker, or the handling of a batch."""
        return self._failed or self._away

    async def run(self, handle: Callable[[Sequence[Msg]], Awaitable[None]]) -> None:
        """Hand batches to `handle` one after the other, until `stop`.

        When it returns, its transaction has committed and its messages are
        acknowledged; when it raises, they come again, later, in smaller batches.
        """
        async with self._running:
            self._inbox = self._nc.new_inbox()
            subscription = await self._nc.subscribe(self._inbox, cb=self._receive)
            try:
                while not self._stopping:
                    await self._ask()
                    if self._in_hand:
                        await self._handle(handle)
                    else:
                        await self._wait()
            finally:
                with contextlib.suppress(NatsError, OSError):
                    async with asyncio.timeout(_FLUSH_SECONDS):
                        await subscription.drain()  # type: ignore[no-untyped-call]  # theirs
            while self._in_hand:  # what was taken is finished
                await self._handle(handle)

    async def stop(self) -> None:
        """Ask no more, finish what is in hand, end `run`."""
        self._stopping = True
        self._stir.set()
        async with self._running:
            pass

    async def info(self) -> ConsumerInfo:
        """Ask the server how far the durable came, all workers together."""
        info: ConsumerInfo = await self._js.consumer_info(self._stream, self._durable)
        return info

    @property
    def in_hand(self) -> int:
        """How many messages were taken and are not handled yet."""
        return len(self._in_hand)

    async def lag(self) -> tuple[int, float]:
        """Give how many messages nobody has handled, and the age in seconds of the oldest.

        Two questions to the server, whatever lies in the stream.
        """
        return await lag_of(self._js, await self.info())

    async def position_at(self, sequence: int) -> int | None:
        """Give the log position of a message of the stream; None if it is gone."""
        try:
            message = await self._js.get_msg(self._stream, seq=sequence)
        except NotFoundError:
            return None
        position = (message.headers or {}).get(POSITION, "")
        return int(position) if position.isdecimal() else None

    # --------------------------------------------------------------------- asking

    async def _ask(self) -> None:
        free = self._room - len(self._in_hand) - self._asked
        if 2 * free < self._room or not self._may_ask():
            return
        request = {
            "batch": free,
            "expires": int(_EXPIRES * 1e9),
            "idle_heartbeat": int(_HEARTBEAT * 1e9),
        }
        try:
            body = json.dumps(request).encode()
            await self._nc.publish(self._subject, body, reply=self._inbox)
        except NatsError as error:  # away, and its buffer is full: the next round
            self._away = str(error)
            await asyncio.sleep(_HEARTBEAT)
            return
        self._asked += free
        self._heard = time.monotonic()

    async def _wait(self) -> None:
        """Wait for messages; forget a request that the server no longer knows."""
        self._stir.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEARTBEAT):
                await self._stir.wait()
        reconnects = self._nc.stats["reconnects"]
        silent = time.monotonic() - self._heard > _SILENT_HEARTBEATS * _HEARTBEAT
        if reconnects != self._reconnects or (silent and self._asked):
            self._reconnects = reconnects
            self._asked = 0

    async def _receive(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if message.reply.startswith("$JS.ACK."):
            self._asked = max(0, self._asked - 1)
            self._in_hand.append(message)
            self._away = None
            self._stir.set()
            return
        headers: dict[str, Any] = message.headers or {}
        match headers.get("Status"):
            case "100":  # a heartbeat
                self._away = None
            case "503":  # nobody answers for the durable; its silence lets us ask again
                self._away = f"No durable {self._durable}: run `amends provision`."
            case "408":  # expired: so many of them will not come any more
                left = int(headers.get("Nats-Pending-Messages", 0))
                self._asked = max(0, self._asked - left)
                self._stir.set()
            case status:  # refused or ended by the server; not to be asked at once
                self._away = f"{status} {headers.get('Description', '')}".strip()

    # ------------------------------------------------------------------- handling

    async def _handle(self, handle: Callable[[Sequence[Msg]], Awaitable[None]]) -> None:
        batch = self._take()
        try:
            await handle(batch)
        except Exception as error:  # noqa: BLE001  (whatever it is, they come again)
            self._failures += 1
            delay = min(_LONGEST_DELAY, 0.25 * 2**self._failures)
            self._failed = f"{type(error).__name__} in {_place_of(error)}"
            _log.warning(
                "consumer.failed",
                durable=self._durable,
                messages=len(batch),
                reason=self._failed,
                again_in_seconds=delay,
            )
            await self._answer(batch, f'-NAK {{"delay": {int(delay * 1e9)}}}'.encode())
            if not self._stopping:
                await asyncio.sleep(min(1.0, delay))  # the next may fail as well
        else:
            self._failures, self._failed = 0, None
            await self._answer(batch, b"+ACK")

    def _take(self) -> list[Msg]:
        """Take a batch; what comes again in halves, so that one culprit ends alone."""
        batch: list[Msg] = []
        limit = self._batch
        while self._in_hand:
            again = _deliveries(self._in_hand[0]) - 1
            limit = min(limit, max(1, self._batch >> again))
            if len(batch) >= limit:
                break
            batch.append(self._in_hand.popleft())
        return batch

    async def _answer(self, batch: Sequence[Msg], word: bytes) -> None:
        # Lost answers cost a redelivery, which is then seen to be a duplicate.
        with contextlib.suppress(NatsError, OSError):
            for message in batch:
                await self._nc.publish(message.reply, word)
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._nc.flush()


def _deliveries(message: Msg) -> int:
    words = message.reply.split(".", 7)
    return int(words[4 if message.reply.count(".") == _V1_WORDS - 1 else 6])


def _place_of(error: BaseException) -> str:
    """Name the line that raised; never the message, which may quote what was stored."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].name}:{frames[-1].lineno}" if frames else "?"
