"""Publish to a stream in a pipeline, and know at any time how far it was accepted."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg

WINDOW: Final = 500
"""Messages under way at most; more gained nothing when measured."""
SILENCE: Final = 5.0
"""Seconds without an answer after which the outcome of what is under way is unknown."""


@dataclass(slots=True)
class Pipe:
    """Messages under way, and their answers on a reply inbox of its own.

    nats-py's `publish_async` never ends when the server refuses.
    """

    nc: Client
    stream: str
    window: int = WINDOW
    silence: float = SILENCE
    look: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: str | None = None
    handled: int = 0
    sequence: int = 0
    accepted: int = 0
    _refused_at: int | None = None
    _answered: asyncio.Event = field(default_factory=asyncio.Event)
    _under_way: dict[str, int] = field(default_factory=dict)
    _last_answer: float = 0.0
    _count: int = 0
    _inbox: str = ""
    _subscription: Any = None

    @property
    def sent(self) -> int:
        """How many messages were sent since the start, those sent again included."""
        return self._count

    @property
    def unanswered(self) -> int:
        return len(self._under_way)

    @property
    def position(self) -> int:
        """Highest position up to which everything sent was accepted."""
        missing = list(islice(self._under_way.values(), 1))
        if self._refused_at is not None:
            missing.append(self._refused_at)
        return min([self.handled, *(position - 1 for position in missing)])

    async def open(self) -> None:
        """Subscribe to the answers, once."""
        if self._subscription is not None:
            return
        self._inbox = self.nc.new_inbox()
        self._subscription = await self.nc.subscribe(
            f"{self._inbox}.*", cb=self._on_answer
        )

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    def restart(self, position: int, sequence: int) -> None:
        """Forget what was under way: late answers tell nothing new."""
        self._under_way.clear()
        self.refusal = self._refused_at = None
        self.handled, self.sequence = position, sequence

    def open_for_more(self) -> bool:
        if self.refusal is None and self._silent_for() > self.silence:
            self.refusal = f"no answer for {self.silence:g} s"
        return self.refusal is None

    async def room(self) -> bool:
        """Wait for a place in the window; False when no more may be sent."""
        while self.open_for_more():
            if len(self._under_way) < self.window:
                return True
            await self._await_answer()
        return False

    async def send(
        self, position: int, subject: str, body: bytes, headers: dict[str, str]
    ) -> None:
        self._count += 1
        token = str(self._count)
        if not self._under_way:
            self._last_answer = time.monotonic()
        self._under_way[token] = position
        await self.nc.publish(
            subject, body, reply=f"{self._inbox}.{token}", headers=headers
        )

    async def settle(self) -> None:
        """Wait until everything under way is answered, or nothing answers any more."""
        while self._under_way and self._silent_for() <= self.silence:
            await self._await_answer()

    async def wait(self, seconds: float) -> None:
        """Wait for a commit, a refusal or the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.look.wait()

    def _silent_for(self) -> float:
        return time.monotonic() - self._last_answer if self._under_way else 0.0

    async def _await_answer(self) -> None:
        self._answered.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.silence - self._silent_for() + 0.01):
                await self._answered.wait()

    async def _on_answer(self, message: Msg) -> None:
        position = self._under_way.pop(message.subject.rpartition(".")[2], None)
        if position is None:
            return  # of a stretch that was given up
        self._last_answer = time.monotonic()
        self._answered.set()
        reason = self._refusal_of(message)
        if reason is None:
            return
        if self.refusal is None:
            self.refusal = reason
            self.look.set()
        # The lowest, whichever is told first: nothing behind it counts as accepted.
        self._refused_at = min(position, self._refused_at or position)

    def _refusal_of(self, message: Msg) -> str | None:
        if not message.data:  # the server's own status, 503: nobody listens
            return "no stream takes the subject"
        answer = json.loads(message.data)
        if "error" in answer:
            return str(answer["error"].get("description", answer["error"]))
        if answer.get("stream") != self.stream:
            return f"stream {answer.get('stream')} took the subject"
        self.sequence = max(self.sequence, int(answer["seq"]))
        self.accepted += 1
        return None
