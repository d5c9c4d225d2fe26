"""How far those are who read a stream through a durable, as the broker knows it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from services.kernel import measures
from services.kernel.broker.headers import COMMITTED_AT
from services.kernel.measures import Sample

_API_TIMEOUT: Final = 2.0


async def lag_of(js: JetStreamContext, info: ConsumerInfo) -> tuple[int, float]:
    """Give how many messages a durable has left, and the age in seconds of the oldest.

    The age is counted from the commit in the record, where the message tells it.
    """
    left = (info.num_pending or 0) + (info.num_ack_pending or 0)
    if not left:
        return 0, 0.0
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    subjects = info.config.filter_subjects or [info.config.filter_subject or ">"]
    try:
        first = await js.get_msg(
            info.stream_name, seq=floor + 1, subject=subjects[0], next=True
        )
    except NotFoundError:  # handled, or let go by the window, in between
        return left, 0.0
    told = (first.headers or {}).get(COMMITTED_AT, "")
    if told.isdecimal():
        since = int(told) / 1e6
    elif first.time is not None:
        since = first.time.timestamp()
    else:
        return left, 0.0
    return left, max(0.0, time.time() - since)


async def of_feeds(
    client: Client, stream: str, durables: Mapping[str, str]
) -> list[Sample]:
    """Tell how far the program of each department is; `durables` by department."""
    js = client.jetstream(timeout=_API_TIMEOUT)

    async def of_one(department: str, durable: str) -> list[Sample]:
        info = await js.consumer_info(stream, durable)
        events, seconds = await lag_of(js, info)
        taken = info.delivered.consumer_seq if info.delivered else 0
        return [
            measures.FEED_EVENTS.of(events, department),
            measures.FEED_SECONDS.of(seconds, department),
            measures.FEED_FOLLOWED.of(taken > 0, department),
            measures.FEED_AGAIN.of(info.num_redelivered or 0, department),
        ]

    found = await asyncio.gather(*(of_one(*each) for each in durables.items()))
    return [sample for each in found for sample in each]
