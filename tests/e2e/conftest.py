"""One `amends up` for tests that only look; a fresh one for those that disturb it."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.running import RunningAmends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_DATABASES = count(1)


@pytest.fixture
def amends(tmp_path: Path) -> Iterator[RunningAmends]:
    """Give an amends on an empty folder, not started yet; ended after the test."""
    running = RunningAmends(tmp_path / "data", forked=True)
    yield running
    running.end()


@pytest.fixture(params=["sqlite", "postgres"])
def amends_on_either(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[RunningAmends]:
    """Give an amends on SQLite, then one on an empty PostgreSQL database."""
    environment = {}
    if request.param == "postgres":
        server: str = request.getfixturevalue("postgres_url")
        name = f"amends_{os.getpid()}_{next(_DATABASES)}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        environment["AMENDS_DATABASE_URL"] = f"{server.rsplit('/', 1)[0]}/{name}"
    running = RunningAmends(tmp_path / "data", environment, forked=True)
    yield running
    running.end()
