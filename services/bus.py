"""What the broker holds: the streams, and the durables that the services read by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events.subjects import SUBJECTS, Stream
from services.kernel.broker.provision import ConsumerSpec, StreamSpec

if TYPE_CHECKING:
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
