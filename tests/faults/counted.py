"""Intake's record while the n-th flush or write of its process fails, for every n."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog
from eventsourcing.persistence import PersistenceError

from services.kernel.errors import AmendsError, UnavailableError
from services.kernel.store import sqlite
from services.kernel.store.database import open_database
from tests.faults.injected import FLUSH, WRITE, Fault, injected, struck
from tests.support.intake import bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.kernel.store.database import Database
    from tests.support.intake import Bench

COMPLAINTS: Final = 5
READY: Final = "ready"
REFUSED: Final = "refused"
RECEIPT: Final = "receipt"


@dataclass(slots=True)
class Points:
    """What came of the failures, one run of a process for each."""

    tried: int = 0
    halted: int = 0
    """Processes that ended at once, as they must where a flush fails."""
    went_on: int = 0
    """Processes that gave receipts behind a flush that failed."""
    refused: int = 0
    false_receipts: int = 0
    whole: int = 0
    """Runs after which the databases are whole, and take in what was refused."""
    faults: list[str] = field(default_factory=list)


def every_failure(points: Points, *, stride: int, control: bool) -> None:
    """Fail each flush, each `stride`-th write for want of room, and each for a bad disk.

    From the opening of empty databases on, until a process is left untouched.
    """
    kinds = ((FLUSH, "EIO", 1), (WRITE, "ENOSPC", stride), (WRITE, "EIO", stride))
    for calls, error, step in kinds:
        number = 1
        while one_failure(points, Fault(calls, error, str(number)), control=control):
            number += step


def one_failure(
    points: Points, fault: Fault, *, control: bool, opened: bool = False
) -> bool:
    """Run a process with one failure; False where it was done before its turn came.

    Counted is from the opening on, or, with `opened`, from behind it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = folder / "calls"
        work = partial(_handing_in, folder, opened)
        pid, said, go = _forked(work, control=control)
        with os.fdopen(said) as out:
            out.readline()  # it is where the counting begins
            with injected(pid, fault, told):
                os.write(go, b"!")
                os.close(go)
                words = [each.split() for each in out]
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if not struck(told):
            return False
        points.tried += 1
        points.halted += status == sqlite.HALTED
        points.refused += [REFUSED] in words
        receipts = {key: number for _, key, number in (w for w in words if len(w) > 2)}
        # SQLite passes over the flush of a folder, and repeats that of its file from the
        # log: the flush of the log is the one that nobody may go on behind.
        lost = any("-wal" in call for call in struck(told))
        points.went_on += fault.calls == FLUSH and lost and status == 0
        false = _false(folder, receipts)
        points.false_receipts += false
        whole = not false and _whole(folder, receipts)
        points.whole += whole
        if not whole:
            points.faults.append(f"{fault}: false={false} said={words}")
        return True


def _handing_in(
    folder: Path,
    opened: bool,
    say: Callable[..., object],
    let_go: Callable[[], object],
) -> None:
    if opened:
        place = _opened(folder)
        say(READY)
        let_go()
    else:
        say(READY)
        let_go()
        place = _opened(folder)
    for number in range(COMPLAINTS):
        try:
            receipt = place.one(key=_key(number))
        except UnavailableError:
            say(REFUSED)
        else:
            say(RECEIPT, _key(number), receipt.receipt_no)


def _false(folder: Path, receipts: dict[str, str]) -> int:
    """Count the receipts of which the record knows nothing."""
    path = folder / "intake.sqlite"
    if not receipts:
        return 0
    database = open_database(f"sqlite://{path}", schema="intake")
    with closing(database), database.read() as tx:
        known = dict(tx.fetchall("SELECT key, receipt_no FROM submission"))
    return sum(known.get(key) != number for key, number in receipts.items())


def _whole(folder: Path, receipts: dict[str, str]) -> bool:
    """Open it again, look at every page, and hand all in once more."""
    databases: list[Database] = []
    place = _opened(folder, databases)
    try:
        again = {_key(n): place.one(key=_key(n)).receipt_no for n in range(COMPLAINTS)}
    except AmendsError:
        return False
    found = []
    for database in databases:
        with database.read() as tx:
            found += tx.fetchall("PRAGMA integrity_check")
        database.close()
    return set(found) == {("ok",)} and receipts.items() <= again.items()


def _opened(folder: Path, opened: list[Database] | None = None) -> Bench:
    def database(name: str, **how: Any) -> Database:
        made = open_database(f"sqlite://{folder}/{name}.sqlite", schema=name, **how)
        if opened is not None:
            opened.append(made)
        return made

    return bench(database)


def _forked(
    work: Callable[[Callable[..., object], Callable[[], object]], None],
    *,
    control: bool,
) -> tuple[int, int, int]:
    """Have a process of our own ready to work; give what it says, and how to let it go."""
    said, saying = os.pipe()
    starting, go = os.pipe()
    pid = os.fork()
    if pid:
        os.close(saying)
        os.close(starting)
        return pid, said, go
    status = 1  # a start that failed, as of amends
    try:
        structlog.reset_defaults()  # an amends in this process may have set its own
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        if control:
            deaf()
        os.close(go)
        work(
            lambda *words: os.write(saying, f"{' '.join(words)}\n".encode()),
            lambda: os.read(starting, 1),
        )
        status = 0
    except PersistenceError:
        pass  # of the opening: nothing was promised
    finally:
        os._exit(status)


def _key(number: int) -> str:
    return str(UUID(int=number + 1))


def deaf() -> None:
    """Take the protection away: a commit that fails is taken for done."""

    @contextmanager
    def write(self: sqlite.SqliteDatabase) -> Iterator[sqlite.SqliteTx]:
        connection = self._writer
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        tx = sqlite.SqliteTx(connection)
        yield tx
        try:
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        tx.committed()

    sqlite.SqliteDatabase.write = write  # type: ignore[method-assign]
