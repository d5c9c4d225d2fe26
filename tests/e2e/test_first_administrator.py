"""The way to the first administrator is shown on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.children import dying_with_us
from tests.support.running import PATIENCE

if TYPE_CHECKING:
    from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e


def test_the_link_is_shown_on_a_terminal_alone_and_works(
    amends: RunningAmends,
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "up"],
        env={**amends.environment, "COLUMNS": "60"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
    )
    os.close(theirs)
    shown, end = "", time.monotonic() + PATIENCE
    try:
        while not (link := re.search(r"\S+/access/first/[\w-]{43}\r?\n", shown)):
            assert time.monotonic() < end, shown
            shown += os.read(ours, 4_096).decode()
    finally:
        process.terminate()
        process.wait(PATIENCE)
        os.close(ours)
    assert link[0].startswith(f"{amends.url}/access/first/")
    ready = f" is ready at {amends.url} with its data in {amends.data}. Ctrl-C stops it.\r\n"
    assert ready in re.sub(r"\x1b\[[0-9;]*m", "", shown)  # whole, to be copied
    amends.start()  # no terminal: the log is a file
    try:
        assert "/access/first" not in amends.log.read_text()
        with amends.client() as client:
            assert client.get(link[0].strip()).status_code == 200
    finally:
        amends.stop()
    assert "/access/first" not in amends.log.read_text()


def test_without_a_terminal_an_administrator_is_made_by_a_command(
    amends: RunningAmends,
) -> None:
    new = ["access", "user", "create", "--login", "Ann", "--name", "Ann Li"]
    run = partial(amends.run, check=False, given="correct horse battery\n")
    amends.start()
    made = run(*new, "--role", "admin", "--password-stdin", "--json")
    assert made.returncode == 0, made.stderr
    assert '"login": "ann"' in made.stdout
    again = run(*new, "--role", "admin", "--password-stdin")
    assert again.returncode == 1
    assert "access.login_taken" in again.stderr
    refused = amends.run("access", "admin-link", check=False)
    assert refused.returncode == 1
    assert "access.admin_exists" in refused.stderr
    last = amends.run("access", "user", "depart", "ANN", check=False)
    assert "access.last_admin" in last.stderr
    assert amends.stop() == 0
    rows = amends.json("access", "user", "list")["rows"]  # kept, with nothing running
    assert [(row["login"], row["role"]) for row in rows] == [("ann", "admin")]
    stopped = amends.run("access", "admin-link", check=False)
    assert "client.not_running" in stopped.stderr
