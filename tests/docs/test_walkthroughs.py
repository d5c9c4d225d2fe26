"""What README and tutorial tell a reader to type does what they show."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.running import RunningAmends

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/tutorial/first-complaint.md",
    "docs/how-to/import-a-file.md",
    "docs/how-to/let-an-auditor-check.md",
)
SERVED = "make run"
"""What the reader types in the other terminal; here the fixture has done it."""
ELSEWHERE = ("git clone ", "cd ", "make demo")
"""What leads to another folder; what a demonstration tells has tests of its own."""

CHANGING = re.compile(r"amends (submit|import|access)\b|^(tell|\w+=)")
CATCH_UP = 15  # seconds that the services may need to follow
PATIENCE = 60  # seconds; only a hang reaches it
END = "-- the end of what it shows --"

VOLATILE = re.compile(
    r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b"  # batches of imports
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # identifiers
    r"|\b\d{4} \d{4} \d{4} \d{4}\b|\b\d{16}\b"  # receipt numbers
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+\d\d:\d\d)?"  # instants
    r"|\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b"  # access codes
    r"|\b[0-9a-f]{64}\b"  # digests
)


class Step(NamedTuple):
    command: str
    shown: str


def steps(page: Path) -> Iterator[Step]:
    """Read the console blocks: `$ command`, then what it shows."""
    for block in re.findall(
        r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
    ):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
            yield Step(command.strip(), shown.strip("\n"))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple["Terminal", RunningAmends]]:
    """A checkout after `make run`: the terminal of its reader, and what is served."""
    amends = RunningAmends(tmp_path / "amends-data", forked=True)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    environment = os.environ | {
        "AMENDS_DATA": str(amends.data),
        "AMENDS_PORT": str(amends.port),
        "COLUMNS": "100",
    }
    terminal = Terminal(tmp_path, environment)
    amends.start()
    try:
        yield terminal, amends
        assert amends.stop() == 0
    finally:
        terminal.close()
        amends.end()


class Terminal:
    """A shell that stays open: what one command sets, the next one knows."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, command: str) -> str:
        """Give what the command shows; a command that hangs ends the shell."""
        hangs = threading.Timer(PATIENCE, self._shell.kill)
        hangs.start()
        try:
            self._shell.stdin.write(f"{{ {command}\n}} </dev/null; echo; echo {END}\n")
            self._shell.stdin.flush()
            said = "".join(iter(self._shell.stdout.readline, f"{END}\n")).strip("\n")
        finally:
            hangs.cancel()
        assert self._shell.poll() is None, f"$ {command}\n{said}"
        return said

    def close(self) -> None:
        self._shell.stdin.close()
        self._shell.wait(PATIENCE)
        self._shell.stdout.close()


@pytest.mark.e2e
@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_happens(page: str, reader: tuple[Terminal, RunningAmends]):
    terminal, amends = reader
    typed = list(steps(ROOT / page))
    assert SERVED in {step.command for step in typed}
    ours = {"127.0.0.1:8080": f"127.0.0.1:{amends.port}"}
    for command, shown in typed:
        if command == SERVED or command.startswith(ELSEWHERE):
            continue
        mine = command
        for theirs, own in ours.items():
            mine = mine.replace(theirs, own)
        said = type_until(terminal, mine, shown)
        assert comparable(said) == comparable(shown), f"$ {mine}\n{said}"
        for theirs, own in zip(
            VOLATILE.findall(shown), VOLATILE.findall(said), strict=True
        ):
            ours |= {theirs: own, theirs.replace(" ", ""): own.replace(" ", "")}


def type_until(terminal: Terminal, command: str, shown: str) -> str:
    """Ask again what only reads, as a reader would, until the services caught up."""
    deadline = time.monotonic() + CATCH_UP
    while True:
        said = terminal.type(command)
        as_shown = comparable(said) == comparable(shown)
        if as_shown or CHANGING.search(command) or time.monotonic() > deadline:
            return said
        time.sleep(0.2)


def comparable(text: str) -> str:
    text = VOLATILE.sub("…", re.sub(r"127\.0\.0\.1:\d+", "", text))
    return "\n".join(line.rstrip() for line in text.splitlines())
