"""What README and tutorial tell a reader to type does what they show."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.running import RunningAmends

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/tutorial/first-complaint.md")
SERVED = "make run"
"""What the reader types in the other terminal; here the fixture has done it."""

CHANGING = re.compile(r"amends (submit|import|access)\b|curl .*(-X POST|--data|--json)")
PATIENCE = 15  # seconds for the services to catch up with one command

VOLATILE = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # identifiers
    r"|\b\d{4} \d{4} \d{4} \d{4}\b|\b\d{16}\b"  # receipt numbers
    r"|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|\+\d\d:\d\d)?"  # instants
    r"|\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b"  # access codes
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
            yield Step(command.strip(), shown.strip())


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[Path, RunningAmends]]:
    """A checkout after `make run`: what it serves, and where its reader types."""
    amends = RunningAmends(tmp_path / "amends-data")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    amends.start()
    try:
        yield tmp_path, amends
        assert amends.stop() == 0
    finally:
        amends.end()


@pytest.mark.e2e
@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_what_happens(page: str, reader: tuple[Path, RunningAmends]):
    folder, amends = reader
    typed = list(steps(ROOT / page))
    assert SERVED in {step.command for step in typed}
    environment = os.environ | {
        "AMENDS_DATA": str(amends.data),
        "AMENDS_PORT": str(amends.port),
        "COLUMNS": "80",
    }
    ours: dict[str, str] = {"127.0.0.1:8080": f"127.0.0.1:{amends.port}"}
    for command, shown in typed:
        if command == SERVED or command.startswith(("git clone ", "cd ")):
            continue
        mine = command
        for theirs, own in ours.items():
            mine = mine.replace(theirs, own)
        expected = shown.replace("127.0.0.1:8080", ours["127.0.0.1:8080"])
        said = type_it(mine, folder, environment, until=expected)
        assert comparable(said) == comparable(expected), f"$ {mine}\n{said}"
        ours |= dict(zip(VOLATILE.findall(shown), VOLATILE.findall(said), strict=True))


def type_it(
    command: str, folder: Path, environment: dict[str, str], *, until: str
) -> str:
    """Run a command; one that only reads is asked again, as a reader would, a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 4,
            check=False,
        )
        said = (done.stdout + done.stderr).strip()
        if (
            comparable(said) == comparable(until)
            or CHANGING.search(command)
            or time.monotonic() > deadline
        ):
            return said
        time.sleep(0.2)


def comparable(text: str) -> str:
    lines = (line.rstrip() for line in VOLATILE.sub("…", text).splitlines())
    return "\n".join(lines)
