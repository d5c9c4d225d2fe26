"""Who read which document, when and what for: kept beside the record, not in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.kernel.clock import from_micros, micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from services.kernel.store.database import Database

TABLES = (
    """CREATE TABLE IF NOT EXISTS document_reading (
        read_at BIGINT NOT NULL, case_id UUID NOT NULL, document_id UUID NOT NULL,
        kind TEXT NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL, department TEXT,
        purpose TEXT NOT NULL, masked BOOLEAN NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS document_reading_by_case
        ON document_reading (case_id, read_at)""",
)
_COLUMNS = (
    "read_at, case_id, document_id, kind, actor, role, department, purpose, masked"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one document; `purpose` is a code, `masked` what was left out."""

    read_at: datetime
    case_id: UUID
    document_id: UUID
    kind: str
    actor: str
    role: str
    department: str | None
    purpose: str
    masked: bool = False


class Readings:
    """The access log of one service's documents."""

    def __init__(self, database: Database) -> None:
        self._database = database
        if not database.read_only:
            database.migrate(TABLES)

    def note(self, readings: Sequence[Reading]) -> None:
        """Commit before the words are given: nothing is read unnoted."""
        with self._database.write() as tx:
            tx.executemany(
                f"INSERT INTO document_reading ({_COLUMNS})"  # noqa: S608 fixed words
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        micros(each.read_at),
                        each.case_id,
                        each.document_id,
                        each.kind,
                        each.actor,
                        each.role,
                        each.department,
                        each.purpose,
                        each.masked,
                    )
                    for each in readings
                ],
            )

    def of_case(self, case_id: UUID) -> list[Reading]:
        """Give who read of a case, the earliest first."""
        with self._database.read() as tx:
            rows = tx.fetchall(
                f"SELECT {_COLUMNS} FROM document_reading"  # noqa: S608 fixed words
                " WHERE case_id = ? ORDER BY read_at",
                (case_id,),
            )
        return [
            Reading(from_micros(at), *who, masked=bool(hidden))  # type: ignore[misc] # a row's width
            for at, *who, hidden in rows
        ]
