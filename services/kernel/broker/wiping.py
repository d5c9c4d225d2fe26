"""Remove from a stream what its consumer has settled, with the words in its files.

The server erases one message by writing its whole file anew, up to 8 MiB of it: with a
backlog that is more work than everything else. Where nothing waits any more, a purge
takes all messages and their files in one stroke, and that is nearly always soon.
"""

import asyncio
import contextlib
import time
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from services.kernel.broker.pull import BATCH

PATIENCE: Final = 1.0
"""Seconds that a settled message may lie beside others that wait."""

_SHORTEST: Final = 0.02  # seconds between two looks
_LONGEST: Final = 0.5
_API_TIMEOUT: Final = 5.0

_log = structlog.get_logger(__name__)


class Wiping:
    """Wipes settled messages: all together, or one by one where others wait.

    While a backlog is worked off, so many that others would only hold it up leave with
    a purge as well: their words leave the disk with the file that they lie in, at the
    latest when nothing waits any more.
    """

    def __init__(self, client: Client, *, stream: str, durable: str) -> None:
        self._client = client
        self._js = client.jetstream(timeout=_API_TIMEOUT)
        self._stream, self._durable = stream, durable
        self._settled: dict[int, float] = {}
        self._some = asyncio.Event()
        self._some.set()  # what a crash has left

    def settled(self, sequence: int) -> None:
        """Note that a message is of no use any more, and nobody must read it again."""
        self._settled[sequence] = time.monotonic()
        self._some.set()

    async def run(self) -> None:
        """Wipe until cancellation; no failure ends it."""
        pause = _SHORTEST
        while True:
            await self._some.wait()
            if await self._tried():
                pause = _SHORTEST
                if not self._settled:
                    self._some.clear()
                    continue
            await asyncio.sleep(pause)
            pause = min(_LONGEST, 2 * pause)

    async def finish(self) -> None:
        """Try once more, after the consumer has stopped."""
        if self._settled and self._client.is_connected:
            await self._tried()

    async def _tried(self) -> bool:
        """Tell whether something was wiped, or there is nothing to wipe."""
        try:
            return await self._wipe()
        except NotFoundError:  # no stream, no messages
            self._settled.clear()
            return True
        except (NatsError, OSError, TimeoutError) as error:
            _log.info("wiping.hindered", stream=self._stream, reason=str(error))
            return False

    async def _wipe(self) -> bool:
        info = await self._js.consumer_info(self._stream, self._durable)
        delivered = info.delivered.stream_seq if info.delivered else 0
        if not info.num_pending and not info.num_ack_pending:
            await self._purge(delivered)
            return True
        floor = info.ack_floor.stream_seq if info.ack_floor else 0
        if sum(sequence <= floor for sequence in self._settled) >= BATCH:
            await self._purge(floor)
            return True
        return await self._erase(time.monotonic() - PATIENCE)

    async def _purge(self, upto: int) -> None:
        await self._js.purge_stream(self._stream, seq=upto + 1)
        for sequence in [each for each in self._settled if each <= upto]:
            self._settled.pop(sequence)

    async def _erase(self, before: float) -> bool:
        """Erase one by one what has lain beside others for too long."""
        late = [sequence for sequence, at in self._settled.items() if at < before]
        for sequence in late:
            with contextlib.suppress(APIError):  # it is gone
                await self._js.delete_msg(self._stream, sequence)
            self._settled.pop(sequence, None)
        return bool(late)
