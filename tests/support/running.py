"""A real `amends up`, or `amends run`, for the tests that look from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE = 60.0  # seconds; only a hang reaches it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RunningAmends:
    """`amends` on a data folder: start it, ask it, kill it, start it again.

    `verb` is what serves: `up`, or `run` with the name of one service.
    """

    def __init__(
        self,
        data: Path,
        environment: Mapping[str, str] | None = None,
        *,
        verb: tuple[str, ...] = ("up",),
    ) -> None:
        self.data = data
        self.verb = verb
        self.program: tuple[str, ...] = (sys.executable, "-m", "services.cli")
        """What is run: amends, or a test's own beginning of it."""
        self.port = free_port()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AMENDS_")},
            "AMENDS_DATA": str(data),
            "AMENDS_PORT": str(self.port),
            "AMENDS_LOG_FORMAT": "json",
            **(environment or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data.parent / f"{data.name}-{'-'.join(verb)}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def launch(self) -> None:
        """Begin, and do not wait."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, *self.verb],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
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
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env=self.environment,
            input=given or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stderr}")
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def until(self, happened: Any, what: str) -> None:
        """Wait until `happened()` is true; the limit is patience, not a measure."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise AssertionError(f"never: {what}\n{self.log.read_text()[-4_000:]}")
            time.sleep(0.05)
