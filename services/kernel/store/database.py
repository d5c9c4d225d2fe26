"""One way to speak SQL to SQLite and PostgreSQL: transactions, portable types, one writer.

SQL is written once, with `?` placeholders and the column types UUID, BYTEA, BIGINT,
TEXT and BOOLEAN. UUID columns take and give `uuid.UUID`, BYTEA gives `bytes`.
A literal in the SQL holds neither `?` nor `%`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import unquote, urlsplit

from eventsourcing import persistence

from services.kernel.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

Dialect = Literal["sqlite", "postgres"]

IN_LIST_LIMIT = 500
"""How many values one `IN (…)` list holds, on either database."""


class Tx(Protocol):
    """One transaction. Everything in it happens, or nothing."""

    @property
    def dialect(self) -> Dialect: ...

    def execute(self, sql: str, params: Sequence[object] = ()) -> None: ...

    def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None: ...

    def fetchone(
        self, sql: str, params: Sequence[object] = ()
    ) -> tuple[Any, ...] | None: ...

    def fetchall(
        self, sql: str, params: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]: ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Do a part that may fail: what it raises undoes the part, not the whole.

        What the part asked for `after_commit` still happens.
        """

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, once, when this transaction has committed.

        It runs in the thread that committed; the same callback given twice runs once.
        """


def about_the_store(error: Exception) -> bool:
    """Say whether an error speaks of the database's state, not of what was written.

    Then the same may succeed later: a full disk, a lock, a server that is away. A value
    or a row that the database refuses will be refused again.
    """
    return isinstance(error, persistence.PersistenceError) and not isinstance(
        error, (persistence.DataError, persistence.IntegrityError)
    )


class Database(Protocol):
    """One database of one service.

    Errors of both drivers arrive as `eventsourcing.persistence` errors; a broken
    unique rule is `IntegrityError`. Nothing is retried: after a failed commit the
    outcome is unknown and the caller must look.
    """

    @property
    def dialect(self) -> Dialect: ...

    @property
    def read_only(self) -> bool: ...

    def write(self) -> AbstractContextManager[Tx]:
        """Open a writing transaction: one at a time on SQLite (`BEGIN IMMEDIATE`)."""

    def read(self) -> AbstractContextManager[Tx]:
        """Open a reading transaction that sees one state of the database."""

    def migrate(self, statements: Sequence[str]) -> None:
        """Run a room's `CREATE … IF NOT EXISTS` statements in one transaction."""

    def scrub(self, *, whole: Sequence[str] = (), swept: Sequence[str] = ()) -> bool:
        """Have what was deleted or overwritten leave the files; False: not yet, again.

        SQLite empties the write-ahead log into the file, whose freed bytes
        `secure_delete` overwrote. PostgreSQL writes the tables `whole` anew, locked for
        that long, and frees the space of those `swept`. Not for the hot path.
        """

    def close(self) -> None: ...


def open_database(
    url: str, *, schema: str, secure_delete: bool = False, read_only: bool = False
) -> Database:
    """Open `sqlite:///path/file.sqlite` or `postgresql://user:password@host:port/db`.

    `sqlite-draft` waits for no disk: for files that are made anew where their making
    was cut short. `schema` keeps the services apart on PostgreSQL; on SQLite each has its own file.
    `secure_delete` overwrites what is deleted (SQLite). `read_only` refuses writing
    and creates nothing. Raises `MalformedError` where the address is of neither kind.
    """
    scheme = urlsplit(url).scheme
    # Imported here so that a SQLite installation never loads psycopg.
    if scheme in {"sqlite", "sqlite-draft"}:
        from services.kernel.store.sqlite import SqliteDatabase  # noqa: PLC0415 lazy

        return SqliteDatabase(
            unquote(url.removeprefix(f"{scheme}://")),
            secure_delete=secure_delete,
            read_only=read_only,
            draft=scheme == "sqlite-draft",
        )
    if scheme in {"postgresql", "postgres"}:
        from services.kernel.store.postgres import (  # noqa: PLC0415 lazy
            PostgresDatabase,
        )

        return PostgresDatabase(url, schema=schema, read_only=read_only)
    raise MalformedError(
        "store.address",
        "A database address begins with sqlite:/// or postgresql://.",
    )
