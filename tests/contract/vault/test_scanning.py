"""A program of the operator's looks through files; where it cannot say, nobody knows."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from services.kernel.errors import MalformedError, UnavailableError
from services.kernel.vault.scanning import CommandScanner

if TYPE_CHECKING:
    from pathlib import Path

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
FINDS_EICAR = """
import sys
whole = sys.stdin.buffer.read()
sys.exit(1 if b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" in whole else 0)
"""


def scanner(folder: Path, script: str, *, within: float = 60.0) -> CommandScanner:
    path = folder / "scan.py"
    path.write_text(script)
    return CommandScanner(f"{sys.executable} {path}", within=within)


def test_a_clean_file_passes_and_the_test_virus_does_not(tmp_path: Path) -> None:
    scan = scanner(tmp_path, FINDS_EICAR)
    scan.scan([b"a photograph"] * 1000)
    with pytest.raises(MalformedError) as told:
        scan.scan([EICAR[:20], EICAR[20:]])  # across two pieces
    assert told.value.code == "upload.refused"


@pytest.mark.parametrize(
    "script",
    [
        "import sys; sys.stdin.buffer.read(); sys.exit(2)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import sys; sys.stdin.close(); sys.exit(0)",  # read nothing, says clean
    ],
)
def test_a_program_that_fails_says_nothing(tmp_path: Path, script: str) -> None:
    with pytest.raises(UnavailableError) as told:
        scanner(tmp_path, script).scan([b"x" * 1024**2] * 2)
    assert told.value.code == "upload.unscanned"


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    hangs = scanner(tmp_path, "import time; time.sleep(600)", within=0.5)
    with pytest.raises(UnavailableError):
        hangs.scan([b"x" * 1024**2] * 2)


def test_a_program_that_is_gone_says_nothing() -> None:
    with pytest.raises(UnavailableError):
        CommandScanner("/nowhere/scan").scan([b"x"])
