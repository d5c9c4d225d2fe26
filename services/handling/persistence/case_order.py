"""The record read case by case, a page in hand, whatever its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.handling.ports import StoredRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.kernel.store.database import Database

_AT_ONCE: Final = 500  # events in hand
_PARTITION: Final = 124  # bits behind the first hex digit


def in_case_order(
    database: Database, partition: int, *, upto: int
) -> Iterator[StoredRow]:
    """Give the events, up to a position, of the cases whose id begins with this digit.

    Each page is a transaction of its own, so that nothing is kept from being cleaned
    up meanwhile; behind a position no event changes and none is added.
    """
    last = UUID(int=(partition + 1 << _PARTITION) - 1)
    place: tuple[UUID, int] = (UUID(int=partition << _PARTITION), 0)
    while True:
        with database.read() as tx:
            rows = tx.fetchall(
                # The sign keeps a planner from walking all positions for each page.
                "SELECT position, case_id, version, type, body FROM stored_events"
                " WHERE (case_id, version) > (?, ?) AND case_id <= ?"
                " AND +position <= ? ORDER BY case_id, version LIMIT ?",
                (*place, last, upto, _AT_ONCE),
            )
        yield from map(StoredRow._make, rows)
        if len(rows) < _AT_ONCE:
            return
        place = rows[-1][1], rows[-1][2]
