"""Installations for these tests, on either kind of database."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from services.kernel.folder import DataFolder
from services.kernel.settings import Settings
from tests.support.houses import House

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NUMBERS = count(1)


@pytest.fixture(params=["sqlite", "postgres"])
def make_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """`make_house("data")`: an empty installation; on PostgreSQL with its own database."""
    databases: list[str] = []

    def make(name: str = "data") -> House:
        given: dict[str, Any] = {"data": tmp_path / name}
        if request.param == "postgres":
            server: str = request.getfixturevalue("postgres_url")
            database = (
                f"backup_{request.node.name.split('[')[0][-20:]}_{next(_NUMBERS)}"
            )
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{database}"')
            databases.append(database)
            url = urlunsplit(urlsplit(server)._replace(path=f"/{database}"))
            given["database_url"] = url
        settings = Settings(**given)
        return House(settings, DataFolder(settings.data))

    yield make
    if databases:
        server = request.getfixturevalue("postgres_url")
        with psycopg.connect(server, autocommit=True) as connection:
            for database in databases:
                connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
