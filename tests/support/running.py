"""A real `amends up`, or `amends run`, for the tests that look from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import httpx

from tests.support.children import dying_with_us
from tests.support.nursery import Nursery
from tests.support.terminal import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.nursery import Forked

PATIENCE = 60.0  # seconds; only a hang reaches it
NURSERY = Nursery()
AMENDS = (sys.executable, "-m", "services.cli")

_VERB = 300.0  # seconds that a verb may take


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningAmends:
    """`amends` on a data folder: start it, ask it, kill it, start it again.

    `verb` is what serves: `up`, or `run` with the name of one service. With `forked`
    its programs come from the nursery, and do not read their modules anew.
    """

    def __init__(
        self,
        data: Path,
        environment: Mapping[str, str] | None = None,
        *,
        verb: tuple[str, ...] = ("up",),
        forked: bool = False,
    ) -> None:
        self.data = data
        self.forked = forked
        self.verb = verb
        self.program: tuple[str, ...] = AMENDS
        """What is run: amends, or a test's own beginning of it."""
        self.port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AMENDS_")},
            "AMENDS_DATA": str(data),
            "AMENDS_PORT": str(self.port),
            "AMENDS_LOG_FORMAT": "json",
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.log = data.parent / f"{data.name}-{'-'.join(verb)}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """Begin, and do not wait."""
        with self.log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            self.process = self._begun(
                self.verb, nothing, log, log, program=self.program
            )

    def _begun(
        self,
        arguments: Sequence[str],
        stdin: IO[bytes],
        stdout: IO[bytes],
        stderr: IO[bytes],
        *,
        program: Sequence[str] = AMENDS,
    ) -> subprocess.Popen[bytes] | Forked:
        if self.forked:
            return NURSERY.fork(
                arguments,
                env=self.environment,
                stdin=stdin.fileno(),
                stdout=stdout.fileno(),
                stderr=stderr.fileno(),
            )
        return subprocess.Popen(
            [*program, *arguments],
            env=self.environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
        )

    def start(self) -> None:
        self.launch()
        self.until(self._answers, "amends answers")

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"amends ended:\n{self.log.read_text()[-4_000:]}")
        try:
            return httpx.get(f"{self.url}/health/ready").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End it as Ctrl-C does; gives the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(PATIENCE)
        self.process = None
        return status

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def end(self) -> None:
        if self.process is not None:
            self.kill()

    def client(self) -> httpx.Client:
        """Give a client with the operator's token."""
        runtime = json.loads((self.data / "runtime.json").read_text())
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {runtime['token']}"},
            timeout=30,
        )

    def run(
        self, *arguments: str, check: bool = True, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb of `amends` on the same data folder, `given` on standard input."""
        with TemporaryFile() as stdin, TemporaryFile() as out, TemporaryFile() as err:
            stdin.write((given or "").encode())
            stdin.seek(0)
            program = self._begun(arguments, stdin, out, err)
            try:
                status = program.wait(_VERB)
            finally:
                program.kill()
            out.seek(0)
            err.seek(0)
            done = subprocess.CompletedProcess(
                arguments, status, out.read().decode(), err.read().decode()
            )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stderr}")
        return done

    def shown(self, *arguments: str, columns: int) -> str:
        """Run a verb on a terminal of that width; gives what a person would see."""

        def start(end: int, env: Mapping[str, str]) -> Forked:
            return NURSERY.fork(arguments, env=env, stdin=end, stdout=end, stderr=end)

        return shown(start, columns=columns, environment=self.environment)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def until(self, happened: Any, what: str) -> None:
        """Wait until `happened()` is true; the limit is patience, not a measure."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}\n{self.log.read_text()[-4_000:]}")
            time.sleep(0.05)
