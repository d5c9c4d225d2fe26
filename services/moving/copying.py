"""One database copied as it is: every table, every row, and looked at again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from psycopg.sql import SQL, Identifier

from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import psycopg

    from services.kernel.folder import DataFolder

    Told = Callable[[str, int, int], None]
    """Is told a database, how many of its rows are copied, and how many there are."""

AT_ONCE: Final = 1_000  # rows in hand


class Part(NamedTuple):
    """One database: a file of the folder, and its schema on the server."""

    service: str
    file: str
    schema: str


def path_of(folder: DataFolder, part: Part) -> Path:
    return folder.path / part.service / f"{part.file}.sqlite"


def open_file(folder: DataFolder, part: Part) -> sqlite3.Connection:
    path = path_of(folder, part)
    if not path.exists():
        raise RefusedError(
            "move.never_started",
            f"{path} is missing: start amends on this folder once, then stop it.",
        )
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        detect_types=sqlite3.PARSE_DECLTYPES,
    )


def tables_of(source: sqlite3.Connection) -> list[str]:
    rows = source.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    # What a rebuild of the figures left, which the next one drops.
    return [name for (name,) in rows if not name.endswith(("__rebuild", "__replaced"))]


def count_of(source: sqlite3.Connection, table: str) -> int:
    row = source.execute(f'SELECT COUNT(*) FROM "{table}"').fetchone()  # noqa: S608 its own name
    return int(row[0])


class Copy:
    """One database on its way."""

    def __init__(
        self,
        folder: DataFolder,
        part: Part,
        server: psycopg.Connection[Any],
        told: Told,
    ) -> None:
        self._folder = folder
        self._part = part
        self._server = server
        self._told = told
        self._copied = self._total = 0

    def done(self, *, again: bool) -> int:
        """Copy every row, or look whether all are there; give how many."""
        with closing(open_file(self._folder, self._part)) as source:
            source.execute("BEGIN")
            counts = {table: count_of(source, table) for table in tables_of(source)}
            self._total = sum(counts.values())
            for table, count in counts.items():
                columns = self._columns(source, table)
                here = self._named(table)
                if not again:
                    self._server.execute(SQL("TRUNCATE {}").format(here))
                    self._put(source, table, columns)
                    self._go_on_behind(source, table)
                if self._sum(source, table, columns) != self._sum(None, table, columns):
                    raise differs(f"{self._part.schema}.{table}")
                self._copied += count
                self._told(self._part.schema, self._copied, self._total)
        return self._total

    def _named(self, table: str) -> Identifier:
        return Identifier(self._part.schema, table)

    def _columns(self, source: sqlite3.Connection, table: str) -> dict[str, str]:
        """Give the columns with the server's types. Raises RefusedError for others."""
        found = self._server.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s",
            (self._part.schema, table),
        )
        there = dict(found.fetchall())
        here = [name for _, name, *_ in source.execute(f'PRAGMA table_info("{table}")')]
        if set(here) != set(there):
            raise RefusedError(
                "move.other_table",
                f"{path_of(self._folder, self._part)} has a table {table} that this amends"
                " does not make: start amends on this folder once, stop it, try again.",
            )
        return {name: there[name] for name in here}

    def _put(
        self, source: sqlite3.Connection, table: str, columns: Mapping[str, str]
    ) -> None:
        copy = SQL("COPY {} ({}) FROM STDIN").format(
            self._named(table), SQL(", ").join(map(Identifier, columns))
        )
        with self._server.cursor() as cursor, cursor.copy(copy) as rows:
            for number, row in enumerate(self._read(source, table, columns), 1):
                rows.write_row(row)
                if number % AT_ONCE == 0:
                    self._told(self._part.schema, self._copied + number, self._total)

    def _go_on_behind(self, source: sqlite3.Connection, table: str) -> None:
        """Let the server number on where the file would have, also behind what is gone."""
        numbered = self._server.execute(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s AND is_identity = 'YES'",
            (self._part.schema, table),
        ).fetchone()
        if numbered is None:
            return
        given = source.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
        )
        row = given.fetchone()
        if row is not None and row[0]:
            self._server.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
                (f"{self._part.schema}.{table}", numbered[0], row[0]),
            )

    def _read(
        self, source: sqlite3.Connection, table: str, columns: Mapping[str, str]
    ) -> Iterator[Sequence[object]]:
        names = ", ".join(f'"{name}"' for name in columns)
        flags = [at for at, type_ in enumerate(columns.values()) if type_ == "boolean"]
        found = source.execute(f'SELECT {names} FROM "{table}"')  # noqa: S608 their own names
        while rows := found.fetchmany(AT_ONCE):
            for row in rows:
                if not flags:
                    yield row
                    continue
                values = list(row)
                for at in flags:
                    values[at] = None if values[at] is None else bool(values[at])
                yield values

    def _sum(
        self, source: sqlite3.Connection | None, table: str, columns: Mapping[str, str]
    ) -> int:
        """Add up what the rows hash to, in whatever order they come."""
        if source is not None:
            return sum(map(hashed, self._read(source, table, columns)))
        select = SQL("SELECT {} FROM {}").format(
            SQL(", ").join(map(Identifier, columns)), self._named(table)
        )
        with self._server.cursor("moved") as cursor:
            cursor.itersize = AT_ONCE
            cursor.execute(select)
            return sum(map(hashed, cursor))


def hashed(row: Sequence[object]) -> int:
    told = repr([bytes(each) if isinstance(each, memoryview) else each for each in row])
    return int.from_bytes(blake2b(told.encode(), digest_size=16).digest())


def differs(what: str) -> RefusedError:
    return RefusedError(
        "move.differs",
        f"After copying, {what} was not what it had been; nothing was moved. Run"
        " `amends audit verify`, and try again.",
    )
