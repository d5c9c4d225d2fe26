"""Handling on the bus: received complaints come in, the events of cases go out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import codec, subjects
from services.kernel.relay import Outgoing

if TYPE_CHECKING:
    from services.kernel.store.recorder import LogEntry


def case_message(entry: LogEntry) -> tuple[Outgoing]:
    """Publish every event of every case on CASES, which only services read."""
    about = codec.heading(entry.body)
    return (
        Outgoing(
            subject=subjects.case_event(entry.case_id, entry.type),
            body=entry.body,
            headers=subjects.headers(about),
        ),
    )
