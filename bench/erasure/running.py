"""A real `amends up` in a process of its own, on a folder of the run, with its log."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PATIENCE: Final = 120.0
"""Seconds; only a hang reaches them."""


class Amends:
    """What runs on `<folder>/data`, as its operator sees it."""

    def __init__(self, folder: Path, *, module: str = "services.cli") -> None:
        self.data = folder / "data"
        self.log = folder / "log" / "amends.log"
        self.temporary = folder / "temporary"
        for each in (self.log.parent, self.temporary):
            each.mkdir(parents=True)
        self.module = module
        self.environment: Mapping[str, str] = {
            **{k: v for k, v in os.environ.items() if not k.startswith("AMENDS_")},
            "AMENDS_DATA": str(self.data),
            "AMENDS_PORT": str(_free_port()),
            "AMENDS_LOG_FORMAT": "json",
            "TMPDIR": str(self.temporary),
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[httpx.Client]:
        """Start it, give the operator's client, and end it as Ctrl-C does."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 our own program
                [sys.executable, "-m", self.module, "up"],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(lambda: self._ready(process), "amends is ready")
            runtime = self._runtime()
            with httpx.Client(
                base_url=runtime["url"],
                headers={"Authorization": f"Bearer {runtime['token']}"},
                timeout=PATIENCE,
                trust_env=False,
            ) as client:
                yield client
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 our own program
            [sys.executable, "-m", "services.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def _runtime(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "runtime.json").read_bytes())
        return found

    def _ready(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"amends ended: {self.log.read_text()[-2_000:]}")
        try:
            url = f"{self._runtime()['url']}/health/ready"
            return httpx.get(url, trust_env=False).is_success
        except (FileNotFoundError, httpx.TransportError):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(happened: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > ends:
            raise RuntimeError(f"never: {what}")
        time.sleep(0.1)
