"""The programs that the documentation shows hand each complaint in once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.running import RunningAmends

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.connected, pytest.mark.e2e]

SHOWN = Path(__file__).parents[2] / "docs/how-to/submit"
COMPLAINT = {
    "channel": "counter",
    "statement": "The kettle leaks.",
    "contact": {"name": "A", "phone": "+442079460958"},
}


@pytest.fixture(scope="module")
def amends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAmends]:
    running = RunningAmends(tmp_path_factory.mktemp("handed-in") / "data", forked=True)
    running.start()
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def access(amends: RunningAmends) -> Path:
    file = amends.data.parent / "access.json"
    file.write_text(
        amends.run("access", "channel", "credentials", "counter", "--json").stdout
    )
    return file


def run(program: str, *arguments: str, token: str = "") -> str:
    runner = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}
    done = subprocess.run(
        [runner[Path(program).suffix], str(SHOWN / program), *arguments],
        env={
            **{k: v for k, v in os.environ.items() if "proxy" not in k.lower()},
            "CHANNEL_TOKEN": token,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["over_nats.py", "over_http.mjs", "over_http.sh"])
def test_the_same_key_gives_the_same_receipt(
    amends: RunningAmends, access: Path, tmp_path: Path, program: str
) -> None:
    if program.endswith(".mjs") and shutil.which("node") is None:
        pytest.skip("no node here: the program in JavaScript is not proved")
    file = tmp_path / "complaint.json"
    file.write_text(json.dumps(COMPLAINT))
    wanted = ("--role", "channel", "--channel", "counter")
    token = amends.json("access", "token", "create", *wanted)["token"]
    where = str(access) if program == "over_nats.py" else amends.url
    told = [
        json.loads(run(program, where, str(file), f"key of {program}", token=token))
        for _ in range(2)
    ]
    assert told[0]["receipt_no"] == told[1]["receipt_no"]
    with amends.client() as client:
        address = f"/api/intake/complaints/{told[0]['receipt_no']}"
        assert client.get(address).json()["state"] == "RECEIVED"


def test_what_was_left_in_the_stream_is_answered_once_each(
    access: Path, tmp_path: Path
) -> None:
    file = tmp_path / "complaints.ndjson"
    lines = [COMPLAINT | {"statement": f"Kettle {number}."} for number in range(5)]
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    first, again = (
        {json.loads(line)["receipt_no"] for line in told.splitlines()}
        for told in (run("by_stream.py", str(access), str(file)) for _ in range(2))
    )
    assert first == again
    assert len(first) == 5
