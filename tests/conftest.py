"""Fixtures that any test may ask for; nothing is imported from here."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from services.kernel.store.database import Database, open_database
from tests.support.postgres import running_postgres

ROOT = Path(__file__).resolve().parent.parent
_SCHEMAS = count(1)

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no finding
)
settings.register_profile("nightly", max_examples=5_000, deadline=None)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if "CI" in os.environ else "dev")
)

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would
# every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)  # where pytest-xdist is there
def pytest_xdist_auto_num_workers() -> int | None:
    """Answer `-n auto`: one more than processors, since a quarter of the time is waited.

    For a disk, a broker, a database, a browser.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or sys.platform != "linux":
        return None  # as it would without us
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Trace no test whose programs are others: coverage would see the waiting alone."""
    for item in items:
        if item.get_closest_marker("e2e") or item.get_closest_marker("browser"):
            item.add_marker("no_cover")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """`postgresql://…` of a real server; started by the first test that asks."""
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once for each kind that we support."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def make_database(
    database_url: str, tmp_path: Path
) -> Iterator[Callable[..., Database]]:
    """`make_database("name", secure_delete=False)`: an empty database of that name.

    The same name within one test is the same database over a connection of its own:
    a second worker, or the next start of the program. All are closed after the test.
    """
    prefix = f"t{os.getpid()}_{next(_SCHEMAS)}"
    with ExitStack() as opened:

        def make(schema: str = "store", *, secure_delete: bool = False) -> Database:
            url = database_url
            if url.startswith("sqlite:"):
                url = f"sqlite:///{tmp_path / schema}.sqlite"
            database = open_database(
                url, schema=f"{prefix}_{schema}", secure_delete=secure_delete
            )
            opened.callback(database.close)
            return database

        yield make


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real complaints and hostile input; skips where it is not."""
    folder = (ROOT / (os.environ.get("AMENDS_REAL_DATA") or "../shared")).resolve()
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder}: set AMENDS_REAL_DATA to its folder")
    return folder
