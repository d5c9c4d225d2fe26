"""The rows beside cases whose events alone came back, from a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.handling.persistence.work_list import forget_rows
from services.kernel.inbox import INBOX_TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from services.kernel.store.database import Tx

_CONSUMER: Final = "handling"
"""Handling's inbox of complaints; a case's first event is the one that it took over."""


def beside_cases(tx: Tx, new_cases: Sequence[UUID]) -> None:
    """Count complaints as taken over, and have the next start make the work list anew."""
    for statement in INBOX_TABLES:
        tx.execute(statement)
    tx.executemany(
        "INSERT INTO inbox_case (consumer, case_id, version) VALUES (?, ?, 1)"
        " ON CONFLICT (consumer, case_id) DO UPDATE SET version = 1"
        " WHERE inbox_case.version < 1",
        [(_CONSUMER, case_id) for case_id in new_cases],
    )
    forget_rows(tx)
