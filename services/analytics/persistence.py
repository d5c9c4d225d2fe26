"""Versioned rows in SQL, the same on SQLite and PostgreSQL; no query folds the log."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from services.analytics.domain.facts import Facts
from services.analytics.domain.figures import (
    DIMENSIONS,
    MOST_GROUPS,
    PATHS,
    UNSTATED,
    Group,
    Selection,
    TooManyGroupsError,
)
from services.analytics.domain.versions import Changes, Version
from services.analytics.ports import Known, Snapshot, Standing
from services.kernel.clock import from_micros, micros
from services.kernel.inbox import INBOX_TABLES
from services.kernel.store.database import IN_LIST_LIMIT, Database, Tx

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

_TYPES: Final = {
    "receipt_event": "UUID NOT NULL",
    "received_at": "BIGINT NOT NULL",
    "appeals": "BIGINT NOT NULL",
}
_FACTS: Final = tuple(field.name for field in fields(Facts))
_COLUMNS: Final = ("case_id", "from_position", "to_position", "applied", *_FACTS)
_SELECTED: Final = ", ".join(_COLUMNS)
_facts_of: Final = attrgetter(*_FACTS)
_AT: Final = _FACTS.index("received_at")
_BY: Final = _FACTS.index("set_by")

_LIVE: Final = ""
_BESIDE: Final = "__rebuild"
_REPLACED: Final = "__replaced"
_TABLES: Final = ("complaint_row", "log_position")

_STATE: Final = """
CREATE TABLE IF NOT EXISTS analytics_state (
    id BIGINT PRIMARY KEY,
    complete_to BIGINT NOT NULL,
    unfit BIGINT NOT NULL,
    generation BIGINT NOT NULL
)"""

DIGEST_PAGE: Final = 2_000
SETTLE_PAGE: Final = 5_000


def _tables(suffix: str, generation: int) -> Iterator[str]:
    """Give the DDL of one set; only index names must be new in each generation."""
    facts = ", ".join(f"{name} {_TYPES.get(name, 'TEXT')}" for name in _FACTS)
    yield f"""
        CREATE TABLE complaint_row{suffix} (
            case_id UUID NOT NULL, from_position BIGINT NOT NULL, to_position BIGINT,
            applied BIGINT NOT NULL, {facts}, PRIMARY KEY (case_id, from_position)
        )"""
    yield f"""
        CREATE TABLE log_position{suffix} (
            position BIGINT PRIMARY KEY, committed_at BIGINT NOT NULL
        )"""
    yield f"""
        CREATE INDEX log_position_committed_at_{generation}
            ON log_position{suffix} (committed_at)"""


class SqlRows:
    """One set of versioned rows: the live ones, or those of a rebuild."""

    def __init__(self, suffix: str = _LIVE) -> None:
        self._rows = f"complaint_row{suffix}"
        self._positions = f"log_position{suffix}"

    def present(self, tx: Tx, case_ids: Iterable[UUID]) -> dict[UUID, Version]:
        wanted = sorted(set(case_ids))
        found: dict[UUID, Version] = {}
        for start in range(0, len(wanted), IN_LIST_LIMIT):
            part = wanted[start : start + IN_LIST_LIMIT]
            rows = tx.fetchall(
                f"SELECT {_SELECTED} FROM {self._rows}"  # noqa: S608 our own names
                f" WHERE to_position IS NULL AND case_id IN ({_marks(part)})",
                part,
            )
            found.update((row[0], _version(row)) for row in rows)
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
                f"INSERT INTO {self._rows} ({_SELECTED})"  # noqa: S608 our own names
                f" VALUES ({_marks(_COLUMNS)})",
                [_values(row) for row in changes.opened],
            )

    def note(self, tx: Tx, known: Sequence[Known]) -> None:
        if known:
            tx.executemany(
                f"INSERT INTO {self._positions} (position, committed_at)"  # noqa: S608 our own names
                " VALUES (?, ?) ON CONFLICT (position) DO NOTHING",
                sorted(known),
            )


class SqlFactStore:
    """Live rows, rebuilt rows and the standing of both in one database."""

    def __init__(self, database: Database, *, consumer: str = "analytics") -> None:
        """Open or make the tables; `consumer` names the inbox that lies beside them."""
        self._database = database
        self._consumer = consumer
        self.live = SqlRows(_LIVE)
        self.beside = SqlRows(_BESIDE)
        database.migrate((*INBOX_TABLES, _STATE))
        with database.write() as tx:
            self._found(tx)

    @staticmethod
    def _found(tx: Tx) -> None:
        if tx.dialect == "postgres":  # two services may start at once
            tx.execute("LOCK TABLE analytics_state IN EXCLUSIVE MODE")
        if tx.fetchone("SELECT id FROM analytics_state") is None:
            for statement in _tables(_LIVE, 0):
                tx.execute(statement)
            tx.execute("INSERT INTO analytics_state VALUES (1, 0, 0, 0)")

    def transaction(self) -> AbstractContextManager[Tx]:
        return self._database.write()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._database.read() as tx:
            yield SqlSnapshot(tx, self._consumer)

    def settle(
        self, tx: Tx, *, unfit: int = 0, following: Mapping[int, int] | None = None
    ) -> None:
        # The lock makes a second worker see what the first has committed.
        lock = " FOR UPDATE" if tx.dialect == "postgres" else ""
        row = tx.fetchone(f"SELECT complete_to FROM analytics_state{lock}")  # noqa: S608 our own words
        before = reached = row[0] if row else 0
        told = following or {}
        full = True
        while full:
            arrived, full = self._arrived(tx, reached)
            for position in arrived:
                if position != told.get(reached, reached + 1):
                    full = False
                    break
                reached = position
        if reached != before or unfit:
            tx.execute(
                "UPDATE analytics_state SET complete_to = ?, unfit = unfit + ?",
                (reached, unfit),
            )

    def _arrived(self, tx: Tx, after: int) -> tuple[list[int], bool]:
        """Give positions behind `after` that are in the rows or held; and if more are."""
        rows = tx.fetchall(
            "SELECT position FROM log_position WHERE position > ?"
            " ORDER BY position LIMIT ?",
            (after, SETTLE_PAGE),
        )
        full = len(rows) == SETTLE_PAGE
        held = tx.fetchall(
            "SELECT position FROM inbox_waiting WHERE consumer = ? AND position > ?",
            (self._consumer, after),
        )
        found = {position for (position,) in rows}
        last = max(found, default=0)
        found.update(position for (position,) in held if not full or position < last)
        return sorted(found), full

    def begin_rebuild(self) -> None:
        with self._database.write() as tx:
            tx.execute("UPDATE analytics_state SET generation = generation + 1")
            row = tx.fetchone("SELECT generation FROM analytics_state")
            for suffix in (_BESIDE, _REPLACED):
                _drop(tx, suffix)
            for statement in _tables(_BESIDE, row[0] if row else 0):
                tx.execute(statement)

    def digest(self, position: int, *, beside: bool) -> str:
        suffix = _BESIDE if beside else _LIVE
        digest = hashlib.sha256()
        for rows in self._pages(
            f"SELECT {_SELECTED} FROM complaint_row{suffix}"  # noqa: S608 our own names
            " WHERE (case_id, from_position) > (?, ?) AND from_position <= ?"
            " ORDER BY case_id, from_position LIMIT ?",
            (UUID(int=0), -1),
            position,
        ):
            for row in rows:
                digest.update(_canonical(row, position))
        for rows in self._pages(
            f"SELECT position, committed_at FROM log_position{suffix}"  # noqa: S608 our own names
            " WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
            (-1,),
            position,
        ):
            for row in rows:
                digest.update(_line(row))
        return digest.hexdigest()

    def _pages(
        self, sql: str, start: tuple[Any, ...], position: int
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Read in pages, each its own short transaction: closed history cannot change."""
        key = start
        while True:
            with self._database.read() as tx:
                rows = tx.fetchall(sql, (*key, position, DIGEST_PAGE))
            if not rows:
                return
            yield rows
            key = rows[-1][: len(start)]

    def swap(self, position: int) -> bool:
        with self._database.write() as tx:
            if tx.dialect == "postgres":
                # Before the state row: a batch takes its locks in this order too.
                tx.execute(
                    "LOCK TABLE complaint_row, log_position IN ACCESS EXCLUSIVE MODE"
                )
            last = tx.fetchone("SELECT MAX(position) FROM log_position")
            if last is not None and (last[0] or 0) > position:
                return False
            for table in _TABLES:
                for old, new in ((_LIVE, _REPLACED), (_BESIDE, _LIVE)):
                    tx.execute(f"ALTER TABLE {table}{old} RENAME TO {table}{new}")
            tx.execute(
                "UPDATE analytics_state SET complete_to = ?, unfit = 0", (position,)
            )
        return True

    def drop_replaced(self) -> None:
        with self._database.write() as tx:
            _drop(tx, _REPLACED)


class SqlSnapshot:
    """One state of the live rows."""

    def __init__(self, tx: Tx, consumer: str) -> None:
        self._tx = tx
        self._consumer = consumer
        if tx.dialect == "postgres":
            # Before anything is read: a swap comes wholly before or wholly after.
            tx.execute("LOCK TABLE complaint_row, log_position IN ACCESS SHARE MODE")
        row = tx.fetchone("SELECT complete_to, unfit FROM analytics_state")
        last = tx.fetchone("SELECT MAX(position) FROM log_position")
        complete_to, unfit = row or (0, 0)
        self.standing = Standing(complete_to, unfit, (last and last[0]) or 0)

    def held(self, position: int) -> int:
        row = self._tx.fetchone(
            "SELECT COUNT(*) FROM inbox_waiting WHERE consumer = ? AND position <= ?",
            (self._consumer, position),
        )
        return row[0] if row else 0

    def position_at(self, instant: datetime) -> int:
        row = self._tx.fetchone(
            "SELECT position FROM log_position WHERE committed_at <= ?"
            " ORDER BY committed_at DESC, position DESC LIMIT 1",
            (micros(instant),),
        )
        return row[0] if row else 0

    def known_at(self, position: int) -> datetime | None:
        row = self._tx.fetchone(
            "SELECT committed_at FROM log_position WHERE position <= ?"
            " ORDER BY position DESC LIMIT 1",
            (position,),
        )
        return from_micros(row[0]) if row else None

    def span(
        self, selection: Selection, position: int
    ) -> tuple[datetime, datetime] | None:
        where, params = self._where(selection, position)
        row = self._tx.fetchone(
            f"SELECT MIN(received_at), MAX(received_at) FROM complaint_row{where}",  # noqa: S608 our own names
            params,
        )
        if row is None or row[0] is None:
            return None
        return from_micros(row[0]), from_micros(row[1])

    def groups(
        self,
        selection: Selection,
        position: int,
        *,
        dimensions: Sequence[str],
        starts: Sequence[datetime] = (),
    ) -> list[Group]:
        where, params = self._where(selection, position)
        columns = [_bucket([micros(start) for start in starts])] if starts else []
        columns += map(_column, dimensions)
        by = ", ".join(str(2 + number) for number in range(len(columns)))
        rows = self._tx.fetchall(
            f"SELECT {', '.join(['COUNT(*)', *columns])} FROM complaint_row{where}"  # noqa: S608 our own names
            f"{f' GROUP BY {by}' if by else ''} LIMIT {MOST_GROUPS + 1}",
            params,
        )
        if len(rows) > MOST_GROUPS:
            raise TooManyGroupsError
        values = 2 if starts else 1
        return [
            Group(row[values:], row[0], row[1] if starts else None)
            for row in rows
            if row[0]
        ]

    def cases(
        self, selection: Selection, position: int, *, after: UUID | None, limit: int
    ) -> list[Version]:
        where, params = self._where(selection, position)
        if after is not None:
            where, params = f"{where} AND case_id > ?", [*params, after]
        rows = self._tx.fetchall(
            f"SELECT {_SELECTED} FROM complaint_row{where} ORDER BY case_id LIMIT ?",  # noqa: S608 our own names
            [*params, limit],
        )
        return [_version(row) for row in rows]

    def _where(self, selection: Selection, position: int) -> tuple[str, list[object]]:
        """Give the condition that picks one row of each selected case."""
        clauses = ["to_position IS NULL"]
        params: list[object] = []
        if position < self.standing.last:
            clauses = [
                "from_position <= ? AND (to_position IS NULL OR to_position > ?)"
            ]
            params += [position, position]
        for received, comparison in (
            (selection.received_from, ">="),
            (selection.received_to, "<"),
        ):
            if received is not None:
                clauses.append(f"received_at {comparison} ?")
                params.append(micros(received))
        for dimension, values in selection.filters:
            clause, given = _condition(_column(dimension), values)
            clauses.append(clause)
            params.extend(given)
        return f" WHERE {' AND '.join(clauses)}", params


def _condition(column: str, values: Sequence[str]) -> tuple[str, list[object]]:
    """Give the condition that `column` holds one of `values`."""
    exact: list[object] = []
    below: list[object] = []
    clauses = []
    for value in values:
        if value == UNSTATED:
            clauses.append(f"{column} IS NULL")
        elif value.endswith(f"/{UNSTATED}"):
            exact.append(value.removesuffix(f"/{UNSTATED}"))
        else:
            exact.append(value)
            if column in PATHS:
                clauses.append(f"substr({column}, 1, ?) = ?")
                below += [len(value) + 1, f"{value}/"]
    if exact:
        clauses.append(f"{column} IN ({_marks(exact)})")
    return f"({' OR '.join(clauses)})", [*below, *exact]


def _bucket(starts: Sequence[int]) -> str:
    """Give an expression for the number of the period in which `received_at` lies.

    A balanced tree of comparisons, since zones have no common SQL on both databases.
    """

    def tree(low: int, high: int) -> str:
        if high - low == 1:
            return str(low)
        middle = (low + high) // 2
        return (
            f"CASE WHEN received_at < {starts[middle]}"
            f" THEN {tree(low, middle)} ELSE {tree(middle, high)} END"
        )

    return tree(0, len(starts))


def _column(dimension: str) -> str:
    if dimension not in DIMENSIONS:
        raise ValueError(dimension)  # names go into SQL: nothing else may
    return dimension


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _values(row: Version) -> tuple[object, ...]:
    facts = list(_facts_of(row.facts))
    facts[_AT] = micros(row.facts.received_at)
    facts[_BY] = json.dumps({name: str(by) for name, by in row.facts.set_by})
    return row.case_id, row.from_position, row.to_position, row.applied, *facts


def _version(row: Sequence[Any]) -> Version:
    case_id, from_position, to_position, applied, *facts = row
    facts[_AT] = from_micros(facts[_AT])
    set_by = json.loads(facts[_BY])
    facts[_BY] = tuple((name, UUID(by)) for name, by in set_by.items())
    return Version(case_id, from_position, to_position, applied, Facts(*facts))


def _canonical(row: Sequence[Any], position: int) -> bytes:
    """Give one row as it stood at `position`, when later events had not changed it."""
    case_id, from_position, to_position, applied, *facts = row
    if to_position is None or to_position > position:
        to_position = applied = None
    return _line((case_id, from_position, to_position, applied, *facts))


def _line(values: Sequence[Any]) -> bytes:
    return json.dumps(values, default=str, separators=(",", ":")).encode() + b"\n"


def _drop(tx: Tx, suffix: str) -> None:
    for table in _TABLES:
        tx.execute(f"DROP TABLE IF EXISTS {table}{suffix}")
