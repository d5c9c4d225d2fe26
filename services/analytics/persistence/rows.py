"""One set of versioned rows: the live ones, or those of a rebuild."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.analytics.persistence.tables import (
    COLUMNS,
    LIVE,
    SELECTED,
    marks,
    values_of,
    version_of,
)
from services.kernel.store.database import IN_LIST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from services.analytics.domain.versions import Changes, Version
    from services.analytics.ports import Known
    from services.kernel.store.database import Tx


class SqlRows:
    """One set of versioned rows: the live ones, or those of a rebuild."""

    def __init__(self, suffix: str = LIVE) -> None:
        self._rows = f"complaint_row{suffix}"
        self._positions = f"log_position{suffix}"

    def present(self, tx: Tx, case_ids: Iterable[UUID]) -> dict[UUID, Version]:
        wanted = sorted(set(case_ids))
        found: dict[UUID, Version] = {}
        for start in range(0, len(wanted), IN_LIST_LIMIT):
            part = wanted[start : start + IN_LIST_LIMIT]
            rows = tx.fetchall(
                f"SELECT {SELECTED} FROM {self._rows}"  # noqa: S608 our own names
                f" WHERE to_position IS NULL AND case_id IN ({marks(part)})",
                part,
            )
            found.update((row[0], version_of(row)) for row in rows)
        return found

    def save(self, tx: Tx, changes: Changes) -> None:
        if changes.touched:
            tx.executemany(
                f"UPDATE {self._rows} SET to_position = ?, applied = ?"  # noqa: S608 our own names
                " WHERE case_id = ? AND from_position = ?",
                [
                    (row.to_position, row.applied, row.case_id, row.from_position)
                    for row in changes.touched
                ],
            )
        if changes.opened:
            tx.executemany(
                f"INSERT INTO {self._rows} ({SELECTED})"  # noqa: S608 our own names
                f" VALUES ({marks(COLUMNS)})",
                [values_of(row) for row in changes.opened],
            )

    def note(self, tx: Tx, known: Sequence[Known]) -> None:
        if known:
            tx.executemany(
                f"INSERT INTO {self._positions} (position, committed_at)"  # noqa: S608 our own names
                " VALUES (?, ?) ON CONFLICT (position) DO NOTHING",
                sorted(known),
            )
