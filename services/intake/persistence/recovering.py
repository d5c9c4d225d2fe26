"""The rows beside complaints whose events alone came back, from a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.intake.persistence import batches
from services.intake.persistence.record import NO_DIGEST, TABLES, bring_forward
from services.kernel.clock import micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.envelope import Envelope
    from services.kernel.store.database import Tx

CLIENT: Final = "recovered"
"""In place of who handed in: that, the key and the words were in the lost rows alone."""


def beside_complaints(tx: Tx, events: Sequence[Envelope[Any]]) -> None:
    """Have these complaints found by their receipt numbers again, with their standing.

    Handed in once more under its own key, such a complaint is refused as another
    content: it keeps its case, and its digest is that of nothing.
    """
    for statement in (*TABLES, *batches.TABLES):
        tx.execute(statement)
    tx.executemany(
        "INSERT INTO submission (case_id, channel, client, key, digest, receipt_no,"
        " received_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (
                each.case_id,
                each.channel or "",
                CLIENT,
                f"{CLIENT}:{each.case_id}",
                NO_DIGEST,
                each.data.receipt_no,
                micros(each.recorded_at),
            )
            for each in events
        ],
    )
    bring_forward(tx, events)
    batches.brought(tx, events)
