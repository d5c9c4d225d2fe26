"""SQLite as a service's database: one connection that writes, others that only read."""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from uuid import UUID

import msgspec
import structlog
from eventsourcing import persistence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.kernel.store.database import Tx

LOCK_TIMEOUT = 5.0  # seconds another process may hold the file before we give up
_PATIENCE_MS = round(1_000 * LOCK_TIMEOUT)
READERS = 8  # idle reading connections kept open
FLUSHES = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
HALTED = os.EX_IOERR
"""The exit status of a process that ended at a flush that failed."""

_log = structlog.get_logger(__name__)

sqlite3.register_adapter(UUID, lambda value: value.bytes)
# Every row that is read has one, and the rows of one case have the same:
# `UUID(bytes=raw)` alone would be a third of reading them.
sqlite3.register_converter(
    "UUID", lru_cache(1_000)(partial(msgspec.convert, type=UUID))
)


class SqliteTx:
    """A transaction on one SQLite connection."""

    dialect: Literal["sqlite"] = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._callbacks: dict[Callable[[], None], None] = {}

    def execute(self, sql: str, params: Sequence[object] = ()) -> None:
        self._connection.execute(sql, params)

    def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._connection.executemany(sql, rows)

    def fetchone(
        self, sql: str, params: Sequence[object] = ()
    ) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, params).fetchone()
        return row

    def fetchall(
        self, sql: str, params: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, params).fetchall()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        with _library_errors():
            self.execute("SAVEPOINT part")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:
                    self.execute("ROLLBACK TO part")
                    self.execute("RELEASE part")
                raise
            self.execute("RELEASE part")

    def after_commit(self, callback: Callable[[], None]) -> None:
        self._callbacks[callback] = None

    def committed(self) -> None:
        for callback in self._callbacks:
            callback()


class SqliteDatabase:
    """One SQLite file in WAL mode with `synchronous=FULL`.

    A flush that fails ends the process (`halt`); what else fails is raised.
    One connection writes and checkpoints: SQLite up to 3.51.2 can lose commits when
    one connection checkpoints while another writes.
    """

    dialect: Literal["sqlite"] = "sqlite"

    def __init__(
        self,
        path: str,
        *,
        secure_delete: bool = False,
        read_only: bool = False,
        draft: bool = False,
    ) -> None:
        self.path = Path(path)
        self.read_only = read_only
        self._writing = threading.Lock()
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(READERS)
        self._writer: sqlite3.Connection | None = None
        if not read_only:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect("rw" if self.path.exists() else "rwc")
            self.path.chmod(0o600)
            with _library_errors():
                self._prepare(self._writer, draft=draft, secure_delete=secure_delete)

    def _prepare(
        self, writer: sqlite3.Connection, *, draft: bool, secure_delete: bool
    ) -> None:
        # Asked for its answer: it fails there, and says nothing before.
        (mode,) = writer.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise persistence.InterfaceError(f"{self.path}: the journal stays {mode}")
        writer.execute(f"PRAGMA synchronous={'OFF' if draft else 'FULL'}")
        if secure_delete:
            writer.execute("PRAGMA secure_delete=ON")
        # Whoever went before may have ended at a flush that failed: what the kernel
        # shows of the log, and the disk may lack, is written once more, and flushed.
        writer.execute("PRAGMA busy_timeout=0")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        writer.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")

    def _connect(self, mode: str) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,  # transactions are begun by hand
                check_same_thread=False,  # a connection is in one hand at a time
                detect_types=sqlite3.PARSE_DECLTYPES,
                timeout=LOCK_TIMEOUT,
            )
        except sqlite3.Error as error:
            raise persistence.InterfaceError(f"{self.path}: {error}") from error

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._readers.get_nowait()
        except queue.Empty:
            connection = self._connect("ro")
            connection.execute("PRAGMA query_only=ON")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            return connection

    @contextmanager
    def write(self) -> Iterator[Tx]:
        if self._writer is None:
            raise persistence.ProgrammingError("This database was opened for reading.")
        with self._writing, _library_errors():
            connection = self._writer
            connection.execute("BEGIN IMMEDIATE")
            tx = SqliteTx(connection)
            try:
                yield tx
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        tx.committed()

    @contextmanager
    def read(self) -> Iterator[Tx]:
        with _library_errors():
            connection = self._reader()
            connection.execute("BEGIN")
            try:
                yield SqliteTx(connection)
            finally:
                connection.execute("ROLLBACK")
                try:
                    self._readers.put_nowait(connection)
                except queue.Full:
                    connection.close()

    def migrate(self, statements: Sequence[str]) -> None:
        with self.write() as tx:
            for statement in statements:
                tx.execute(statement)

    def scrub(self, *, whole: Sequence[str] = (), swept: Sequence[str] = ()) -> bool:  # noqa: ARG002 all leave at once here
        """Empty the write-ahead log; a reader that looks at its past keeps it."""
        if self._writer is None:
            raise persistence.ProgrammingError("This database was opened for reading.")
        with self._writing, _library_errors():
            # Whoever writes waits for this: a reader is not waited for here.
            self._writer.execute("PRAGMA busy_timeout=0")
            try:
                found = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return bool(found.fetchone()[0] == 0)
            finally:
                self._writer.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")

    def close(self) -> None:
        """Close every idle connection; the writing one last, so that it checkpoints."""
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                break
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None


_ERRORS: tuple[tuple[type[sqlite3.Error], type[persistence.PersistenceError]], ...] = (
    (sqlite3.IntegrityError, persistence.IntegrityError),
    (sqlite3.OperationalError, persistence.OperationalError),
    (sqlite3.ProgrammingError, persistence.ProgrammingError),
    (sqlite3.DataError, persistence.DataError),
    (sqlite3.InterfaceError, persistence.InterfaceError),
    (sqlite3.DatabaseError, persistence.DatabaseError),
    (sqlite3.Error, persistence.PersistenceError),
)


def halt(reason: str) -> NoReturn:
    """End the process at once, as a crash does, after a flush to the disk that failed.

    The kernel then holds the bytes for written, and the next flush says nothing of them:
    whoever went on would give receipts for what a power cut takes away. Nobody is
    answered; the next start writes again what the log has.
    """
    try:
        _log.critical("store.flush_failed", reason=reason, ends_with=HALTED)
    finally:  # the log may lie on the same disk
        os._exit(HALTED)


@contextmanager
def _library_errors() -> Iterator[None]:
    """Let the driver's errors arrive as those of `eventsourcing`; halt at lost flushes."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) in FLUSHES:
            halt(str(error))
        for driver, library in _ERRORS:
            if isinstance(error, driver):
                raise library(str(error)) from error
        raise
