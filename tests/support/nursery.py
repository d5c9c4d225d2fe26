"""`amends` for tests, forked from a process that has imported it: no start costs a second.

    python -m tests.support.nursery FD

waits at a socket. Each message brings a command line, an environment, three open files
and a pipe; the process forks a minder, which forks the program, writes its id to the
pipe, waits for it and writes its exit status. What runs is the program itself, from
its first line to the interpreter's own end; only the reading of modules is saved.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_READ: Final = (
    "services.building",
    "services.cli.running",
    "services.cli.cases",
    "services.cli.auditing",
    "services.cli.doctoring",
    "services.cli.users",
    "services.intake.cli.submitting",
    "services.intake.cli.taking",
    "services.analytics.cli",
)
_MOST: Final = 1 << 20  # bytes of one message
_FILES: Final = 4  # standard input, output, error, and the pipe


class Forked:
    """A program as `subprocess.Popen` gives one, as far as tests ask."""

    def __init__(self, told: int) -> None:
        self._told = os.fdopen(told, "rb", buffering=0)
        self.returncode: int | None = None
        self.pid = int(self._line())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("amends", timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _end(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(int(self._line()))
        self._told.close()

    def _line(self) -> bytes:
        line = self._told.readline()
        if not line:
            message = "the nursery has ended: what it forked was killed with it"
            raise RuntimeError(message)
        return line


class Nursery:
    """The process that forks, started when the first program is asked for."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def fork(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin: int,
        stdout: int,
        stderr: int,
    ) -> Forked:
        """Start `python -m services.cli ARGUMENTS` with these open files."""
        if self._socket is None:
            self._socket = self._start()
        told, tell = os.pipe()
        request = {
            "arguments": list(arguments),
            "env": dict(env),
            "cwd": str(Path.cwd()),
        }
        socket.send_fds(
            self._socket, [json.dumps(request).encode()], [stdin, stdout, stderr, tell]
        )
        os.close(tell)
        return Forked(told)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for pytest
                preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
            )
        return ours


def _serve(door: socket.socket) -> list[str]:
    """Fork for each message; returns in the programs alone, with their command lines."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # minders go without being asked
    while True:
        message, files, _, _ = socket.recv_fds(door, _MOST, _FILES)
        if not message:
            sys.exit()
        if os.fork() == 0:
            door.close()
            return _minded(json.loads(message), files)
        for file in files:
            os.close(file)


def _minded(request: dict[str, Any], files: list[int]) -> list[str]:
    """Be the minder, or return as the program."""
    dying_with_us()()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, tell = files
    program = os.fork()
    if program:
        for file in standard:
            os.close(file)
        with suppress(BrokenPipeError), os.fdopen(tell, "w") as pipe:
            print(program, file=pipe, flush=True)
            _, status = os.waitpid(program, 0)
            print(status, file=pipe, flush=True)
        os._exit(0)
    dying_with_us()()
    os.setsid()
    os.close(tell)
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    time.tzset()
    arguments: list[str] = request["arguments"]
    return arguments


def _main() -> None:
    for module in _READ:
        import_module(module)
    gc.freeze()
    arguments = _serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv[1:] = arguments
    runpy.run_module("services.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
