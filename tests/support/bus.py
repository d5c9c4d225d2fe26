"""Streams for one test, and what lies in them."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from nats.js.errors import NotFoundError

from services.kernel.broker.provision import (
    ConsumerSpec,
    StreamSpec,
    provision,
)

_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class Bus:
    """A stream of the test's own, a bucket for hints, and clients.

    `connect` gives a new client, real or in memory.
    """

    connect: Callable[[], Awaitable[Any]]
    client: Any
    stream: str = ""
    bucket: str = ""
    consumers: list[ConsumerSpec] = field(default_factory=list)

    @classmethod
    async def open(cls, connect: Callable[[], Awaitable[Any]]) -> Self:
        number = next(_NUMBERS)
        bus = cls(connect, await connect(), f"TEST{number}", f"hints{number}")
        await bus.provide()
        return bus

    @property
    def js(self) -> Any:
        return self.client.jetstream()

    def subject(self, *words: object) -> str:
        return ".".join([self.stream.lower(), *map(str, words)])

    async def provide(self, *consumers: ConsumerSpec, window: float = 120) -> None:
        spec = StreamSpec(
            self.stream,
            (self.subject(">"),),
            max_age_days=1,
            max_bytes=64 << 20,
            duplicate_window=window,
        )
        await provision(self.js, [spec], consumers, hint_bucket=self.bucket)

    async def messages(self) -> list[Any]:
        """Everything in the stream, oldest first."""
        found = []
        last = (await self.js.stream_info(self.stream)).state.last_seq
        for number in range(1, last + 1):
            try:
                found.append(await self.js.get_msg(self.stream, seq=number))
            except NotFoundError:
                continue
        return found

    async def ids(self) -> list[str]:
        return [message.headers["Nats-Msg-Id"] for message in await self.messages()]

    async def remove(self) -> None:
        for stream in (self.stream, f"KV_{self.bucket}"):
            await self.js.delete_stream(stream)
