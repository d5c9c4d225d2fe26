"""Count what processes have synced to the disk, by strace: counted, never timed."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from shutil import which
from typing import TYPE_CHECKING, Final

from bench.measuring import Absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ATTACH: Final = 1.0
_LINE: Final = re.compile(
    r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*\b(?:fsync|fdatasync)$"
)


@contextlib.contextmanager
def counted(pids: Mapping[str, int], folder: Path) -> Iterator[dict[str, int]]:
    """Count the syncs of each process while the block runs; all are there at its end.

    Raises Absent where strace is missing or may not look.
    """
    strace = which("strace")
    if strace is None:
        raise Absent("strace is not installed")
    counts: dict[str, int] = {}
    running = {}
    for name, pid in pids.items():
        words = [strace, "-c", "-f", "-e", "trace=fsync,fdatasync", "-p", str(pid)]
        words += ["-o", str(folder / f"{name}.syncs")]
        running[name] = subprocess.Popen(  # noqa: S603 our own words
            words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    time.sleep(_ATTACH)
    if any(process.poll() is not None for process in running.values()):
        raise Absent("strace may not look into processes here")
    try:
        yield counts
    finally:
        for process in running.values():
            process.send_signal(signal.SIGINT)
        for name, process in running.items():
            process.wait()
            counts[name] = _sum((folder / f"{name}.syncs").read_text())


def _sum(told: str) -> int:
    return sum(int(found[1]) for found in map(_LINE.match, told.splitlines()) if found)
