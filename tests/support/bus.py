"""Streams for one test, and what lies in them."""

import itertools
import json
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
        quarantine = StreamSpec(
            f"{self.stream}Q", (self.quarantine,), max_age_days=1, max_bytes=64 << 20
        )
        streams = [spec, quarantine]
        await provision(self.js, streams, consumers, hint_bucket=self.bucket)

    @property
    def quarantine(self) -> str:
        """Where the consumers of this test tell what they could not handle."""
        return f"{self.stream.lower()}q.d"

    async def messages(self, stream: str | None = None) -> list[Any]:
        """Everything in the stream, oldest first."""
        stream = stream or self.stream
        found = []
        last = (await self.js.stream_info(stream)).state.last_seq
        for number in range(1, last + 1):
            try:
                found.append(await self.js.get_msg(stream, seq=number))
            except NotFoundError:
                continue
        return found

    async def quarantined(self) -> list[dict[str, Any]]:
        """What was told of messages that could not be handled."""
        return [
            json.loads(each.data) for each in await self.messages(f"{self.stream}Q")
        ]

    async def ids(self) -> list[str]:
        return [message.headers["Nats-Msg-Id"] for message in await self.messages()]

    async def remove(self) -> None:
        for stream in (self.stream, f"{self.stream}Q", f"KV_{self.bucket}"):
            await self.js.delete_stream(stream)
