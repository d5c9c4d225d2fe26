"""Three services in processes of their own, their broker and nginx, as a machine has them."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from services.building import SERVICES
from services.kernel.broker.server import find_binary, kept_seed
from tests.support.children import dying_with_us
from tests.support.running import PATIENCE, RunningAmends, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEPLOY: Final = Path(__file__).parents[2] / "deploy"


class Processes:
    """The services in `parts`, `each` of them so often, set up as documented.

    Their environment is one and the same, as from one file; `proxy` is the origin.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, each: int = 1
    ) -> None:
        self.folder, self.data = folder, folder / "data"
        self.broker = Broker(folder, self.data)
        self.ports = {name: free_port() for name in SERVICES}
        self._proxy_port = free_port()
        seed = folder / "amends.nk"
        kept_seed(seed)
        self.environment = {
            **environment,
            "AMENDS_NATS_URL": self.broker.url,
            "AMENDS_NATS_MONITOR_URL": self.broker.monitor,
            "AMENDS_NATS_CREDENTIALS": str(seed),
            **{
                f"AMENDS_{name.upper()}_URL": f"http://127.0.0.1:{port}"
                for name, port in self.ports.items()
            },
        }
        self.cli = RunningAmends(self.data, self.environment)
        self.parts = {name: self._part(name, port) for name, port in self.ports.items()}
        for number in range(2, each + 1):
            for name in SERVICES:
                self.parts[f"{name} {number}"] = self._part(name, free_port())
        self._others: list[subprocess.Popen[bytes]] = []

    def _part(self, name: str, port: int) -> RunningAmends:
        verb = ("run", name, "--port", str(port))
        part = RunningAmends(self.data, self.environment, verb=verb)
        part.port = port
        return part

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self._proxy_port}"

    def prepare(self) -> None:
        """Write the accounts, before there is a broker that could know them."""
        refused = self.cli.run("provision", check=False)
        assert refused.returncode == 1, refused.stdout
        assert "accounts.conf" in refused.stderr

    def start(self) -> None:
        self.prepare()
        self.broker.launch()
        self.broker.until_ready()
        self.cli.run("provision")
        self.start_services()
        self._start_proxy()

    def start_services(self) -> None:
        for part in self.parts.values():
            if part.process is None:
                part.launch()
        for part in self.parts.values():
            part.until(part._answers, f"{part.verb} answers")

    def restart(self, name: str) -> None:
        """End one as an upgrade does, wait until it has ended, and start it again."""
        part = self.parts[name]
        assert part.process is not None
        part.process.send_signal(signal.SIGTERM)
        assert part.process.wait(PATIENCE) == 0
        part.process = None
        self.start_services()

    def client(self) -> httpx.Client:
        """Give a browser's way in, through the proxy."""
        return httpx.Client(base_url=self.proxy, timeout=30, follow_redirects=True)

    def ask(self, service: str, path: str) -> httpx.Response:
        """Ask a service itself, as the other services do."""
        token = (self.data / "services.token").read_text().strip()
        return httpx.get(
            f"http://127.0.0.1:{self.ports[service]}{path}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    def progress(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for service in SERVICES:
            found |= self.ask(service, "/api/progress").json()
        return found

    def followed(self) -> bool:
        progress = self.progress()
        return bool(
            progress["handling"]["intake"] >= progress["intake"]["recorded"] > 0
            and progress["intake"]["handling"] >= progress["handling"]["recorded"] > 0
            and progress["analytics"]["handling"] >= progress["handling"]["recorded"]
        )

    def end(self) -> None:
        for part in self.parts.values():
            part.end()
        for other in reversed(self._others):
            other.terminate()
            other.wait(PATIENCE)
        self.broker.end()

    def _start_proxy(self) -> None:
        """Run nginx with the shipped file, on loopback and without TLS."""
        text = (DEPLOY / "nginx-processes.conf").read_text()
        text = re.sub(r"listen 443 ssl;", f"listen 127.0.0.1:{self._proxy_port};", text)
        text = re.sub(r"ssl_certificate.*", "", text)
        for name, port in (("intake", 8081), ("handling", 8082), ("analytics", 8083)):
            servers = "".join(
                f"server 127.0.0.1:{part.port} max_fails=0;"
                for part in self.parts.values()
                if part.verb[1] == name
            )
            shipped = f"server 127.0.0.1:{port} max_fails=0;"
            assert shipped in text
            text = text.replace(shipped, servers)
        place = self.folder / "nginx"
        place.mkdir(mode=0o755)
        config = place / "nginx.conf"
        config.write_text(
            f"daemon off; pid {place}/pid; error_log {place}/error.log;\n"
            "events {}\n"
            "http {\n"
            "access_log off;\n"
            + "".join(
                f"{kind}_temp_path {place}/{kind};\n"
                for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            + f"{text}}}\n"
        )
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
        assert nginx is not None
        self._others.append(
            subprocess.Popen(
                [
                    nginx,
                    "-p",
                    str(place),
                    "-e",
                    f"{place}/error.log",
                    "-c",
                    str(config),
                ],
                preexec_fn=dying_with_us(signal.SIGTERM),  # noqa: PLW1509 - it tells its workers
            )
        )
        until_answers(f"{self.proxy}/status")


class Broker:
    """nats-server with the shipped file: start it, kill it, start it again."""

    def __init__(self, folder: Path, data: Path) -> None:
        self._folder, self._data = folder, data
        self._port, self._monitor_port = free_port(), free_port()
        self._config = folder / "nats.conf"
        self.store = folder / "nats"
        self.log = folder / "nats.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def monitor(self) -> str:
        return f"http://127.0.0.1:{self._monitor_port}"

    def launch(self) -> None:
        """Begin, and do not wait."""
        if not self._config.exists():
            self._configure()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [find_binary(), "-c", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
            )

    def until_ready(self) -> None:
        until_answers(f"{self.monitor}/healthz")

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def end(self) -> None:
        if self.process is not None:
            self.kill()

    def _configure(self) -> None:
        text = (
            (DEPLOY / "nats-server.conf")
            .read_text()
            .replace("/var/lib/nats", str(self.store))
            .replace(":4222", f":{self._port}")
            .replace(":8222", f":{self._monitor_port}")
            .replace("# include", "include")
        )
        accounts = self._data / "departments" / "accounts.conf"
        (self._folder / "accounts.conf").symlink_to(accounts)
        self._config.write_text(text)


def until_answers(url: str) -> None:
    def answers() -> bool:
        try:
            return httpx.get(url).is_success
        except httpx.TransportError:
            return False

    _patiently(answers, url)


def _patiently(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
