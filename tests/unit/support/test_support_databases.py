"""The fixtures give what they promise: real databases, empty, apart from each other."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_a_name_is_one_database_and_another_name_another(make_database):
    first, again, other = (
        make_database("one"),
        make_database("one"),
        make_database("two"),
    )
    for database in (first, other):
        database.migrate(["CREATE TABLE IF NOT EXISTS seen (word TEXT NOT NULL)"])
    with first.write() as tx:
        tx.execute("INSERT INTO seen VALUES (?)", ["kept"])
    with again.read() as tx:
        assert tx.fetchall("SELECT word FROM seen") == [("kept",)]
    with other.read() as tx:
        assert tx.fetchall("SELECT word FROM seen") == []


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_starts_with_an_empty_database(make_database, turn):
    database = make_database()
    database.migrate(["CREATE TABLE mark (turn BIGINT NOT NULL)"])
    with database.write() as tx:
        tx.execute("INSERT INTO mark VALUES (?)", [turn])


def test_postgres_asks_for_its_password_on_loopback(postgres_url):
    host, password = "127.0.0.1", postgres_url.split(":")[2].split("@")[0]
    assert f"@{host}:" in postgres_url
    with pytest.raises(psycopg.OperationalError, match="password authentication"):
        psycopg.connect(postgres_url.replace(password, "wrong"))


@pytest.mark.skipif(sys.platform != "linux", reason="uses the kernel's death signal")
def test_postgres_dies_with_the_process_that_started_it():
    program = (
        "import os, signal\n"
        "from tests.support.postgres import running_postgres\n"
        "with running_postgres() as url:\n"
        "    print(url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # under root the server belongs to `nobody`
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        url = done.stdout.strip()
        assert url.startswith("postgresql://"), done.stderr
        assert gone(url), "a server outlived its parent"


def gone(url: str) -> bool:
    for _ in range(100):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as refused:
            if "Connection refused" in str(refused):
                return True
        time.sleep(0.1)
    return False
