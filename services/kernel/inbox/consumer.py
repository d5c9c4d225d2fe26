"""Follow a stream: pull, apply in one transaction, acknowledge; fill what is missing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from services.kernel.broker.headers import MESSAGE_ID
from services.kernel.broker.pull import BATCH, HAND, StandingPull
from services.kernel.clock import micros
from services.kernel.inbox.effects import Arrived
from services.kernel.inbox.quarantine import told_of
from services.kernel.inbox.rows import Gap, Waiting
from services.kernel.measures import ITEMS, Spread
from services.kernel.tasks import end

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from services.kernel.clock import Clock
    from services.kernel.inbox.following import Following

MOST_WAITING: Final = 10_000
"""Events that may wait; above it the consumer takes no more from the stream."""

_LOOK: Final = 0.5  # seconds between two looks at what waits
_PATIENCE: Final = 1_000_000  # µs that a case may wait before it is filled
_FILLED_AT_ONCE: Final = 100
_LONGEST_PAUSE: Final = 60.0
_FRUITLESS: Final = 5
"""How often its source is asked for what a case lacks before a person is told."""

_NOTHING: Final = Waiting(0, 0, 0, None, None)

_log = structlog.get_logger(__name__)

Fetch = Callable[[UUID, int], Awaitable[Sequence[Arrived]]]
"""Gives a case's events after a version from the log of the service that has them."""


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """How far a consumer came. `behind`: messages not yet handed out or acknowledged.

    `position`: the highest position of the source below which nothing is missing.
    """

    durable: str
    position: int
    behind: int | None
    waiting: Waiting
    paused: bool
    fault: str | None

    @property
    def healthy(self) -> bool:
        return self.fault is None and not self.paused and not self.waiting.poison


class Consumer:
    """One durable and the inbox it feeds; several workers may share both."""

    def __init__(
        self,
        nc: Client,
        *,
        stream: str,
        durable: str,
        following: Following,
        fetch: Fetch,
        now: Clock,
        announce_on: str,
        hand: int = HAND,
        batch: int = BATCH,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._pull = StandingPull(
            nc,
            stream=stream,
            durable=durable,
            hand=hand,
            batch=batch,
            may_ask=lambda: not self.paused,
        )
        self._durable = durable
        self._following, self._inbox = following, following.inbox
        self._fetch, self._now = fetch, now
        self._announce_on = announce_on
        self._js = nc.jetstream()
        self._most_waiting = most_waiting
        self.taken = Spread(ITEMS)
        """Events of one batch."""
        self._waiting = _NOTHING
        self._waits = 0  # as `waiting.total`, kept up between two looks
        self._floor = 0
        self._position = 0
        self._behind: int | None = None
        self._fault: str | None = None
        self._tries: dict[Gap, tuple[int, float]] = {}

    @property
    def paused(self) -> bool:
        return self._waits > self._most_waiting

    def status(self) -> ConsumerStatus:
        return ConsumerStatus(
            durable=self._durable,
            position=self._position,
            behind=self._behind,
            waiting=self._waiting,
            paused=self.paused,
            fault=self._pull.fault or self._fault,
        )

    @property
    def in_hand(self) -> int:
        return self._pull.in_hand

    async def lag(self) -> tuple[int, float]:
        """Give how many events are not handled, and the age in seconds of the oldest."""
        return await self._pull.lag()

    async def run(self) -> None:
        """Consume until `stop` or cancellation; no failure ends it."""
        keeping = asyncio.create_task(self._keep())
        try:
            await self._pull.run(self._handle)
        finally:
            await end(keeping)

    async def stop(self) -> None:
        """Finish what is in hand and end `run`; before the writer is stopped."""
        await self._pull.stop()

    # ------------------------------------------------------------------- messages

    async def _handle(self, messages: Sequence[Msg]) -> None:
        arrived = [self._read(message) for message in messages]
        await self._applied(arrived)
        self.taken.add(len(arrived))

    async def _applied(self, arrived: Sequence[Arrived]) -> None:
        outcome = await self._following.take(arrived)
        self._waits += outcome.parked - outcome.released

    def _read(self, message: Msg) -> Arrived:
        headers = {
            name: value
            for name, value in (message.headers or {}).items()
            if not name.startswith("Nats-")
        }
        sequence = message.metadata.sequence.stream
        return self._inbox.read(
            message.data,
            headers,
            stream_sequence=sequence,
            subject=message.subject,
        )

    # --------------------------------------------------------------- housekeeping

    async def _keep(self) -> None:
        """Release what an upgrade made readable, then look after gaps and position."""
        released = False
        while True:
            try:
                if not released:
                    await self._following.replay()
                    released = True
                gaps = await asyncio.to_thread(self._look)
                await self._fill(gaps)
                await self._announce()
                await self._note_position()
                self._fault = None
            except Exception as error:  # noqa: BLE001  (broker, store or source away)
                self._fault = type(error).__name__
                _log.warning(
                    "consumer.hindered", durable=self._durable, reason=self._fault
                )
            await asyncio.sleep(_LOOK)

    def _look(self) -> list[Gap]:
        before = micros(self._now()) - _PATIENCE
        with self._following.database.read() as tx:
            self._waiting = self._inbox.rows.waiting(tx)
            self._position = self._inbox.rows.position(tx)
            gaps = self._inbox.rows.gaps(tx, before=before, limit=_FILLED_AT_ONCE)
        self._waits = self._waiting.total
        return gaps

    async def _fill(self, gaps: Sequence[Gap]) -> None:
        """Fetch what cases lack; what the source lacks too is asked for ever rarer."""
        now = time.monotonic()
        self._tries = {gap: self._tries[gap] for gap in gaps if gap in self._tries}
        for gap in gaps:
            failures, due = self._tries.get(gap, (0, 0.0))
            if now < due:
                continue
            pause = min(_LONGEST_PAUSE, 2.0**failures)
            self._tries[gap] = failures + 1, now + pause
            found = await self._fetch(gap.case_id, gap.after_version)
            _log.info(
                "consumer.gap",
                case_id=str(gap.case_id),
                after=gap.after_version,
                found=len(found),
            )
            if found:
                await self._applied(found)
            if failures + 1 >= _FRUITLESS:  # else the gap would be gone
                await self._following.give_up(gap)

    async def _announce(self) -> None:
        """Tell on QUARANTINE what lies in quarantine: where, why and how to know it."""
        new = await asyncio.to_thread(self._following.unannounced)
        for message in new:
            told = json.dumps(told_of(message)).encode()
            headers = {MESSAGE_ID: str(message.document_id)}
            await self._js.publish(self._announce_on, told, headers=headers)
        if new:
            await self._following.note_announced([each.document_id for each in new])

    async def _note_position(self) -> None:
        """Note how far nothing is missing: acknowledged by all workers, not waiting."""
        info = await self._pull.info()
        self._behind = (info.num_pending or 0) + (info.num_ack_pending or 0)
        sequence = info.ack_floor.stream_seq if info.ack_floor else 0
        if sequence < self._floor:
            self._floor = 0  # another stream under this name, or an older copy of it
        if sequence <= self._floor:
            return
        position = await self._pull.position_at(sequence)
        if position is None:
            return
        first = await asyncio.to_thread(self._first_waiting)
        if first is None:
            self._floor = sequence
        else:
            position = min(position, first - 1)
        if position > self._position:
            await self._following.note_position(position)
            self._position = position

    def _first_waiting(self) -> int | None:
        with self._following.database.read() as tx:
            return self._inbox.rows.waiting(tx).position
