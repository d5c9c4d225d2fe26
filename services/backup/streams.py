"""The streams that records are relayed to: read to their end, made anew."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import nats.errors
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import KeyNotFoundError, NotFoundError

from events import subjects
from events.subjects import Stream
from services.bus import streams as stream_specs
from services.handling.messaging.cases import case_message
from services.handling.messaging.feeds import department_copies
from services.intake.messaging import received_message
from services.kernel.broker.headers import (
    COMMITTED_AT,
    EPOCH,
    MESSAGE_ID,
    POSITION,
)
from services.kernel.broker.provision import HINT_BUCKET, make_anew
from services.kernel.clock import micros, rfc3339

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from datetime import datetime

    from nats.js import JetStreamContext

    from services.kernel.relay import Outgoing
    from services.kernel.settings import Settings
    from services.kernel.store.recorder import LogEntry

_PAGE: Final = 500
_WAIT: Final = 2.0  # seconds for a page; what cannot be read does not come
_IDLE_AFTER: Final = 60.0
_UNSEEN: Final = 10_000
"""How far the numbers of a stream that is gone may have run beyond what was noted."""


@dataclass(frozen=True, slots=True)
class Published:
    """One relay: which record, to which stream, as which messages."""

    record: str
    stream: Stream
    outgoing: Callable[[LogEntry], Sequence[Outgoing]]


RELAYS: Final = (
    Published("intake", Stream.INTAKE, received_message),
    Published("handling", Stream.CASES, case_message),
    Published("handling", Stream.DEPARTMENTS, department_copies),
)


class Place(NamedTuple):
    """What the id of a relayed message says; position 0 is that of FeedRestarted."""

    record: str
    epoch: str
    position: int
    suffix: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream; `place` is None where its id is none of a relay's."""

    sequence: int
    body: bytes
    committed_at: int
    place: Place | None


@dataclass(frozen=True, slots=True)
class Extent:
    """A stream's numbers; `there` False where the broker has none of this name."""

    there: bool
    last_sequence: int = 0
    bytes: int = 0
    messages: int = 0


async def extent(js: JetStreamContext, stream: str) -> Extent:
    try:
        state = (await js.stream_info(stream)).state
    except NotFoundError:
        return Extent(there=False)
    return Extent(
        there=True,
        last_sequence=state.last_seq,
        bytes=state.bytes,
        messages=state.messages,
    )


async def pages(js: JetStreamContext, stream: str) -> AsyncIterator[list[Message]]:
    """Read what the stream holds now, oldest first; of one that is not there, nothing.

    What the broker cannot read any more is left out.
    """
    whole = await extent(js, stream)
    if not whole.messages:
        return
    reading = await js.pull_subscribe(
        "",
        stream=stream,
        config=ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_IDLE_AFTER,
            mem_storage=True,
        ),
    )
    try:
        while True:
            try:
                found = await reading.fetch(_PAGE, timeout=_WAIT)
            except nats.errors.TimeoutError:
                return
            yield [_message(each) for each in found]
            last = found[-1].metadata
            if not last.num_pending or last.sequence.stream >= whole.last_sequence:
                return
    finally:
        await reading.unsubscribe()


def _message(found: Any) -> Message:
    headers: Mapping[str, str] = found.headers or {}
    told = headers.get(COMMITTED_AT, "")
    return Message(
        sequence=found.metadata.sequence.stream,
        body=found.data,
        committed_at=int(told) if told.isdecimal() else 0,
        place=_place(headers.get(MESSAGE_ID, "")),
    )


def _place(message_id: str) -> Place | None:
    whose, _, where = message_id.partition(":")
    record, _, epoch = whose.partition(".")
    number, _, suffix = where.partition(":")
    if not record or not epoch or not number.isdecimal():
        return None
    return Place(record, epoch, int(number), suffix)


@dataclass(frozen=True, slots=True)
class Noted:
    """What a relay noted of a stream when it last could."""

    position: int = 0
    sequence: int = 0


async def noted(js: JetStreamContext, relay: Published, epoch: str) -> Noted:
    """Give the relay's own note of this epoch, as `kernel.broker.hint` writes it."""
    try:
        store = await js.key_value(HINT_BUCKET)
        kept = json.loads((await store.get(_key(relay))).value or b"{}")
    except (NotFoundError, KeyNotFoundError):
        return Noted()
    if kept.get("epoch") != epoch:
        return Noted(0, int(kept.get("sequence", 0)))
    return Noted(int(kept["position"]), int(kept["sequence"]))


def _key(relay: Published) -> str:
    return f"{relay.record}.{relay.stream}"


async def make_stream_anew(
    js: JetStreamContext,
    settings: Settings,
    relay: Published,
    *,
    epoch: str,
    after: int,
    noted_sequence: int,
) -> None:
    """Empty a stream for its relay to fill again behind position `after`.

    Its numbers go on: what a consumer keeps by number stays unique. The note comes
    before the stream, so that a relay that runs meanwhile begins where it should.
    """
    spec = next(each for each in stream_specs(settings) if each.name == relay.stream)
    whole = await extent(js, relay.stream)
    last = whole.last_sequence if whole.there else noted_sequence + _UNSEEN
    if whole.there:
        await js.delete_stream(relay.stream)
    store = await js.key_value(HINT_BUCKET)
    note = {"epoch": epoch, "position": after, "sequence": 0}
    await store.put(_key(relay), json.dumps(note).encode())
    await make_anew(js, spec, first_sequence=last + 1)


async def tell_restarted(
    js: JetStreamContext,
    departments: Sequence[str],
    *,
    epoch: str,
    before: str,
    now: datetime,
) -> None:
    """Tell every department once that its feed begins anew, before any event."""
    for department in departments:
        told = {
            "type": subjects.FEED_RESTARTED,
            "department": department,
            "epoch": epoch,
            "previous_epoch": before,
            "recorded_at": rfc3339(now),
        }
        place = f"{epoch}:{department}:{rfc3339(now)}"
        await js.publish(
            subjects.dept_event(department, subjects.FEED_RESTARTED),
            json.dumps(told).encode(),
            stream=Stream.DEPARTMENTS,
            timeout=5,
            headers={
                MESSAGE_ID: f"handling.{epoch}:0:{department}",
                EPOCH: epoch,
                POSITION: "0",
                COMMITTED_AT: str(micros(now)),
                subjects.EVENT_ID: str(uuid.uuid5(uuid.NAMESPACE_OID, place)),
                subjects.EVENT_TYPE: subjects.FEED_RESTARTED,
            },
        )
