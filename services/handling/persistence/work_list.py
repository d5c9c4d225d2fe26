"""The work list in SQL: what the queue and the desk ask of all cases.

Its rows follow from the events and are written in their transaction. Where an amends
with other tables comes to a database, the rows are made anew from the log.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from events import quick
from services.handling.domain.clocks import next_dues
from services.handling.domain.decisions.rules import ENDED
from services.handling.domain.evolution import evolve
from services.handling.ports import Listed, QueueFilter, Tallied
from services.kernel.clock import from_micros, micros
from services.kernel.store.database import IN_LIST_LIMIT
from services.kernel.vault import CASES_LIMIT, too_common

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence, Sized

    from services.handling.domain.case import Case
    from services.handling.domain.clocks import Clockwork
    from services.kernel.store.database import Database, Tx

    Condition = tuple[str, Sequence[object]]
    """What a row must fulfil, and the values of its places."""

_TABLES: Final = (
    """CREATE TABLE work_list (
        case_id UUID PRIMARY KEY, receipt_no TEXT NOT NULL UNIQUE, version BIGINT NOT NULL,
        state TEXT NOT NULL, department TEXT, channel TEXT, category TEXT, product TEXT,
        supplier TEXT, severity TEXT, origin TEXT NOT NULL,
        received_precision TEXT NOT NULL, closed_precision TEXT,
        received_at BIGINT NOT NULL, closed_at BIGINT, subject_id UUID NOT NULL,
        next_due BIGINT, next_clock TEXT, unit_due BIGINT, unit_clock TEXT)""",
    """CREATE INDEX work_list_by_due ON work_list (next_due, case_id, origin)
        WHERE next_due IS NOT NULL""",
    """CREATE INDEX work_list_by_unit_due ON work_list (unit_due, case_id, origin)
        WHERE unit_due IS NOT NULL""",
    "CREATE INDEX work_list_by_subject ON work_list (subject_id)",
    "CREATE INDEX work_list_by_receipt_time ON work_list (received_at, case_id)",
    "CREATE INDEX work_list_by_state ON work_list (state, received_at)",
    """CREATE TABLE work_list_department (
        department TEXT NOT NULL, case_id UUID NOT NULL, PRIMARY KEY (department, case_id))""",
    "CREATE INDEX work_list_department_of ON work_list_department (case_id)",
)
"""`work_list_department` has every department that a case now has to do with, the
leading one too. Times are the claimed ones, microseconds UTC. `next_due` is what the
clocks give of the events, `unit_due` the next of what departments are told; kept for the
order of the queue, and never the truth."""

_SHAPE: Final = hashlib.sha256("\n".join(_TABLES).encode()).hexdigest()
_SHAPES: Final = (
    "CREATE TABLE IF NOT EXISTS work_list_shape (id BIGINT PRIMARY KEY, shape TEXT)"
)

_STATED: Final = (
    "case_id, receipt_no, version, state, department, channel, category, product,"
    " supplier, severity, origin, received_precision, closed_precision"
)
_DUE: Final = "next_clock, next_due, unit_clock, unit_due"
_KEPT: Final = f"{_STATED}, received_at, closed_at, subject_id, {_DUE}".split(", ")
_SHAPE_ROW, _EDITION_ROW = 1, 2
_EQUAL: Final = ("state", "channel", "product", "supplier", "severity")
_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(ENDED))
_OWING: Final = (
    "EXISTS (SELECT 1 FROM work_list"  # noqa: S608 fixed words
    " WHERE work_list.case_id = stored_events.case_id"
    f" AND work_list.origin <> 'migration' AND work_list.state NOT IN ({_ENDED}))"
)
"""Events of cases of which something may be due."""
_AT_ONCE: Final = 1_000  # events in hand while rows are made anew

_log = structlog.get_logger(__name__)


class WorkList:
    """Rows of open and closed cases; the record of the events lies in the same database.

    Without a `clockwork` nothing is due. Where another one comes to a database, what is
    due is derived anew from the log.
    """

    def __init__(self, database: Database, clockwork: Clockwork | None = None) -> None:
        self._database = database
        self._clockwork = clockwork
        if not database.read_only:
            self._shape()

    def keep(self, tx: Tx, cases: Sequence[Case]) -> None:
        """Write the rows of these cases as they now are."""
        kept = ", ".join(f"{name} = excluded.{name}" for name in _KEPT[2:])
        tx.executemany(
            f"INSERT INTO work_list ({', '.join(_KEPT)})"  # noqa: S608 fixed words
            f" VALUES ({_places(_KEPT)})"
            f" ON CONFLICT (case_id) DO UPDATE SET {kept}",
            [(*_row(case), case.subject_id, *self._due(case)) for case in cases],
        )
        tx.executemany(
            "DELETE FROM work_list_department WHERE case_id = ?",
            [(case.id,) for case in cases if case.version > 1],  # new ones have none
        )
        tx.executemany(
            "INSERT INTO work_list_department (department, case_id) VALUES (?, ?)",
            [(name, case.id) for case in cases for name in sorted(case.departments)],
        )

    def find(self, receipt_no: str) -> UUID | None:
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT case_id FROM work_list WHERE receipt_no = ?", (receipt_no,)
            )
        return row[0] if row else None

    def of_subject(self, tx: Tx, subject_id: UUID) -> list[UUID]:
        """Give the cases of a person, the oldest receipt first."""
        rows = tx.fetchall(
            "SELECT case_id FROM work_list WHERE subject_id = ?"
            " ORDER BY received_at, case_id",
            (subject_id,),
        )
        return [case_id for (case_id,) in rows]

    def page(self, wanted: QueueFilter, *, limit: int) -> list[Listed]:
        """Give at most `limit` rows behind the cursor: oldest receipt, or due, first."""
        where, params = _where(wanted)
        with self._database.read() as tx:
            rows = tx.fetchall(
                f"SELECT {_columns(wanted)} FROM work_list {where}"  # noqa: S608 fixed words
                f" ORDER BY {_order(wanted)}, case_id LIMIT ?",
                [*params, limit],
            )
        return [_listed(row) for row in rows]

    def count(self, wanted: QueueFilter) -> int:
        """Give how many rows the filter has, whatever the cursor."""
        where, params = _where(wanted._replace(after=None))
        with self._database.read() as tx:
            row = tx.fetchone(
                f"SELECT COUNT(*) FROM work_list {where}",  # noqa: S608 fixed words
                params,
            )
        return row[0] if row else 0

    def having_digits(self, digits: str) -> set[UUID]:
        with self._database.read() as tx:
            rows = tx.fetchall(
                "SELECT case_id FROM work_list WHERE receipt_no LIKE ? LIMIT ?",
                (f"%{digits}%", CASES_LIMIT + 1),
            )
        if len(rows) > CASES_LIMIT:
            raise too_common()
        return {case_id for (case_id,) in rows}

    def among(self, cases: Iterable[UUID], wanted: QueueFilter) -> list[Listed]:
        """Give the rows of these cases that fit the filter, in its order."""
        conditions, params = _where(wanted)
        found: list[Listed] = []
        waiting = sorted(cases)
        with self._database.read() as tx:
            while waiting:
                some, waiting = waiting[:IN_LIST_LIMIT], waiting[IN_LIST_LIMIT:]
                rows = tx.fetchall(
                    f"SELECT {_columns(wanted)} FROM work_list"  # noqa: S608 fixed words
                    f" {conditions or 'WHERE TRUE'} AND case_id IN ({_places(some)})",
                    [*params, *some],
                )
                found += map(_listed, rows)
        return sorted(found, key=wanted.place)

    def tally(self, wanted: QueueFilter) -> list[Tallied]:
        """Count the rows of the filter, each once, by state and severity."""
        where, params = _where(wanted._replace(after=None))
        with self._database.read() as tx:
            rows = tx.fetchall(
                "SELECT state, severity, COUNT(*) FROM work_list"  # noqa: S608 fixed words
                f" {where} GROUP BY state, severity",
                params,
            )
        return [Tallied._make(row) for row in rows]

    def _shape(self) -> None:
        """Make the tables; if others are there, make them anew with all their rows."""
        self._database.migrate((_SHAPES,))
        with self._database.write() as tx:
            for row in (_SHAPE_ROW, _EDITION_ROW):
                tx.execute(
                    "INSERT INTO work_list_shape (id, shape) VALUES (?, '')"
                    " ON CONFLICT (id) DO NOTHING",
                    (row,),
                )
            # On PostgreSQL another process that starts now waits here.
            tx.execute("UPDATE work_list_shape SET shape = shape")
            shapes = dict(tx.fetchall("SELECT id, shape FROM work_list_shape"))
            edition = self._clockwork.edition if self._clockwork else ""
            tx.execute(
                "UPDATE work_list_shape SET shape = ? WHERE id = ?",
                (edition, _EDITION_ROW),
            )
            if shapes[_SHAPE_ROW] == _SHAPE:
                if shapes[_EDITION_ROW] != edition:
                    self._derive_anew(tx)
                return
            for table in ("work_list", "work_list_department"):
                tx.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _TABLES:
                tx.execute(statement)
            cases = 0
            for some in _folded(tx):
                self.keep(tx, some)
                cases += len(some)
            tx.execute(
                "UPDATE work_list_shape SET shape = ? WHERE id = ?",
                (_SHAPE, _SHAPE_ROW),
            )
        if cases:
            _log.info("handling.work_list_made_anew", cases=cases)

    def _due(self, case: Case) -> list[object]:
        """Give clock and instant of what is due next, and of what departments are told."""
        dues = next_dues(case, self._clockwork) if self._clockwork else (None, None)
        return [
            value
            for due in dues
            for value in ((due.clock, micros(due.at)) if due else (None, None))
        ]

    def _derive_anew(self, tx: Tx) -> None:
        """Derive what is due of every case that may owe something, by other rules."""
        cases = 0
        for some in _folded(tx, _OWING):
            tx.executemany(
                "UPDATE work_list SET next_clock = ?, next_due = ?,"
                " unit_clock = ?, unit_due = ? WHERE case_id = ?",
                [(*self._due(case), case.id) for case in some],
            )
            cases += len(some)
        if cases:
            _log.info("handling.due_dates_derived_anew", cases=cases)


def forget_rows(tx: Tx) -> None:
    """Have whoever opens the work list next make its rows anew from the log."""
    tx.execute(_SHAPES)
    tx.execute("UPDATE work_list_shape SET shape = '' WHERE id = ?", (_SHAPE_ROW,))


def _folded(tx: Tx, which: str = "TRUE") -> Iterator[list[Case]]:
    """Give the cases of the record, folded from their events, some at a time."""
    case: Case | None = None
    place: tuple[UUID, int] = (UUID(int=0), 0)
    while rows := tx.fetchall(
        "SELECT case_id, version, type, body FROM stored_events"  # noqa: S608 fixed words
        f" WHERE (case_id, version) > (?, ?) AND {which}"
        " ORDER BY case_id, version LIMIT ?",
        (*place, _AT_ONCE),
    ):
        whole = []
        for case_id, version, name, body in rows:
            if case is not None and case.id != case_id:
                whole.append(case)
            case = evolve(case, quick.decode(name, body))
            place = (case_id, version)
        yield whole
    if case is not None:
        yield [case]


def _row(case: Case) -> tuple[object, ...]:
    return (
        case.id,
        case.receipt_no,
        case.version,
        case.state,
        case.department,
        case.channel,
        case.category,
        case.product,
        case.supplier,
        case.severity,
        case.origin,
        case.received_precision,
        case.closed_precision,
        micros(case.received_at),
        micros(case.closed_at) if case.closed_at else None,
    )


def _listed(row: tuple[object, ...]) -> Listed:
    *codes, received_at, closed_at, next_due_at = row
    times = [
        from_micros(at) if isinstance(at, int) else None
        for at in (received_at, closed_at, next_due_at)
    ]
    return Listed._make((*codes, *times))


def _where(wanted: QueueFilter) -> tuple[str, list[object]]:
    found = [*_codes(wanted), *_times(wanted)]
    if not found:
        return "", []
    params = [value for _, values in found for value in values]
    return f"WHERE {' AND '.join(condition for condition, _ in found)}", params


def _codes(wanted: QueueFilter) -> Iterator[Condition]:
    for name in _EQUAL:
        if (value := getattr(wanted, name)) is not None:
            yield f"{name} = ?", [value]
    if wanted.department is not None:
        concerned = (
            "case_id IN (SELECT case_id FROM work_list_department WHERE department = ?)"
        )
        also = " OR department IS NULL" if wanted.unassigned else ""
        yield f"({concerned}{also})", [wanted.department]
    if wanted.origins:
        yield f"origin IN ({_places(wanted.origins)})", wanted.origins
    if wanted.category is not None:  # a path means itself and all below it
        below = f"{wanted.category}/"
        yield (
            "(category = ? OR substr(category, 1, ?) = ?)",
            [wanted.category, len(below), below],
        )
    if wanted.known_by is not None:
        # The sign keeps a planner from walking all positions.
        first = (
            "SELECT 1 FROM stored_events AS known WHERE known.version = 1"
            " AND known.case_id = work_list.case_id AND +known.position <= ?"
        )
        yield f"EXISTS ({first})", [wanted.known_by]
    if wanted.unended:
        yield f"state NOT IN ({_places(ENDED)})", sorted(ENDED)


def _times(wanted: QueueFilter) -> Iterator[Condition]:
    _, due = _due_columns(wanted)
    for condition, instant in (
        ("received_at >= ?", wanted.received_from),
        ("received_at < ?", wanted.received_before),
        ("closed_at >= ?", wanted.closed_from),
        ("closed_at < ?", wanted.closed_before),
        (f"{due} >= ?", wanted.due_from),
        (f"{due} < ?", wanted.due_before),
    ):
        if instant is not None:
            yield condition, [micros(instant)]
    if wanted.by_due:
        yield f"{due} IS NOT NULL", []
    if wanted.after is not None:
        at, case_id = wanted.after
        yield f"({_order(wanted)}, case_id) > (?, ?)", [micros(at), case_id]


def _order(wanted: QueueFilter) -> str:
    return _due_columns(wanted)[1] if wanted.by_due else "received_at"


def _columns(wanted: QueueFilter) -> str:
    clock, due = _due_columns(wanted)
    return f"{_STATED}, {clock}, received_at, closed_at, {due}"


def _due_columns(wanted: QueueFilter) -> tuple[str, str]:
    if wanted.for_unit:
        return "unit_clock", "unit_due"
    return "next_clock", "next_due"


def _places(values: Sized) -> str:
    return ", ".join("?" * len(values))
