"""What the broker holds: the streams, and the durables that the services read by."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from events import codec, subjects
from events.subjects import SUBJECTS, Stream
from services.kernel.broker.headers import POSITION
from services.kernel.broker.provision import ConsumerSpec, StreamSpec
from services.kernel.errors import PoisonError
from services.kernel.inbox import Arrived

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.kernel.settings import Settings

SUBMIT_DAYS = 7
"""A submission that intake could not take for a week is let go: words do not stay here."""

CONSUMERS = (
    ConsumerSpec(Stream.SUBMIT, "intake-submit"),
    ConsumerSpec(Stream.INTAKE, "handling"),
    ConsumerSpec(Stream.CASES, "intake"),
    ConsumerSpec(Stream.CASES, "analytics"),
)


def streams(settings: Settings) -> list[StreamSpec]:
    """Give the streams as windows: of the set age and size, the oldest let go first."""
    return [
        StreamSpec(
            name=stream,
            subjects=(SUBJECTS[stream],),
            max_age_days=(
                SUBMIT_DAYS if stream is Stream.SUBMIT else settings.stream_days
            ),
            max_bytes=settings.stream_bytes,
        )
        for stream in (Stream.INTAKE, Stream.CASES, Stream.SUBMIT)
    ]


def read_event(body: bytes, headers: Mapping[str, str]) -> Arrived:
    """Read a message of INTAKE or CASES, as every inbox asks for it.

    One that cannot be read is told by its headers, so that it holds its own case and no
    other; raises PoisonError where even they do not tell.
    """
    told = headers.get(POSITION, "")
    position = int(told) if told.isdecimal() else 0
    try:
        event = codec.decode(body)
    except codec.UnreadableEventError as error:
        about = error.about
        return Arrived(
            about.case_id, about.version, position, body, None, "newer", str(error)
        )
    except codec.MalformedEventError as error:
        try:
            case_id = UUID(headers[subjects.CASE_ID])
            version = int(headers[subjects.CASE_VERSION])
        except (KeyError, ValueError):
            raise PoisonError(
                "bus.unreadable", "Neither the message nor its headers can be read."
            ) from error
        return Arrived(case_id, version, position, body, None, "poison", str(error))
    return Arrived(event.case_id, event.version, position, body, event)
