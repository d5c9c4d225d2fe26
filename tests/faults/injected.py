"""System calls of a program that fail, one at a time: strace makes them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Iterator

FLUSH: Final = "fsync,fdatasync"
WRITE: Final = "pwrite64"
ATTACHED: Final = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """The `when`-th of some calls fails: `3`, or `3+` from the third on, in each thread."""

    calls: str
    error: str
    when: str

    def __str__(self) -> str:
        return f"{self.calls}:error={self.error}:when={self.when}"


def missing() -> str | None:
    """Say why no fault can be injected here, if none can."""
    if shutil.which("strace") is None:
        return "strace-is-missing"
    done = subprocess.run(
        ["strace", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"],
        capture_output=True,
        check=False,
    )
    return None if done.returncode == 0 else "ptrace-is-not-allowed"


@contextlib.contextmanager
def injected(pid: int, fault: Fault, told: Path) -> Iterator[Path]:
    """Have the fault happen to a running program and all its threads, while it lasts.

    `told` is written with the calls that failed.
    """
    tracer = subprocess.Popen(
        [
            "strace", "-f", "-y", "-o", told, "-e", f"trace={fault.calls}",
            "-e", f"inject={fault}", "-p", str(pid),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
    )  # fmt: skip
    try:
        ends = time.monotonic() + ATTACHED
        while _tracer_of(pid) != tracer.pid:
            if tracer.poll() is not None or time.monotonic() > ends:
                message = f"strace did not take hold of {pid}"
                raise RuntimeError(message)
            time.sleep(0.005)
        yield told
    finally:
        tracer.terminate()
        tracer.wait()


def struck(told: Path) -> list[str]:
    """Give the calls that failed, with the files that they were about."""
    lines = told.read_text(errors="replace").splitlines()
    return [line for line in lines if line.endswith("(INJECTED)")]


def _tracer_of(pid: int) -> int:
    """Give the tracer of the thread of a process that was taken hold of last."""
    last = 0
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("TracerPid:"):
                    last = int(line.split()[1])
                    if not last:
                        return 0
    return last
