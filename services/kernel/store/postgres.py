"""PostgreSQL as a service's database: a pool, one schema a service."""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from eventsourcing import persistence
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import ConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.kernel.store.database import Tx

CONNECTIONS = 10  # at most this many to the server from one service
CONNECT_TIMEOUT = 10.0  # seconds


@lru_cache(maxsize=1_000)
def _placeholders(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


class PostgresTx:
    """A transaction on one PostgreSQL connection."""

    dialect: Literal["postgres"] = "postgres"

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor
        self._callbacks: dict[Callable[[], None], None] = {}

    def execute(self, sql: str, params: Sequence[object] = ()) -> None:
        # Without parameters psycopg takes several statements and reads no `%`.
        self._cursor.execute(_placeholders(sql), params or None)

    def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self._cursor.executemany(_placeholders(sql), rows)

    def fetchone(
        self, sql: str, params: Sequence[object] = ()
    ) -> tuple[Any, ...] | None:
        self.execute(sql, params)
        return self._cursor.fetchone()

    def fetchall(
        self, sql: str, params: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        self.execute(sql, params)
        return self._cursor.fetchall()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        with _library_errors(), self._cursor.connection.transaction():
            yield

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._callbacks[callback] = None

    def committed(self) -> None:
        for callback in self._callbacks:
            callback()


class PostgresDatabase:
    """One schema of one PostgreSQL database."""

    dialect: Literal["postgres"] = "postgres"

    def __init__(self, url: str, *, schema: str, read_only: bool = False) -> None:
        self.schema = schema
        self.read_only = read_only
        self._pool = ConnectionPool[psycopg.Connection[tuple[Any, ...]]](
            url,
            connection_class=psycopg.Connection[tuple[Any, ...]],
            kwargs={"autocommit": True, "row_factory": tuple_row},
            min_size=1,
            max_size=CONNECTIONS,
            timeout=CONNECT_TIMEOUT,
            configure=self._configure,
            name=f"amends-{schema}",
            open=False,
        )
        with _library_errors():
            self._pool.open(wait=True, timeout=CONNECT_TIMEOUT)
        if not read_only:
            with self.write() as tx:
                # Two services starting at once would race on the catalogue's index.
                tx.execute("SELECT pg_advisory_xact_lock(hashtext('amends-schema'))")
                tx.execute(f"CREATE SCHEMA IF NOT EXISTS {self._quoted()}")

    def _quoted(self) -> str:
        return Identifier(self.schema).as_string()

    def _configure(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(self.schema)))
        # Committed means on disk, whatever the server's own default says.
        connection.execute("SET synchronous_commit TO on")
        connection.execute("SET idle_in_transaction_session_timeout TO '60s'")

    @contextmanager
    def write(self) -> Iterator[Tx]:
        if self.read_only:
            raise persistence.ProgrammingError("This database was opened for reading.")
        with (
            _library_errors(),
            self._pool.connection() as connection,
            connection.transaction(),
        ):
            tx = PostgresTx(connection.cursor())
            yield tx
        tx.committed()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        with (
            _library_errors(),
            self._pool.connection() as connection,
            connection.transaction(force_rollback=True),
        ):
            connection.execute(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
            )
            yield PostgresTx(connection.cursor())

    def migrate(self, statements: Sequence[str]) -> None:
        with self.write() as tx:
            tx.execute("SELECT pg_advisory_xact_lock(hashtext('amends-schema'))")
            for statement in statements:
                tx.execute(statement)

    def scrub(self, *, whole: Sequence[str] = (), swept: Sequence[str] = ()) -> bool:
        """Vacuum; what the server's own write-ahead log holds goes as it is recycled."""
        with _library_errors(), self._pool.connection() as connection:
            for how, tables in (("VACUUM (FULL)", whole), ("VACUUM", swept)):
                for table in tables:
                    connection.execute(SQL(how + " {}").format(Identifier(table)))
        return True

    def close(self) -> None:
        self._pool.close()


_ERRORS: tuple[tuple[type[psycopg.Error], type[persistence.PersistenceError]], ...] = (
    (psycopg.IntegrityError, persistence.IntegrityError),
    (psycopg.OperationalError, persistence.OperationalError),
    (psycopg.ProgrammingError, persistence.ProgrammingError),
    (psycopg.DataError, persistence.DataError),
    (psycopg.InterfaceError, persistence.InterfaceError),
    (psycopg.InternalError, persistence.InternalError),
    (psycopg.NotSupportedError, persistence.NotSupportedError),
    (psycopg.DatabaseError, persistence.DatabaseError),
    (psycopg.Error, persistence.PersistenceError),
)


@contextmanager
def _library_errors() -> Iterator[None]:
    """Let the driver's errors arrive as those of `eventsourcing`."""
    try:
        yield
    except psycopg.Error as error:
        for driver, library in _ERRORS:
            if isinstance(error, driver):
                raise library(str(error)) from error
        raise
