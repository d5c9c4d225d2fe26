"""The files under deploy/ are ones that their programs accept."""

from __future__ import annotations

import asyncio
import configparser
import datetime as dt
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.building import SERVICES, Site, built
from services.bus import Bus
from services.handling.api.feed import HEARTBEAT, LONGEST_WAIT
from services.handling.main import default_policy
from services.kernel.broker.server import find_binary
from services.kernel.folder import DataFolder
from services.kernel.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.client import Client

DEPLOY = Path(__file__).parents[3] / "deploy"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        _found(program) is None,
        reason=f"{program.upper()} IS MISSING: what it would read is not tested",
    )


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def _said(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_found(program) or program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "SERVER_NAME": "nats-0"},
    )


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "complaints.example.org")]
    )
    today = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(today)
        .not_valid_after(today + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    files = folder / "key.pem", folder / "certificate.pem"
    files[0].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    files[1].write_bytes(made.public_bytes(pem))
    return files


def test_nats_server_accepts_its_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "nats-server.conf").read_text()
    config = tmp_path / "nats.conf"
    config.write_text(text.replace("/var/lib/nats", str(tmp_path / "js")))
    said = subprocess.run(
        [find_binary(), "-t", "-c", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "sync_interval: always" in text


@pytest.mark.parametrize(
    ("file", "verb"),
    [
        ("amends.service", "up"),
        ("amends@.service", "run %i"),
        ("amends-second@.service", 'run %i --port "$$%i"\''),
    ],
)
def test_the_unit_names_settings_that_exist(file: str, verb: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation says
    unit.read(DEPLOY / file)
    assert unit["Service"]["ExecStart"].endswith(f"/amends {verb}")
    text = "\n".join(file.read_text() for file in DEPLOY.rglob("*") if file.is_file())
    known = {f"AMENDS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"AMENDS_[A-Z_]+", text)) <= known


@needs("systemd-analyze")
@pytest.mark.parametrize("file", sorted(each.name for each in DEPLOY.glob("*.service")))
def test_systemd_accepts_the_unit(file: str, tmp_path: Path) -> None:
    # Where it would be installed there is nothing here.
    text = re.sub(
        r"/srv/amends/\S+|/usr/local/bin/\S+", "/bin/true", (DEPLOY / file).read_text()
    )
    unit = tmp_path / file.replace("@", "@intake")
    unit.write_text(text)
    said = _said("systemd-analyze", "verify", "--man=no", str(unit))
    assert (said.returncode, said.stderr) == (0, "")


@needs("nginx")
@pytest.mark.parametrize("file", ["nginx.conf", "nginx-processes.conf"])
def test_nginx_accepts_its_configuration(file: str, tmp_path: Path) -> None:
    key, certificate = _certificate(tmp_path)
    text = (
        (DEPLOY / file)
        .read_text()
        .replace("/etc/ssl/amends/fullchain.pem", str(certificate))
        .replace("/etc/ssl/amends/privkey.pem", str(key))
        .replace("/var/log/nginx", str(tmp_path))
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{\n{text}}}\n"
    )
    said = _said("nginx", "-t", "-e", f"{tmp_path}/error.log", "-c", str(config))
    assert said.returncode == 0, said.stderr
    assert "[warn]" not in said.stderr


@pytest.mark.parametrize("file", ["nginx.conf", "nginx-processes.conf"])
def test_the_proxy_keeps_health_and_metrics_inside(file: str) -> None:
    text = (DEPLOY / file).read_text()
    for path in ("/health", "/metrics"):
        assert re.search(rf"location {path}\s+{{ return 404; }}", text)


@pytest.mark.parametrize("file", ["nginx.conf", "nginx-processes.conf"])
def test_the_proxy_passes_each_event_of_a_feed_on_as_it_comes(file: str) -> None:
    text = (DEPLOY / file).read_text()
    (feed,) = re.findall(r"location = /api/handling/feed {([^}]*)}", text)
    assert "proxy_buffering off;" in feed
    timeout = re.search(r"proxy_read_timeout (\d+)s;", feed)
    assert timeout is not None
    assert int(timeout[1]) > max(LONGEST_WAIT, HEARTBEAT)


def _upstream(path: str) -> str:
    """Say to which service the shipped proxy sends a path, as nginx decides."""
    text = (DEPLOY / "nginx-processes.conf").read_text()
    chosen = re.findall(r"location ~ (\S+) {\s+proxy_pass http://amends_(\w+);", text)
    assert len(chosen) == 4
    return next((name for regex, name in chosen if re.match(regex, path)), "intake")


def _paths(router: Any) -> Iterator[str]:
    """Give the paths of a router; FastAPI keeps an included one as it was."""
    for route in router.routes:
        if (included := getattr(route, "original_router", None)) is not None:
            assert not route.include_context.prefix
            yield from _paths(included)
        else:
            yield route.path


def test_the_proxy_sends_every_route_to_the_service_that_has_it(
    tmp_path: Path,
) -> None:
    async def prepare(_: Client) -> None:
        """Nothing is connected here."""

    folder = DataFolder(tmp_path)
    folder.make()
    site = Site(
        settings=Settings(data=tmp_path),
        folder=folder,
        bus=Bus("nats://127.0.0.1:9", None, None, [], [], prepare),
        policy=default_policy(),
        addresses=dict.fromkeys(SERVICES, "http://127.0.0.1:9"),
        token="t",  # noqa: S106 of nobody
    )

    async def paths_of(service: str) -> list[str]:
        services = await built(site, {service: site.bus.connection(service)})
        routers = [router for each in services for router in each.routers]
        for each in services:
            await each.stop()
        return [path for router in routers for path in _paths(router)]

    for service in SERVICES:
        paths = asyncio.run(paths_of(service))
        assert paths
        assert {path: _upstream(path) for path in paths} == dict.fromkeys(
            paths, service
        )
