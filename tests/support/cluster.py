"""Three nats-servers on loopback that are one cluster, each killed and started by itself."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import nats

from services.kernel.broker.server import find_binary
from tests.support.children import dying_with_us
from tests.support.running import PATIENCE, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("n1", "n2", "n3")


class Cluster:
    """Servers by name; `url` names all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {name: free_port() for name in NAMES}
        self._monitors = {name: free_port() for name in NAMES}
        self._routes = {name: free_port() for name in NAMES}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir()

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._ports.values())

    def start(self, name: str) -> None:
        """Start one, on the files that it left."""
        config = self._folder / f"{name}.conf"
        routes = "\n".join(
            f'"nats://127.0.0.1:{port}"' for port in self._routes.values()
        )
        config.write_text(
            f"""
            server_name: {name}
            listen: "127.0.0.1:{self._ports[name]}"
            http: "127.0.0.1:{self._monitors[name]}"
            max_payload: 2MB
            jetstream {{
              store_dir: "{self._folder / name}"
              sync_interval: always
            }}
            cluster {{
              name: amends
              listen: "127.0.0.1:{self._routes[name]}"
              routes: [{routes}]
            }}
            """
        )
        self._running[name] = subprocess.Popen(
            [find_binary(), "-c", str(config), "-l", str(self._folder / f"{name}.log")],
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
        )

    def ready(self) -> None:
        """Wait until all that run are healthy, with a leader among them."""
        end = time.monotonic() + PATIENCE
        for name in self._running:
            while not self._healthy(name):
                assert time.monotonic() < end, f"never: {name} is healthy"
                time.sleep(0.1)

    def _healthy(self, name: str) -> bool:
        address = f"http://127.0.0.1:{self._monitors[name]}/healthz"
        try:
            return httpx.get(address).is_success
        except httpx.TransportError:
            return False

    def kill(self, name: str) -> None:
        server = self._running.pop(name)
        server.kill()
        server.wait()

    async def leader(self, stream: str) -> str:
        """Name the server that leads a stream now."""
        client = await nats.connect(self.url.split(","))
        try:
            found = (await client.jetstream().stream_info(stream)).cluster
        finally:
            await client.close()
        assert found is not None
        return str(found.leader)

    def end(self) -> None:
        for name in [*self._running]:
            self.kill(name)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder)
    try:
        for name in NAMES:
            cluster.start(name)
        cluster.ready()
        yield cluster
    finally:
        cluster.end()
