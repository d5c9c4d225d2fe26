"""Hand complaints in on the bus, as fast as they are taken or at a steady pace."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

from bench.pipelines.bare import WORTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from bench.workload import Message

_WINDOW: Final = 256


async def offer(
    client: Client,
    messages: Sequence[Message],
    worth: Mapping[str, str],
    *,
    rate: float | None = None,
) -> list[float]:
    """Publish on SUBMIT; give when each was meant to be sent, in `perf_counter`'s time.

    Open loop: a message that could not be sent in time counts from when it should
    have been. `worth` tells the yardsticks what a key is worth, once.
    """
    inbox, free = client.new_inbox(), asyncio.Semaphore(_WINDOW)
    refused: list[bytes] = []
    left = dict(worth)

    async def acknowledged(message: Msg) -> None:
        if b'"error"' in message.data or not message.data:
            refused.append(message.data)
        free.release()

    subscription = await client.subscribe(inbox, cb=acknowledged)
    bodies = [json.dumps(each.document).encode() for each in messages]
    meant = list[float]()
    begun = time.perf_counter()
    for place, (each, body) in enumerate(zip(messages, bodies, strict=True)):
        due = begun + place / rate if rate else time.perf_counter()
        early = due - time.perf_counter()
        if early > 0:
            await asyncio.sleep(early)
        meant.append(due)
        await free.acquire()
        headers = {"Idempotency-Key": each.key, WORTH: left.pop(each.key, "0")}
        subject = f"amends.submit.{each.channel}"
        await client.publish(subject, body, reply=inbox, headers=headers)
    for _ in range(_WINDOW):  # the stream has all of them
        await free.acquire()
    await subscription.unsubscribe()
    if refused:
        raise RuntimeError(f"{len(refused)} not taken by the stream: {refused[0]!r}")
    return meant
