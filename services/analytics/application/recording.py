"""Record events as versioned rows: load the open rows, fold, save; one batch, one query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.analytics.domain.versions import Entry, unfold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.analytics.ports import RowWriter
    from services.kernel.store.database import Tx


def record(rows: RowWriter, tx: Tx, entries: Sequence[Entry]) -> int:
    """Apply entries, each case's in order; give how many found no place in the rows."""
    present = rows.present(tx, (entry.event.case_id for entry in entries))
    changes = unfold(present, entries)
    rows.save(tx, changes)
    return changes.unfit
