"""What customers were promised by when, until it is kept or nobody owes it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from events.catalogue import ReceiptAcknowledged
from services.intake.domain.standing import keeps_promises
from services.kernel.clock import from_micros, micros

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from uuid import UUID

    from events.envelope import Envelope
    from services.kernel.store.database import Tx

TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS promise (
        case_id UUID NOT NULL, version BIGINT NOT NULL, expected_at BIGINT NOT NULL,
        PRIMARY KEY (case_id, version))""",
)


def note(tx: Tx, events: Iterable[Envelope[Any]]) -> None:
    """Note promises and forget kept ones, by events in case order; again is no harm."""
    for event in events:
        if isinstance(event.data, ReceiptAcknowledged):
            tx.execute(
                "INSERT INTO promise (case_id, version, expected_at) VALUES (?, ?, ?)"
                " ON CONFLICT (case_id, version) DO NOTHING",
                (event.case_id, event.version, micros(event.data.expected_at)),
            )
        elif keeps_promises(event):
            tx.execute(
                "DELETE FROM promise WHERE case_id = ? AND version < ?",
                (event.case_id, event.version),
            )


def promised(tx: Tx, case_id: UUID) -> tuple[dt.datetime, ...]:
    """Give what is promised and not kept yet, the earliest first."""
    rows = tx.fetchall(
        "SELECT DISTINCT expected_at FROM promise WHERE case_id = ?"
        " ORDER BY expected_at",
        (case_id,),
    )
    return tuple(from_micros(at) for (at,) in rows)
