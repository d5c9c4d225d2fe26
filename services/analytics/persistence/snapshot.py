"""One state of the live rows, and the questions that figures ask of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.analytics.domain.figures import (
    DEEPEST,
    DIMENSIONS,
    MOST_GROUPS,
    PASSED,
    PATHS,
    REPEATS,
    UNSTATED,
    Filters,
    Group,
    Selection,
    TooManyGroupsError,
    repeated,
)
from services.analytics.persistence import passing
from services.analytics.persistence.intervals import (
    DAY,
    registration_days,
    repeating,
    rhythms,
)
from services.analytics.persistence.tables import SELECTED, marks, version_of
from services.analytics.ports import Rhythm, Standing
from services.kernel.clock import from_micros, micros

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from services.analytics.domain.stays import Kind, Passed, Returned
    from services.analytics.domain.versions import Version
    from services.kernel.store.database import Tx


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
        also: Sequence[Filters] = (),
        level: int | None = None,
        customers: bool = False,
    ) -> list[Group]:
        people = "COUNT(DISTINCT subject)" if customers else "0"
        counts, given = ["COUNT(*)", people], []
        for filters in also:
            holds, values = self._conditions(filters, position)
            counts.append(f"COALESCE(SUM(CASE WHEN {holds} THEN 1 ELSE 0 END), 0)")
            given += values
        where, params = self._where(selection, position)
        columns = [_bucket([micros(start) for start in starts])] if starts else []
        columns += [self._cut(_column(name), level) for name in dimensions]
        first = len(counts)
        by = ", ".join(str(first + 1 + number) for number in range(len(columns)))
        rows = self._tx.fetchall(
            f"SELECT {', '.join([*counts, *columns])} FROM complaint_row{where}"  # noqa: S608 our own names
            f"{f' GROUP BY {by}' if by else ''} LIMIT {MOST_GROUPS + 1}",
            [*given, *params],
        )
        if len(rows) > MOST_GROUPS:
            raise TooManyGroupsError
        after = first + bool(starts)
        return [
            Group(
                row[after:],
                row[0],
                row[first] if starts else None,
                tuple(map(int, row[2:first])),
                row[1],
            )
            for row in rows
            if row[0]
        ]

    def passed(
        self,
        kind: Kind,
        selection: Selection,
        position: int,
        *,
        at: datetime,
        dimensions: Sequence[str],
        starts: Sequence[datetime] = (),
        whole: bool = False,
    ) -> list[Passed]:
        return passing.passed(
            self._tx,
            kind,
            self._chosen(selection, position, dimensions, starts),
            micros(at),
            whole=whole,
            bucketed=bool(starts),
        )

    def returned(
        self,
        selection: Selection,
        position: int,
        *,
        dimensions: Sequence[str],
        starts: Sequence[datetime] = (),
        whole: bool = False,
    ) -> list[Returned]:
        return passing.returned(
            self._tx,
            self._chosen(selection, position, dimensions, starts),
            whole=whole,
            bucketed=bool(starts),
        )

    def _chosen(
        self,
        selection: Selection,
        position: int,
        dimensions: Sequence[str],
        starts: Sequence[datetime],
    ) -> passing.Chosen:
        where, params = self._where(selection, position)
        columns = [_bucket([micros(start) for start in starts])] if starts else []
        columns += map(_column, dimensions)
        return passing.Chosen(where, params, columns, position)

    def rhythms(
        self, selection: Selection, position: int, dimension: str
    ) -> dict[str | None, Rhythm]:
        where, params = self._where(selection, position)
        rows = self._tx.fetchall(rhythms(_column(dimension), where), params)
        return {
            value: Rhythm(from_micros(last), count, _span(usual), _span(longest))
            for value, last, count, usual, longest in rows
        }

    def registration_days(
        self,
        selection: Selection,
        position: int,
        dimension: str,
        *,
        offset: timedelta,
    ) -> dict[str | None, float]:
        where, params = self._where(selection, position)
        sql = registration_days(_column(dimension), where, offset)
        return {value: float(days) for value, days in self._tx.fetchall(sql, params)}

    def cases(
        self, selection: Selection, position: int, *, after: UUID | None, limit: int
    ) -> list[Version]:
        where, params = self._where(selection, position)
        if after is not None:
            where, params = f"{where} AND case_id > ?", [*params, after]
        rows = self._tx.fetchall(
            f"SELECT {SELECTED} FROM complaint_row{where} ORDER BY case_id LIMIT ?",  # noqa: S608 our own names
            [*params, limit],
        )
        return [version_of(row) for row in rows]

    def _cut(self, column: str, level: int | None) -> str:
        """Give an expression for the first `level` codes of a path."""
        if level is None or level == DEEPEST or column not in PATHS:
            return column
        find = "strpos" if self._tx.dialect == "postgres" else "instr"
        path = f"({column} || '{'/' * level}')"
        end = f"{find}({path}, '/')"
        for _ in range(level - 1):
            end = f"({end} + {find}(substr({path}, {end} + 1), '/'))"
        return f"rtrim(substr({path}, 1, {end}), '/')"

    def _where(self, selection: Selection, position: int) -> tuple[str, list[object]]:
        """Give the condition that picks one row of each selected case."""
        state, params = self._state(position)
        clauses = [state]
        for received, comparison in (
            (selection.received_from, ">="),
            (selection.received_to, "<"),
        ):
            if received is not None:
                clauses.append(f"received_at {comparison} ?")
                params.append(micros(received))
        if selection.filters:
            holds, given = self._conditions(selection.filters, position)
            clauses.append(holds)
            params.extend(given)
        return f" WHERE {' AND '.join(clauses)}", params

    def _state(self, position: int) -> tuple[str, list[object]]:
        """Give the condition that picks the row of each case as of `position`."""
        if position >= self.standing.last:
            return "to_position IS NULL", []
        return (
            "from_position <= ? AND (to_position IS NULL OR to_position > ?)",
            [position, position],
        )

    def _conditions(self, filters: Filters, position: int) -> tuple[str, list[object]]:
        """Give the condition that all filters hold; `filters` has one at least."""
        clauses = [self._holds(name, values, position) for name, values in filters]
        return (
            " AND ".join(clause for clause, _ in clauses),
            [param for _, params in clauses for param in params],
        )

    def _holds(
        self, name: str, values: Sequence[str], position: int
    ) -> tuple[str, Sequence[object]]:
        if name == REPEATS:
            return self._repeating(values, position)
        if name == "returned_by":
            return passing.was_returned(marks(values), position), values
        if name in PASSED:
            kind = passing.KINDS[name]
            return passing.was_in(kind, marks(values), position), (*values, *values)
        return _condition(_column(name), values)

    def _repeating(
        self, values: Sequence[str], position: int
    ) -> tuple[str, list[object]]:
        state, at = self._state(position)
        clauses: list[str] = []
        params: list[object] = []
        for value in values:
            days, same = repeated(value)
            clauses.append(repeating(same, state))
            params += [*at, days * DAY]
        return f"({' OR '.join(clauses)})", params


def _span(microseconds: float | None) -> timedelta | None:
    if microseconds is None:
        return None
    return timedelta(microseconds=float(microseconds))


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
        clauses.append(f"{column} IN ({marks(exact)})")
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
