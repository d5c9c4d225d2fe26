"""All schemas of an installation on PostgreSQL from one snapshot, and back in one go.

By COPY through the driver, in one REPEATABLE READ transaction: that sees one instant of
every service, needs no program of the server's version beside us, as pg_dump would be,
and gives each table as a file with a digest. The tables are made again as the server's
own catalogue describes them.
"""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from services.kernel.errors import RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from services.backup.archive import Archive, Writer
    from services.backup.inventory import Store

_CHUNK: Final = 1 << 20

_TABLES: Final = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind = 'r' ORDER BY c.relname"""
_COLUMNS: Final = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a LEFT JOIN pg_attrdef d
        ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""
_CONSTRAINTS: Final = """
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'c', 'x')
    ORDER BY contype = 'p' DESC, conname"""
_INDEXES: Final = """
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i
    WHERE i.indrelid = %s::regclass AND NOT EXISTS
        (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)
    ORDER BY i.indexrelid::regclass::text"""


class PostgresCut:
    """The schemas as one transaction sees them."""

    dialect: Final = "postgres"

    def __init__(
        self, connection: psycopg.Connection[Any], stores: Sequence[Store]
    ) -> None:
        self._connection = connection
        self.stores = stores

    def rows(self, store: Store, sql: str) -> list[tuple[Any, ...]]:
        self._connection.execute(
            SQL("SET LOCAL search_path TO {}").format(Identifier(store.schema))
        )
        return self._connection.execute(sql.encode()).fetchall()

    def copy(
        self, store: Store, archive: Writer, told: Callable[[int, int], None]
    ) -> None:
        """Write a schema: its tables as files, and how to make them again."""
        tables = self._connection.execute(_TABLES, (store.schema,)).fetchall()
        described = []
        for number, (table,) in enumerate(tables, 1):
            with archive.file(f"stores/{store.schema}/{table}.copy") as path:
                described.append(self._described(store.schema, table))
                self._copied(described[-1], path)
            told(number, len(tables))
        with archive.file(f"stores/{store.schema}/schema.json") as path:
            path.write_text(json.dumps(described, indent=1))

    def _described(self, schema: str, table: str) -> dict[str, Any]:
        place = SQL("{}.{}").format(Identifier(schema), Identifier(table)).as_string()
        columns = self._connection.execute(_COLUMNS, (place,)).fetchall()
        identity = next((row[0] for row in columns if row[3]), None)
        last = None
        if identity is not None:
            found = self._connection.execute(
                "SELECT pg_get_serial_sequence(%s, %s)", (place, identity)
            ).fetchone()
            assert found is not None  # noqa: S101 an identity has a sequence
            sequence = SQL(found[0])  # quoted by the server where it must be
            row = self._connection.execute(
                SQL("SELECT last_value, is_called FROM {}").format(sequence)
            ).fetchone()
            last = list(row) if row else None
        return {
            "table": place,
            "columns": [list(row) for row in columns],
            "identity": identity,
            "sequence": last,
            "constraints": [
                list(row) for row in self._connection.execute(_CONSTRAINTS, (place,))
            ],
            "indexes": [row[0] for row in self._connection.execute(_INDEXES, (place,))],
        }

    def _copied(self, about: dict[str, Any], path: Path) -> None:
        command = SQL("COPY {} ({}) TO STDOUT").format(
            SQL(about["table"]), _plain_columns(about)
        )
        with (
            path.open("wb") as file,
            self._connection.cursor() as cursor,
            cursor.copy(command) as rows,
        ):
            for part in rows:
                file.write(part)


def _plain_columns(about: dict[str, Any]) -> Any:
    """Name the columns that hold values of their own."""
    names = [column[0] for column in about["columns"] if not column[4]]
    return SQL(", ").join(map(Identifier, names))


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect for one transaction. Raises UnavailableError."""
    try:
        connection = psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise UnavailableError(
            "backup.database_away",
            "The database of AMENDS_DATABASE_URL could not be reached: see that it"
            " runs.",
        ) from error
    with closing(connection):
        yield connection


@contextmanager
def postgres_cut(url: str, stores: Sequence[Store]) -> Iterator[PostgresCut]:
    """See those of the stores that are there, all at one instant."""
    with connected(url) as connection, connection.transaction(force_rollback=True):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        there = schemas(connection)
        yield PostgresCut(connection, [s for s in stores if s.schema in there])


def schemas(connection: psycopg.Connection[Any]) -> set[str]:
    return {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace")}


def require_alone(connection: psycopg.Connection[Any]) -> None:
    """Raise RefusedError while anybody else is connected to this database."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ).fetchone()
    if row is not None and row[0]:
        raise RefusedError(
            "restore.database_in_use",
            f"{row[0]} others are connected to this database: stop amends on every"
            " machine, and whatever else reads it, then try again.",
        )


def load(
    connection: psycopg.Connection[Any],
    archive: Archive,
    stores: Sequence[Store],
    place: Path,
    told: Callable[[str, int, int], None],
) -> None:
    """Replace the schemas by those of a backup, in the caller's transaction."""
    for number, store in enumerate(stores, 1):
        schema = Identifier(store.schema)
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
        connection.execute(SQL("CREATE SCHEMA {}").format(schema))
        connection.execute(SQL("SET LOCAL search_path TO {}").format(schema))
        description = place / "schema.json"
        archive.extract(f"stores/{store.schema}/schema.json", description)
        for about in json.loads(description.read_text()):
            _made(connection, about)
            rows = place / "rows.copy"
            name = about["table"].rpartition(".")[2].strip('"')
            archive.extract(f"stores/{store.schema}/{name}.copy", rows)
            _filled(connection, about, rows)
            rows.unlink()
        told("restore", number, len(stores))


def _made(connection: psycopg.Connection[Any], about: dict[str, Any]) -> None:
    columns = []
    for name, kind, not_null, identity, generated, default in about["columns"]:
        words = [Identifier(name).as_string(), kind]
        if identity:
            how = "ALWAYS" if identity == "a" else "BY DEFAULT"
            words.append(f"GENERATED {how} AS IDENTITY")
        elif generated:
            words.append(f"GENERATED ALWAYS AS ({default}) STORED")
        elif default is not None:
            words.append(f"DEFAULT {default}")
        if not_null:
            words.append("NOT NULL")
        columns.append(" ".join(words))
    text = f"CREATE TABLE {about['table']} ({', '.join(columns)})"
    connection.execute(text.encode())


def _filled(
    connection: psycopg.Connection[Any], about: dict[str, Any], rows: Path
) -> None:
    table = SQL(about["table"])
    command = SQL("COPY {} ({}) FROM STDIN").format(table, _plain_columns(about))
    with (
        rows.open("rb") as file,
        connection.cursor() as cursor,
        cursor.copy(command) as copy,
    ):
        while part := file.read(_CHUNK):
            copy.write(part)
    for name, definition in about["constraints"]:
        text = f"ALTER TABLE {about['table']} ADD CONSTRAINT {Identifier(name).as_string()} {definition}"
        connection.execute(text.encode())
    for definition in about["indexes"]:
        connection.execute(definition.encode())
    if about["sequence"] is not None:
        connection.execute(
            SQL("SELECT setval(pg_get_serial_sequence({}, {}), {}, {})").format(
                Literal(about["table"]),
                Literal(about["identity"]),
                *map(Literal, about["sequence"]),
            )
        )
