"""An installation moves from the files of SQLite to PostgreSQL: all of it, or nothing.

Every table of every database is copied as it is, in one transaction of the server, with
positions, epochs, knowledge times, keys and sealed words. Before that transaction ends,
the copy is read again: each table's rows, the states of all cases folded from their
events, and the ledgers must be what they were. Secrets and files that lie in the data
folder itself stay there.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from services.building import SERVICES, Site, built
from services.bus import Bus
from services.handling.application.replaying import PARTITIONS, joined, replay_part
from services.handling.main import default_policy
from services.handling.persistence.case_order import in_case_order
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.folder import DataFolder
from services.kernel.ledger.tree import checkpoint
from services.kernel.store.database import open_database
from services.kernel.store.postgres import CONNECT_TIMEOUT, PostgresTx
from services.moving.copying import (
    Copy,
    Part,
    count_of,
    differs,
    open_file,
    tables_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.kernel.settings import Settings
    from services.kernel.store.database import Database, Tx
    from services.moving.copying import Told

PARTS: Final = (
    Part("access", "store", "access"),
    Part("intake", "store", "intake"),
    Part("intake", "keys", "intake_keys"),
    Part("handling", "store", "handling"),
    Part("handling", "keys", "handling_keys"),
    Part("analytics", "facts", "analytics"),
    Part("analytics", "keys", "analytics_keys"),
)
_RECORDS: Final = ("access", "intake", "handling")
"""Those that have events and a ledger."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved, or would be: rows of each database, what both sides come to.

    `digest` is that of `amends audit replay`, `checkpoints` the heads of the ledgers.
    `again`: the copy was there already, whole, and has only been read again.
    """

    rows: Mapping[str, int]
    digest: str | None = None
    checkpoints: Mapping[str, str] | None = None
    again: bool = False


async def move(settings: Settings, target: str, *, told: Told) -> Moved:
    """Copy everything to the server at `target`, and let nobody use the files again.

    Cut short, it leaves the server without a row and the folder as it was. Raises
    RefusedError while a process uses the folder, for a demonstration, and for a server
    that holds another installation; UnavailableError where it cannot be reached.
    """
    folder = _source(settings, target)
    with folder.held():
        with _connected(target) as server:
            found = _occupied(server)
        again = found is not None and found == _epoch(folder)
        if found is not None and not again:
            raise _not_empty()
        if not again:
            # Both in today's form: tables, views, whatever a release has added.
            for at in (settings, settings.model_copy(update={"database_url": target})):
                await _opened(at, folder)
        with _connected(target) as server, server.transaction():
            server.execute("SELECT pg_advisory_xact_lock(hashtext('amends-schema'))")
            rows = {
                part.schema: Copy(folder, part, server, told).done(again=again)
                for part in PARTS
            }
            digest, checkpoints = _compared(folder, server)
        _left(folder, target)
    return Moved(rows, digest, checkpoints, again)


def foresee(settings: Settings, target: str) -> Moved:
    """Say what would be copied; nothing is changed. Raises as `move`."""
    folder = _source(settings, target)
    with folder.held(), _connected(target) as server:
        found = _occupied(server)
        if found is not None and found != _epoch(folder):
            raise _not_empty()
        rows = {}
        for part in PARTS:
            with closing(open_file(folder, part)) as source:
                rows[part.schema] = sum(
                    count_of(source, each) for each in tables_of(source)
                )
    return Moved(rows)


def _source(settings: Settings, target: str) -> DataFolder:
    if settings.database_url is not None:
        raise RefusedError(
            "move.from_server",
            "What is in the data folder is moved: unset AMENDS_DATABASE_URL, and name"
            " the server with --to.",
        )
    folder = DataFolder(settings.data)
    folder.require()
    folder.require_own(target)
    folder.require_files()
    return folder


async def _opened(settings: Settings, folder: DataFolder) -> None:
    """Make what a start makes, and start nothing."""

    async def prepare(_: Any) -> None:
        """Nothing is connected."""

    bus = Bus("nats://127.0.0.1:4222", None, None, (), (), prepare)
    site = Site(
        settings=settings,
        folder=folder,
        bus=bus,
        policy=default_policy(),
        addresses=dict.fromkeys(SERVICES, "http://127.0.0.1:1"),
        token="none",  # noqa: S106 nobody can show it
    )
    services = await built(site, {name: bus.connection(name) for name in SERVICES})
    for service in reversed(services):
        await service.stop()


@contextmanager
def _connected(target: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(
            target, autocommit=True, connect_timeout=round(CONNECT_TIMEOUT)
        ) as server:
            yield server
    except psycopg.OperationalError as error:
        raise UnavailableError(
            "move.server_away",
            f"PostgreSQL cannot be used: {str(error).strip()}. Nothing was moved.",
        ) from error


def _occupied(server: psycopg.Connection[Any]) -> str | None:
    """Give the epoch of the cases that are there, None where nothing was ever stored."""
    epoch = None
    for schema in _RECORDS:
        row = server.execute(
            "SELECT to_regclass(%s) IS NOT NULL", (f"{schema}.stored_events",)
        ).fetchone()
        if not (row and row[0]):
            continue
        table = Identifier(schema, "stored_events")
        if server.execute(SQL("SELECT 1 FROM {} LIMIT 1").format(table)).fetchone():
            meta = Identifier("handling", "store_meta")
            found = server.execute(
                SQL("SELECT value FROM {} WHERE name = 'epoch'").format(meta)
            ).fetchone()
            epoch = found[0] if found else ""
    return epoch


def _epoch(folder: DataFolder) -> str:
    with closing(open_file(folder, Part("handling", "store", "handling"))) as source:
        row = source.execute("SELECT value FROM store_meta WHERE name = 'epoch'")
        return str(row.fetchone()[0])


class _InTransaction:
    """A schema as the moving transaction sees it; `Database` as far as readers need."""

    dialect: Final = "postgres"
    read_only: Final = True

    def __init__(self, server: psycopg.Connection[Any], schema: str) -> None:
        self._server, self._schema = server, schema

    @contextmanager
    def read(self) -> Iterator[Tx]:
        path = SQL("SET LOCAL search_path TO {}").format(Identifier(self._schema))
        with self._server.cursor() as cursor:
            cursor.execute(path)
            yield PostgresTx(cursor)


def _compared(
    folder: DataFolder, server: psycopg.Connection[Any]
) -> tuple[str, dict[str, str]]:
    """Fold all cases and read the heads of the ledgers on both sides."""
    checkpoints: dict[str, str] = {}
    for name in _RECORDS:
        there = _head(_InTransaction(server, name))
        with _for_reading(folder, name) as database:
            if _head(database) != there:
                raise differs(f"the ledger of {name}")
        if there is not None:
            checkpoints[name] = there
    with _for_reading(folder, "handling") as database:
        digest = _digest(database)
    if _digest(_InTransaction(server, "handling")) != digest:
        raise differs("the states of the cases")
    return digest, checkpoints


@contextmanager
def _for_reading(folder: DataFolder, service: str) -> Iterator[Database]:
    url = folder.database_url(service, "store", server=None)
    with closing(open_database(url, schema=service, read_only=True)) as database:
        yield database


def _head(database: Database | _InTransaction) -> str | None:
    with database.read() as tx:
        return checkpoint(tx)


def _digest(database: Any) -> str:
    with database.read() as tx:
        row = tx.fetchone("SELECT MAX(position) FROM stored_events")
    position = (row[0] if row else None) or 0
    parts = {
        number: replay_part(in_case_order(database, number, upto=position))
        for number in range(PARTITIONS)
    }
    return joined(parts, position).digest


def _left(folder: DataFolder, target: str) -> None:
    """Note where everything is now; without password."""
    url = urlsplit(target)
    folder.leave(url.hostname or "localhost", url.path.strip("/"))


def _not_empty() -> RefusedError:
    return RefusedError(
        "move.not_empty",
        "The server holds another installation there: name an empty database.",
    )
