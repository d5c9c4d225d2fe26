"""What a test starts does not outlive it, however it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import os, signal, subprocess
from tests.support.children import dying_with_us
subprocess.Popen(["sleep", "60"], preexec_fn=dying_with_us())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="uses the kernel's death signal")
def test_a_program_dies_with_the_process_that_started_it():
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    ) as started:
        # Both hold this pipe: it ends when the second is gone too.
        assert started.communicate(timeout=30) == (b"", None)
    assert started.returncode < 0
