"""A terminal of a given width: what a person would see of a command."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.nursery import Forked

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(
    command: Sequence[str], *, columns: int, environment: Mapping[str, str]
) -> str:
    """Run it to its end on a pseudo-terminal; give its lines without their style."""

    def start(end: int, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=env, stdin=end, stdout=end, stderr=end)

    return shown(start, columns=columns, environment=environment)


def shown(
    start: Callable[[int, Mapping[str, str]], subprocess.Popen[bytes] | Forked],
    *,
    columns: int,
    environment: Mapping[str, str],
) -> str:
    """Give what a program shows that `start` begins with our end of a terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    plain = {k: v for k, v in environment.items() if k not in {"COLUMNS", "NO_COLOR"}}
    program = start(theirs, {**plain, "TERM": "xterm"})
    os.close(theirs)
    said = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    program.wait()
    return _STYLE.sub("", said.decode().replace("\r\n", "\n"))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # its other end was closed
        return b""
