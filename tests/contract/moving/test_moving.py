"""Everything moves from SQLite to PostgreSQL, equal and whole, or nothing does."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from events import codec
from services import moving
from services.cli.replaying import replayed
from services.demo.making import Wish, make_demonstration
from services.handling.application.replaying import joined
from services.handling.main import record_url
from services.kernel.errors import RefusedError
from services.kernel.folder import DEMONSTRATION, MOVED, DataFolder
from services.kernel.grants import peek as peek_grant
from services.kernel.ledger.checkpoint import load_signer
from services.kernel.ledger.verify import verify
from services.kernel.record import SIGNING_KEY, origin
from services.kernel.settings import Settings
from services.kernel.store.database import open_database
from services.kernel.vault import Vault
from services.moving import copying

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NUMBER = iter(range(100))
PEEKS = {
    "access": peek_grant,
    "intake": lambda body: codec.peek(body)[:3],
    "handling": lambda body: codec.peek(body)[:3],
}
UNTIL = dt.datetime(2026, 3, 1, 15, tzinfo=dt.UTC)


@pytest.fixture
def server(postgres_url: str) -> Iterator[str]:
    """Give the address of an empty database."""
    name = f"moving_{os.getpid()}_{next(NUMBER)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield f"{postgres_url.rsplit('/', 1)[0]}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an installation with cases, words, people and figures, and nothing running."""
    path = tmp_path_factory.mktemp("moving") / "data"
    wish = Wish(cases=12, until=UNTIL, span=dt.timedelta(days=20))
    making = make_demonstration(
        Settings(data=path), wish, now=UNTIL, report=lambda *_: None
    )
    asyncio.run(making)
    (path / DEMONSTRATION).unlink()  # as if it were real
    return path


@pytest.fixture
def settings(filled: Path, tmp_path: Path) -> Settings:
    shutil.copytree(filled, tmp_path / "data")
    return Settings(data=tmp_path / "data")


def moved(settings: Settings, server: str) -> moving.Moved:
    return asyncio.run(moving.move(settings, server, told=lambda *_: None))


def stored(server: str) -> int:
    """Count the events that handling has at the server."""
    with psycopg.connect(server) as connection, suppress(psycopg.errors.UndefinedTable):
        row = connection.execute("SELECT COUNT(*) FROM handling.stored_events")
        return int((row.fetchone() or (0,))[0])
    return 0


def state_digest(url: str) -> str:
    """Give what `amends audit replay` prints."""
    with (
        closing(open_database(url, schema="handling", read_only=True)) as database,
        database.read() as tx,
    ):
        (position,) = tx.fetchone("SELECT MAX(position) FROM stored_events") or (0,)
    return joined(dict(replayed(url, position, 1)), position).digest


def test_after_the_move_everything_is_what_it_was(
    settings: Settings, server: str
) -> None:
    folder = DataFolder(settings.data)
    file = record_url(settings, folder)
    before = state_digest(file)
    assert moving.foresee(settings, server).rows["handling"] > 0
    assert stored(server) == 0

    found = moved(settings, server)

    there = settings.model_copy(update={"database_url": server})
    assert found.digest == before == state_digest(record_url(there, folder))
    for name in ("access", "intake", "handling"):
        database = open_database(server, schema=name, read_only=True)
        signer = load_signer(folder.path / name / SIGNING_KEY, origin("default", name))
        with closing(database):
            report = verify(database, signer.verifier, peek=PEEKS[name])
            with database.read() as tx:
                (last, known) = tx.fetchone(
                    "SELECT MAX(position), COUNT(*) FROM stored_events"
                ) or (0, 0)
        assert (report.ok, report.unsealed, report.events) == (True, 0, known)
        assert last == known > 0
    # The words of a statement open with the key that moved beside them.
    with (
        closing(open_database(server, schema="intake_keys")) as keys,
        closing(open_database(server, schema="intake")) as documents,
    ):
        with documents.read() as tx:
            rows = tx.fetchall("SELECT document_id FROM vault_document")
        opened = Vault(keys, documents).readable([row[0] for row in rows])
        assert len(opened) == len(rows) > 0
        # The next event gets the next number, not the first.
        with documents.read() as tx:
            last_event = tx.fetchone("SELECT MAX(position) FROM stored_events")
            next_one = tx.fetchone("SELECT last_value FROM stored_events_position_seq")
        assert next_one == last_event

    # Nobody starts on the files that were left behind.
    with pytest.raises(RefusedError, match="AMENDS_DATABASE_URL"):
        folder.database_url("intake", "store", server=None)
    with pytest.raises(RefusedError, match="AMENDS_DATABASE_URL"):
        moved(settings, server)

    # Cut short between the server's commit and the folder's note, it ends the next time.
    (settings.data / MOVED).unlink()
    assert moved(settings, server).again is True


def test_what_differs_after_copying_is_not_moved(
    settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed, rows = copying.hashed, iter(range(10_000))

    def once_wrong(row: Sequence[object]) -> int:
        return hashed(row) + (next(rows) == 100)

    monkeypatch.setattr(copying, "hashed", once_wrong)
    with pytest.raises(RefusedError, match="nothing was moved"):
        moved(settings, server)
    assert stored(server) == 0
    assert not (settings.data / MOVED).exists()


def test_it_refuses_while_it_runs_and_where_another_installation_is(
    settings: Settings, server: str
) -> None:
    folder = DataFolder(settings.data)
    with folder.held_for("intake", alone=True), pytest.raises(RefusedError) as refused:
        moved(settings, server)
    assert refused.value.code == "folder.held"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA handling")
        connection.execute(
            "CREATE TABLE handling.stored_events AS SELECT 1 AS position"
        )
        connection.execute("CREATE TABLE handling.store_meta (name TEXT, value TEXT)")
    for one in moving.foresee, moved:
        with pytest.raises(RefusedError) as refused:
            one(settings, server)
        assert refused.value.code == "move.not_empty"
