"""Handling's record in SQL: the work list and the keys of commands, beside the events."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from eventsourcing.persistence import IntegrityError, PersistenceError

from events import codec
from services.handling.domain.decisions.rules import ENDED
from services.handling.ports import KeyRow, Listed, QueueFilter, TakenError, Tallied
from services.kernel.clock import from_micros, micros
from services.kernel.errors import UnavailableError
from services.kernel.store.database import IN_LIST_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from uuid import UUID

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Database, Tx
    from services.kernel.vault import Sealed, Vault

WORK_LIST = (
    """CREATE TABLE IF NOT EXISTS work_list (
        case_id UUID PRIMARY KEY, receipt_no TEXT NOT NULL UNIQUE, version BIGINT NOT NULL,
        state TEXT NOT NULL, department TEXT, channel TEXT, category TEXT, product TEXT,
        supplier TEXT, severity TEXT, origin TEXT NOT NULL, received_at BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS work_list_by_receipt_time
        ON work_list (received_at, case_id)""",
    """CREATE INDEX IF NOT EXISTS work_list_by_department
        ON work_list (department, state, received_at)""",
)
"""DDL of the room. `received_at` is the claimed time, microseconds UTC."""

COMMAND_KEYS = (
    """CREATE TABLE IF NOT EXISTS command_key (
        actor TEXT NOT NULL, key TEXT NOT NULL, case_id UUID NOT NULL,
        digest BYTEA NOT NULL, result TEXT NOT NULL, PRIMARY KEY (actor, key))""",
)
"""Kept as long as the case: the same key gives the same answer for ever."""

_SELECT_KEYS = (
    "SELECT actor, key, case_id, digest, result FROM command_key WHERE (actor, key) IN"
)

_log = structlog.get_logger(__name__)

_COLUMNS = (
    "case_id, receipt_no, version, state, department, channel, category, product,"
    " supplier, severity, origin, received_at"
)
_EQUAL = ("state", "department", "channel", "product", "supplier", "severity", "origin")


class WorkList:
    """Rows of open and closed cases, as the queue and the desk list them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        if not database.read_only:
            database.migrate(WORK_LIST)

    def keep(self, tx: Tx, cases: Sequence[Case]) -> None:
        """Write the rows of these cases as they now are."""
        columns = _COLUMNS.split(", ")
        kept = ", ".join(f"{name} = excluded.{name}" for name in columns[2:])
        tx.executemany(
            f"INSERT INTO work_list ({_COLUMNS})"  # noqa: S608 fixed words
            f" VALUES ({', '.join('?' * len(columns))})"
            f" ON CONFLICT (case_id) DO UPDATE SET {kept}",
            [_row(case) for case in cases],
        )

    def find(self, receipt_no: str) -> UUID | None:
        with self._database.read() as tx:
            row = tx.fetchone(
                "SELECT case_id FROM work_list WHERE receipt_no = ?", (receipt_no,)
            )
        return row[0] if row else None

    def page(self, wanted: QueueFilter, *, limit: int) -> list[Listed]:
        """Give at most `limit` rows behind the cursor, oldest receipt first."""
        conditions, params = _conditions(wanted)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._database.read() as tx:
            rows = tx.fetchall(
                f"SELECT {_COLUMNS} FROM work_list {where}"  # noqa: S608 fixed words
                " ORDER BY received_at, case_id LIMIT ?",
                [*params, limit],
            )
        return [Listed._make((*row[:-1], from_micros(row[-1]))) for row in rows]

    def count(self, wanted: QueueFilter) -> int:
        """Give how many rows the filter has, whatever the cursor."""
        conditions, params = _conditions(wanted._replace(after=None))
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._database.read() as tx:
            row = tx.fetchone(
                f"SELECT COUNT(*) FROM work_list {where}",  # noqa: S608 fixed words
                params,
            )
        return row[0] if row else 0

    def tally(self, department: str | None = None) -> list[Tallied]:
        """Count every case once, by state, department and severity."""
        where, params = ("", [])
        if department is not None:
            where, params = ("WHERE department = ?", [department])
        with self._database.read() as tx:
            rows = tx.fetchall(
                "SELECT state, department, severity, COUNT(*)"  # noqa: S608 fixed words
                f" FROM work_list {where} GROUP BY state, department, severity",
                params,
            )
        return [Tallied._make(row) for row in rows]


class HandlingRecord:
    """`ports.Record`: events, rows, documents and keys in one transaction."""

    def __init__(
        self, store: EventStore[Envelope[Any]], cases: WorkList, vault: Vault
    ) -> None:
        self._store = store
        self._cases = cases
        self._vault = vault
        store.database.migrate(COMMAND_KEYS)

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        try:
            with self._store.database.write() as tx:
                yield tx
        except IntegrityError as error:
            raise TakenError from error
        except PersistenceError as error:
            _log.warning("handling.store_failed", exc_info=True)
            raise UnavailableError(
                "handling.store_unavailable",
                "It is not certain that this was done: send it again with the same key.",
                retry_after=5,
            ) from error

    def load(self, tx: Tx, case_id: UUID) -> list[Envelope[Any]]:
        rows = tx.fetchall(
            "SELECT body FROM stored_events WHERE case_id = ? ORDER BY version",
            (case_id,),
        )
        return [codec.decode(body) for (body,) in rows]

    def keys(
        self, tx: Tx, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], KeyRow]:
        pairs = list(wanted)
        found: dict[tuple[str, str], KeyRow] = {}
        for start in range(0, len(pairs), IN_LIST_LIMIT):
            some = pairs[start : start + IN_LIST_LIMIT]
            places = ", ".join(["(?, ?)"] * len(some))
            select = f"{_SELECT_KEYS} (VALUES {places})"
            for row in tx.fetchall(select, [value for pair in some for value in pair]):
                found[row[0], row[1]] = KeyRow._make(row)
        return found

    def keep(
        self,
        tx: Tx,
        *,
        events: Sequence[Envelope[Any]],
        cases: Sequence[Case],
        documents: Sequence[Sealed],
        keys: Sequence[KeyRow],
    ) -> None:
        self._store.put(tx, events)
        self._cases.keep(tx, cases)
        self._vault.put(tx, documents)
        tx.executemany(
            "INSERT INTO command_key (actor, key, case_id, digest, result)"
            " VALUES (?, ?, ?, ?, ?)",
            keys,
        )


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
        micros(case.received_at),
    )


def _adds_unassigned(wanted: QueueFilter, name: str) -> bool:
    return wanted.unassigned and name == "department"


def _conditions(wanted: QueueFilter) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    params: list[object] = []
    for name in _EQUAL:
        value = getattr(wanted, name)
        if value is not None:
            also = " OR department IS NULL" if _adds_unassigned(wanted, name) else ""
            conditions.append(f"({name} = ?{also})")
            params.append(value)
    if wanted.category is not None:  # a path means itself and all below it
        conditions.append("(category = ? OR substr(category, 1, ?) = ?)")
        below = f"{wanted.category}/"
        params += [wanted.category, len(below), below]
    if wanted.digits is not None:
        conditions.append("receipt_no LIKE ?")
        params.append(f"%{wanted.digits}%")
    if wanted.unended:
        conditions.append(f"state NOT IN ({', '.join('?' * len(ENDED))})")
        params += sorted(ENDED)
    if wanted.received_from is not None:
        conditions.append("received_at >= ?")
        params.append(micros(wanted.received_from))
    if wanted.received_before is not None:
        conditions.append("received_at < ?")
        params.append(micros(wanted.received_before))
    if wanted.after is not None:
        received_at, case_id = wanted.after
        conditions.append("(received_at > ? OR (received_at = ? AND case_id > ?))")
        params += [micros(received_at), micros(received_at), case_id]
    return conditions, params
