"""Complaints come in from intake, the events of all cases go out to services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from events import codec, subjects
from services.kernel.relay import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.envelope import Envelope
    from services.handling.application.cases import Handling
    from services.kernel.inbox import Arrived, Effect
    from services.kernel.store.database import Tx
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


def taking_over(handling: Handling) -> Effect:
    """Make a case of each received complaint that the inbox found to be new."""

    def effect(tx: Tx, arrived: Sequence[Arrived]) -> None:
        handling.take_over(
            tx,
            [(cast("Envelope[Any]", each.event), each.body) for each in arrived],
        )

    return effect
