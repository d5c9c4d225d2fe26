"""The bus described for its users: AsyncAPI of everything published and consumed.

One broker that is never started declares each published type and each consumed stream:
on a live one a declared stream would be consumed a second time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from faststream.nats import NatsBroker
from faststream.specification.asyncapi import AsyncAPI

from events.catalogue import EVENTS, ComplaintReceived
from events.codec import encode
from events.envelope import Event, envelope_type
from events.examples import EXAMPLES
from events.subjects import SUBJECTS, Stream
from events.vocabulary import Audience
from services.intake.domain.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


CONSUMERS: Final[Mapping[Stream, tuple[str, ...]]] = {
    Stream.INTAKE: ("handling",),
    Stream.CASES: ("analytics", "intake"),
    Stream.DEPARTMENTS: ("department",),
    Stream.SUBMIT: ("intake",),
}
"""Who reads each stream, each with a durable of its own; each department has one."""


def published() -> list[tuple[Stream, type[Event], str]]:
    """List (stream, type, subject) of everything that goes out."""
    found: list[tuple[Stream, type[Event], str]] = [
        (Stream.INTAKE, ComplaintReceived, f"{_stem(Stream.INTAKE)}.{{channel}}")
    ]
    for name, event in EVENTS.items():
        found.append(
            (Stream.CASES, event, f"{_stem(Stream.CASES)}.{{partition}}.{name}")
        )
        if event.audience is Audience.DEPARTMENTS:
            subject = f"{_stem(Stream.DEPARTMENTS)}.{{department}}.{name}"
            found.append((Stream.DEPARTMENTS, event, subject))
    return found


HANDED_IN: Final = "Complaints handed in by the stream SUBMIT"
"""What channels put there, in their own words; wiped once it is committed."""


def describe(version: str, live: Sequence[NatsBroker] = ()) -> dict[str, Any]:
    """Give the AsyncAPI 3 document of the whole bus, the same at every call."""
    paper = NatsBroker()
    for stream, event, subject in published():
        paper.publisher(
            subject,
            schema=envelope_type(event),
            title=f"{stream}.{event.__name__}",
            description=f"{event.__doc__} ({event.zh})",
        )
    paper.publisher(
        f"{_stem(Stream.SUBMIT)}.{{channel}}",
        schema=Submission,
        title=HANDED_IN,
        description="A complaint of a channel, answered at `Amends-Reply-To` with what"
        " HTTP answers; the same `Idempotency-Key` again is the same complaint.",
    )
    document = AsyncAPI(
        paper,
        *live,
        title="amends",
        version=version,
        description="Every event of a complaint's life; the body of a message is the"
        " stored event byte for byte, CloudEvents headers repeat what routers need.",
    )
    plain: dict[str, Any] = json.loads(document.to_specification().to_json())
    plain.pop("servers", None)  # an installation's own affair
    for channel in plain["channels"].values():
        channel.pop("servers", None)
    for stream, event, _ in published():
        name = f"{stream}.{event.__name__}"
        plain["channels"][name]["x-consumers"] = list(CONSUMERS[stream])
        example = json.loads(encode(EXAMPLES[event.__name__]))
        message = plain["components"]["messages"][f"{name}:Message"]
        message["examples"] = [{"payload": example}]
    plain["operations"][HANDED_IN]["action"] = "receive"  # we declare, others publish
    plain["channels"][HANDED_IN]["bindings"]["nats"]["queue"] = "intake"
    plain["channels"][HANDED_IN]["x-consumers"] = list(CONSUMERS[Stream.SUBMIT])
    plain["components"]["messages"][f"{HANDED_IN}:Message"]["examples"] = [
        {"payload": _COMPLAINT}
    ]
    for part in ("channels", "operations"):
        plain[part] = dict(sorted(plain[part].items()))
    return plain


_COMPLAINT: Final = {
    "channel": "counter",
    "statement": "The kettle leaks.",
    "contact": {"name": "Wang Fang", "phone": "+8613812345521"},
}


def _stem(stream: Stream) -> str:
    return SUBJECTS[stream].removesuffix(".>")
