"""A forked program ends as a started one does, and with whom it was forked for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import RunningAmends, free_port

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, signal
from tests.support.nursery import Nursery
Nursery().fork(["up"], env=dict(os.environ), stdin=0, stdout=1, stderr=2)
os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="uses the kernel's death signal"
)


def test_it_gives_what_the_program_said_and_its_status(tmp_path: Path) -> None:
    started = RunningAmends(tmp_path / "data", {"COLUMNS": "70"})
    forked = RunningAmends(tmp_path / "data", {"COLUMNS": "70"}, forked=True)
    for words in (["--version"], ["case", "show", "1"], ["no", "such", "verb"]):
        expected = started.run(*words, check=False)
        found = forked.run(*words, check=False)
        assert (found.returncode, found.stdout) == (
            expected.returncode,
            expected.stdout,
        )
        assert found.stderr == expected.stderr


def test_signals_reach_it(tmp_path: Path) -> None:
    amends = RunningAmends(tmp_path / "data", forked=True)
    amends.start()
    assert amends.process is not None
    assert amends.process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        amends.process.wait(0.01)
    pid = amends.process.pid
    amends.process.send_signal(signal.SIGKILL)
    assert amends.process.wait(30) == -signal.SIGKILL
    assert not Path(f"/proc/{pid}").exists()


def test_it_dies_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "AMENDS_DATA": str(tmp_path),
            "AMENDS_PORT": str(free_port()),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as asking:
        # All hold this pipe: it ends when the last is gone.
        asking.communicate(timeout=60)
    assert asking.returncode == -signal.SIGKILL
