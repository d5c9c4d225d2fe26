"""The broker in memory, behind a network that loses, doubles, delays and reorders."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from typing import TYPE_CHECKING, Any

import nats.errors

from tests.fakes.broker import FakeClient, FakeNats

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.odds import Odds

TICK = 0.2
"""Seconds between two looks of the server at what expired."""


class SimNats(FakeNats):
    """A server that can be away, and a network with odds of its own."""

    def __init__(self, odds: Odds, chance: random.Random) -> None:
        super().__init__()
        self._odds, self._chance = odds, chance
        self.calm = True
        self.context = contextvars.copy_context()
        """What is on its way arrives, whatever became of its sender."""
        self._clients = itertools.count(1)

    @property
    def stored(self) -> int:
        """Give how many messages its streams took."""
        return sum(stream.last for stream in self.streams.values())

    def connect(self) -> Any:
        return SimClient(self, next(self._clients))

    def lose(self, client: FakeClient) -> None:
        """Forget a client that crashed, as a server does whose connection is cut."""
        for subscription in list(self.subscriptions):
            if subscription.of(client):
                self.subscriptions.remove(subscription)

    def carry(self, act: Callable[..., None], *args: Any) -> None:
        """Bring something over: once, late, twice or never."""
        loop = asyncio.get_running_loop()
        odds, chance = self._odds, self._chance
        times = 1
        if not self.calm:
            if chance.random() < odds.lost:
                return
            times += chance.random() < odds.doubled
        for _ in range(times):
            late = not self.calm and chance.random() < odds.delayed
            wait = chance.uniform(0, odds.delay) if late else 0.0005
            loop.call_later(wait, act, *args, context=self.context)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.look()


class SimClient(FakeClient):
    """A connection whose requests fail as those of nats-py do."""

    async def request(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().request(*args, **options)
        except TimeoutError:
            raise nats.errors.TimeoutError from None
