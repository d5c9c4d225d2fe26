"""Who read, searched and exported what, and what for: beside the record, not in it.

An amends before knew three acts: whatever was shown or made anew is `read` there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from uuid import UUID

from services.kernel.clock import from_micros, micros
from services.kernel.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.kernel.access import Credential
    from services.kernel.store.database import Database, Dialect, Tx

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
_ADDED = (
    ("act", "TEXT NOT NULL DEFAULT 'read'"),
    ("hits", "BIGINT"),
    ("sought", "BYTEA"),
    ("subject_id", "UUID"),
)
"""Columns that an amends before did not have."""
_COLUMN_NAMES: dict[Dialect, str] = {
    "sqlite": "SELECT name FROM pragma_table_info('document_reading')",
    "postgres": (
        "SELECT column_name FROM information_schema.columns WHERE table_name ="
        " 'document_reading' AND table_schema = current_schema()"
    ),
}
_LAST = 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
_COLUMNS = (
    "read_at, case_id, document_id, kind, actor, role, department, purpose, masked,"
    " act, hits, sought, subject_id"
)

Act = Literal["read", "list", "preview", "download", "renew", "search", "export"]
"""Words were shown; of a file its name and size, a small picture, all of it; an access
code was made anew; cases were looked for; a person's data went out."""
ACTS: Final[tuple[Act, ...]] = get_args(Act)
CASE_WORK: Final = "case_work"
AUDIT: Final = "audit"
OWN: Final = "own_words"
NOTHING: Final = UUID(int=0)
"""In the place of a case, or of a document, where a note is of none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at one document; `purpose` is a code, `masked` what was left out.

    Of a search, `kind` names by what was sought, codes in a row, `hits` how many cases
    were given; `sought` is a keyed digest of what was typed, the same for the same. Of
    an export, `subject_id` is the person whose data it was, where it was one person's.
    """

    read_at: datetime
    case_id: UUID
    document_id: UUID
    kind: str
    actor: str
    role: str
    department: str | None
    purpose: str
    masked: bool = False
    act: Act = "read"
    hits: int | None = None
    sought: bytes | None = None
    subject_id: UUID | None = None


def usual_purpose(role: str) -> str:
    """Say what people of a role read for where they say nothing else."""
    return {"auditor": AUDIT, "complainant": OWN}.get(role, CASE_WORK)


def searched(
    by: Credential,
    *,
    at: datetime,
    kinds: Sequence[str],
    sought: bytes,
    hits: int,
) -> Reading:
    """Make the note of a search."""
    return Reading(
        read_at=at,
        case_id=NOTHING,
        document_id=NOTHING,
        kind=" ".join(kinds),
        actor=by.actor,
        role=by.role,
        department=by.department,
        purpose=usual_purpose(by.role),
        act="search",
        hits=hits,
        sought=sought,
    )


def exported(
    by: Credential,
    *,
    at: datetime,
    kind: str,
    purpose: str,
    subject_id: UUID | None = None,
    case_id: UUID = NOTHING,
) -> Reading:
    """Make the note of an export: `kind` is the code of what went out."""
    return Reading(
        read_at=at,
        case_id=case_id,
        document_id=NOTHING,
        kind=kind,
        actor=by.actor,
        role=by.role,
        department=by.department,
        purpose=purpose,
        act="export",
        subject_id=subject_id,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of them: of a case, by somebody, an act, from `after` on, until `before`."""

    case_id: UUID | None = None
    actor: str | None = None
    act: Act | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """Readings, the latest first, and where the page after them begins, if any."""

    rows: list[Reading]
    cursor: str | None


class Readings:
    """The access log of one service: what was read, searched and exported there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        if not database.read_only:
            database.migrate(TABLES)
            self._add_columns()

    def _add_columns(self) -> None:
        """Bring the table of an older amends up to date."""
        with self._database.write() as tx:
            # On PostgreSQL another process that starts now waits here.
            if tx.dialect == "postgres":
                tx.execute("LOCK TABLE document_reading IN SHARE ROW EXCLUSIVE MODE")
            known = {name for (name,) in tx.fetchall(_COLUMN_NAMES[tx.dialect])}
            for name, form in _ADDED:
                if name not in known:
                    tx.execute(f"ALTER TABLE document_reading ADD COLUMN {name} {form}")

    def note(self, readings: Sequence[Reading]) -> None:
        """Commit before anything is given: nothing is read, found or sent unnoted."""
        with self._database.write() as tx:
            self.put(tx, readings)

    @staticmethod
    def put(tx: Tx, readings: Sequence[Reading]) -> None:
        """Note them in the caller's transaction."""
        tx.executemany(
            f"INSERT INTO document_reading ({_COLUMNS})"  # noqa: S608 fixed words
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                    each.act,
                    each.hits,
                    each.sought,
                    each.subject_id,
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
            ("act = ?", wanted.act),
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
                " ORDER BY read_at DESC, document_id, actor, purpose, kind, hits"
                " LIMIT ? OFFSET ?",
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
    found = []
    for at, *who, masked, act, hits, sought, subject_id in rows:
        rest = (bool(masked), act, hits, sought, subject_id)
        found.append(Reading(from_micros(at), *who, *rest))  # type: ignore[call-arg] # a row's width
    return found


def _read_cursor(text: str) -> tuple[int, int]:
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise MalformedError(
            "readings.cursor",
            "Take `cursor` of the page before, or leave it out for the first page.",
        )
    return int(found[1]), int(found[2])
