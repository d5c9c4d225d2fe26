"""Who read which document, when and what for: kept beside the record, not in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.kernel.clock import from_micros, micros
from services.kernel.errors import MalformedError

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
    """CREATE INDEX IF NOT EXISTS document_reading_by_actor
        ON document_reading (actor, read_at)""",
    """CREATE INDEX IF NOT EXISTS document_reading_by_time
        ON document_reading (read_at)""",
)
_LAST = 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings: of a case, by somebody, from `after` on, until `before`."""

    case_id: UUID | None = None
    actor: str | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """Readings, the latest first, and where the page after them begins, if any."""

    rows: list[Reading]
    cursor: str | None


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

    def page(
        self, wanted: Wanted, *, cursor: str | None = None, limit: int
    ) -> ReadingPage:
        """Give the latest of them, or those behind a cursor; an index leads to each.

        Raises MalformedError for a cursor that no page gave.
        """
        conditions, values = ["read_at <= ?"], list[object]()
        until, skipped = _LAST, 0
        if cursor is not None:
            until, skipped = _read_cursor(cursor)
        values.append(until)
        for condition, value in (
            ("case_id = ?", wanted.case_id),
            ("actor = ?", wanted.actor),
            ("read_at >= ?", wanted.after and micros(wanted.after)),
            ("read_at < ?", wanted.before and micros(wanted.before)),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        with self._database.read() as tx:
            found = tx.fetchall(
                f"SELECT {_COLUMNS} FROM document_reading"  # noqa: S608 fixed words
                f" WHERE {' AND '.join(conditions)}"
                " ORDER BY read_at DESC, document_id, actor, purpose LIMIT ? OFFSET ?",
                (*values, limit + 1, skipped),
            )
        shown = found[:limit]
        if len(found) == len(shown):
            return ReadingPage(_readings(shown), None)
        last = shown[-1][0]
        # Several are read at one instant: the next page skips those already given.
        given = sum(row[0] == last for row in shown) + skipped * (last == until)
        return ReadingPage(_readings(shown), f"{last}-{given}")

    def of_case(self, case_id: UUID) -> list[Reading]:
        """Give who read of a case, the earliest first."""
        with self._database.read() as tx:
            rows = tx.fetchall(
                f"SELECT {_COLUMNS} FROM document_reading"  # noqa: S608 fixed words
                " WHERE case_id = ? ORDER BY read_at",
                (case_id,),
            )
        return _readings(rows)


def _readings(rows: Sequence[tuple[Any, ...]]) -> list[Reading]:
    return [
        Reading(from_micros(at), *who, masked=bool(hidden))  # type: ignore[misc] # a row's width
        for at, *who, hidden in rows
    ]


def _read_cursor(text: str) -> tuple[int, int]:
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise MalformedError(
            "readings.cursor",
            "Take `cursor` of the page before, or leave it out for the first page.",
        )
    return int(found[1]), int(found[2])
