"""What other tools read gives the numbers of the API, now and at any earlier position."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import psycopg
import pyarrow.parquet
import pytest
from fastapi import FastAPI

from events.codec import encode
from services.analytics.api.routes import analytics_router
from services.analytics.application.figures import Figures
from services.analytics.application.rebuilding import Progress, Rebuilder, run_rebuild
from services.analytics.application.recording import record
from services.analytics.domain.figures import OPEN
from services.analytics.persistence import SqlFactStore
from services.analytics.persistence.bi import COLUMNS, HIDDEN
from services.analytics.persistence.parquet import write_parquet
from services.analytics.persistence.tables import shape
from services.analytics.ports import Known
from services.kernel.access import OPERATOR, OperatorTokens
from services.kernel.clock import rfc3339
from services.kernel.errors import RefusedError
from services.kernel.log_client import Page
from tests.support.asgi import ask
from tests.support.histories import made_up_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.kernel.store.database import Database

LOG = made_up_log(71, cases=150, events=900)
LATE = 40
"""So many events at the end lie behind a hole: no figure counts them."""
REACHED = len(LOG) - LATE - 1
PAST = 500
Rows = list[dict[str, Any]]


class Rowed(NamedTuple):
    """Rows in a database, and the API over them."""

    database: Database
    store: SqlFactStore
    api: FastAPI

    def counted(self, figure: str, number: str, **query: str | int) -> Counter[Any]:
        """Give a number of a figure by the one dimension of its lines."""
        answer = ask(
            self.api,
            "GET",
            f"/api/analytics/{figure}?{urlencode(query)}",
            headers={"Authorization": "Bearer token"},
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["position"] == query.get("as_of", REACHED)
        [name] = told["rows"][0].keys() & {"department", "category", "state", "cause"}
        return Counter({row[name]: row[number] for row in told["rows"]})


async def _never(_report: Any) -> Progress:
    raise AssertionError


@pytest.fixture
def rows(make_database: Callable[..., Database]) -> Rowed:
    database = make_database("analytics")
    store = SqlFactStore(database)
    arrived = [*LOG[:REACHED], *LOG[REACHED + 1 :]]
    with store.transaction() as tx:
        record(store.live, tx, [logged.entry for logged in arrived])
        store.live.note(tx, [Known(*logged[:2]) for logged in arrived])
        store.settle(tx)
    api = FastAPI()
    api.include_router(
        analytics_router(
            Figures(store, ZoneInfo("UTC")),
            Rebuilder(_never),
            OperatorTokens({"token": OPERATOR}),
            zone=ZoneInfo("UTC"),
            clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
    )
    return Rowed(database, store, api)


def agree(rows: Rowed, cases: Rows, versions: Rows) -> None:
    """Compare with the API: now, and at an earlier position and its instant."""
    assert len({case["case_id"] for case in cases}) == len(cases)
    compare(rows, counted(cases), {})
    then = [
        each
        for each in versions
        if each["known_from_position"] <= PAST
        and (each["known_to_position"] is None or each["known_to_position"] > PAST)
    ]
    compare(rows, counted(then), {"as_of": PAST})
    instant = datetime.fromtimestamp(LOG[PAST - 1].committed_at / 1e6, UTC)
    known = [
        each
        for each in versions
        if each["known_from"] <= instant
        and (each["known_to"] is None or each["known_to"] > instant)
    ]
    total = sum(counted(known)["all"].values())
    answer = ask(
        rows.api,
        "GET",
        f"/api/analytics/backlog?as_of={rfc3339(instant)}",
        headers={"Authorization": "Bearer token"},
    ).json()
    assert sum(counted(known)["open"].values()) == answer["total"]["open"] < total


def counted(cases: Rows) -> dict[str, Counter[Any]]:
    real = [case for case in cases if case["origin"] != "demo"]
    return {
        "all": Counter(case["category"] for case in real),
        "open": Counter(c["department"] for c in real if c["state"] in OPEN),
        "found": Counter(case["root_cause"] or "not_determined" for case in real),
    }


def compare(rows: Rowed, found: dict[str, Counter[Any]], at: dict[str, int]) -> None:
    assert found["all"] == rows.counted("frequency", "count", group_by="category", **at)
    assert found["found"] == rows.counted("root-causes", "count", basis="found", **at)
    by = {"group_by": "department", **at}
    assert found["open"] == rows.counted("backlog", "open", **by)


# -- PostgreSQL -------------------------------------------------------------


on_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture
def reader(rows: Rowed) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a role as the page of the documentation makes it."""
    with rows.database.write() as tx:
        schema = schema_of(rows)
        role = f"{schema}_reader"
        for statement in (
            f"CREATE ROLE {role} LOGIN PASSWORD 'look'",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
            f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
        ):
            tx.execute(statement)
        [server] = tx.fetchall("SELECT inet_server_port(), current_database()")
    with psycopg.connect(
        host="127.0.0.1",
        port=server[0],
        dbname=server[1],
        user=role,
        password="look",  # noqa: S106 of a server that lives as long as the test
        autocommit=True,
    ) as connection:
        connection.execute(f"SET search_path TO {schema}")
        yield connection


def schema_of(rows: Rowed) -> str:
    with rows.database.read() as tx:
        [(own,)] = tx.fetchall("SELECT current_schema()")
    return str(own).removesuffix("analytics") + "bi"


def read(reader: psycopg.Connection[Any], view: str) -> Rows:
    cursor = reader.execute(f"SELECT * FROM {view}")  # noqa: S608 our own name
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


@on_postgres
def test_the_views_give_the_numbers_of_the_api(
    rows: Rowed, reader: psycopg.Connection[Any]
) -> None:
    agree(rows, read(reader, "cases"), read(reader, "case_versions"))
    [state] = read(reader, "state")
    assert state["position"] == REACHED
    assert state["damaged_rows"] == 0
    assert len(read(reader, "positions")) == REACHED
    assert not HIDDEN & read(reader, "cases")[0].keys()


@on_postgres
def test_the_role_of_a_reader_can_change_nothing(
    reader: psycopg.Connection[Any],
) -> None:
    # A view of several tables takes nothing from anybody.
    errors = psycopg.errors
    refused = (errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState)
    for attempt in (
        "UPDATE positions SET position = 1",
        "DELETE FROM cases",
        "INSERT INTO positions VALUES (1, now())",
        "CREATE TABLE mine (x int)",
        "DROP VIEW cases",
    ):
        with pytest.raises(refused):
            reader.execute(attempt)


@on_postgres
def test_the_role_of_a_reader_sees_nothing_else(
    rows: Rowed, reader: psycopg.Connection[Any]
) -> None:
    own = schema_of(rows).removesuffix("bi") + "analytics"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(f"SELECT * FROM {own}.complaint_row")  # noqa: S608 our own name


async def _run(work: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(work)


class Line(NamedTuple):
    position: int
    committed_at: int
    body: bytes


async def _log(after: int, limit: int) -> Page:
    found = [Line(p, at, encode(event)) for p, at, event in LOG if p > after]
    return Page(found[:limit], LOG[-1].position)


@on_postgres
def test_the_views_show_the_rows_that_a_rebuild_put_in_place(
    rows: Rowed, reader: psycopg.Connection[Any]
) -> None:
    asyncio.run(
        run_rebuild(
            rows.store, fetch=_log, write=_run, report=lambda _: None, patience=0
        )
    )
    assert len(read(reader, "positions")) == len(LOG)
    assert read(reader, "state")[0]["position"] == len(LOG)


@on_postgres
def test_a_reader_who_takes_long_does_not_stop_the_rows(
    rows: Rowed, reader: psycopg.Connection[Any]
) -> None:
    """A swap that would wait gives up, and whoever waits behind it goes on."""
    rows.store.begin_rebuild()
    with reader.transaction():
        read(reader, "case_versions")
        assert rows.store.swap(len(LOG)) is False
    assert rows.store.swap(len(LOG)) is True


@on_postgres
def test_the_views_are_made_anew_with_rows_of_another_shape(
    rows: Rowed, reader: psycopg.Connection[Any]
) -> None:
    with rows.database.write() as tx:
        tx.execute("UPDATE analytics_shape SET digest = ?", ("another",))
    SqlFactStore(rows.database)
    assert read(reader, "cases") == []
    assert read(reader, "state")[0]["position"] == 0


@on_postgres
def test_views_that_somebody_dropped_are_made_again(
    rows: Rowed, reader: psycopg.Connection[Any]
) -> None:
    schema = schema_of(rows)
    with rows.database.write() as tx:
        tx.execute(f"DROP SCHEMA {schema} CASCADE")
    rows.store.begin_rebuild()
    assert rows.store.swap(len(LOG)) is True
    SqlFactStore(rows.database)
    with rows.database.read() as tx:
        assert tx.fetchone(f"SELECT position FROM {schema}.state") == (len(LOG),)  # noqa: S608 our own name
    reader.close()


# -- Parquet ----------------------------------------------------------------


def tables(folder: Path) -> dict[str, Any]:
    return {
        path.stem: pyarrow.parquet.read_table(path) for path in folder.glob("*.parquet")
    }


def test_the_files_give_the_numbers_of_the_api(
    rows: Rowed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.analytics.persistence.parquet.PAGE", 64)
    heard: list[tuple[str, int, int]] = []
    written = write_parquet(
        rows.database, tmp_path, told=lambda *each: heard.append(each)
    )
    found = tables(tmp_path)
    assert written.position == REACHED
    assert written.rows == {name: table.num_rows for name, table in found.items()}
    assert written.rows["positions"] == REACHED
    agree(rows, found["cases"].to_pylist(), found["case_versions"].to_pylist())
    for name, table in found.items():
        assert table.schema.metadata[b"amends.position"] == str(REACHED).encode()
        assert table.column_names == [column.name for column in COLUMNS[name]]
        assert not HIDDEN & set(table.column_names)
    assert heard[-1][1] == heard[-1][2] == REACHED
    assert {each[0] for each in heard} == written.rows.keys()


def test_a_failed_export_leaves_the_earlier_files(rows: Rowed, tmp_path: Path) -> None:
    write_parquet(rows.database, tmp_path, told=lambda *_: None)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.parquet")}

    def fail(table: str, rows: int, _: int) -> None:
        if table == "positions" and rows:
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 ours
        write_parquet(rows.database, tmp_path, told=fail)
    kept = {
        path.name: path.read_bytes()
        for path in tmp_path.iterdir()
        if not path.name.startswith("analytics")
    }
    assert kept == before
    assert before.keys() == {
        "cases.parquet",
        "case_versions.parquet",
        "positions.parquet",
    }


def test_rows_of_another_release_are_not_exported(rows: Rowed, tmp_path: Path) -> None:
    with rows.database.write() as tx:
        tx.execute("UPDATE analytics_shape SET digest = ?", (shape()[::-1],))
    with pytest.raises(RefusedError, match="another release"):
        write_parquet(rows.database, tmp_path, told=lambda *_: None)
