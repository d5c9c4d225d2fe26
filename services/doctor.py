"""Looks at everything an installation stands on, changes nothing, and says what to do."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import httpx
import nats.errors

from events import codec
from events.subjects import Stream
from services.bus import CONSUMERS, Feed, seed_of, streams
from services.handling.main import default_policy
from services.kernel.access import read_runtime
from services.kernel.broker.provision import provision
from services.kernel.clock import from_micros, system_clock
from services.kernel.errors import AmendsError
from services.kernel.folder import DataFolder
from services.kernel.installation import certificate_end
from services.kernel.relay import MismatchError, Relay
from services.kernel.settings import SettingsError, load_settings
from services.kernel.sighting import CERTIFICATE
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database
from services.kernel.vault import open_objects
from services.provisioning import connected

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from services.kernel.settings import Settings

_OLDEST_PYTHON: Final = (3, 11)
_LITTLE: Final = 1024**3
_TOO_LITTLE: Final = 100 * 1024**2
_APART: Final = 5.0
"""Seconds that two clocks may differ."""
_BEHIND: Final = 1_000
"""Events that a relay may be behind before that is worth a word."""

_DATABASES: Final = (
    ("access", "store"),
    ("intake", "store"),
    ("intake", "keys"),
    ("handling", "store"),
    ("handling", "keys"),
    ("analytics", "facts"),
)
_RELAYED: Final = (
    ("intake", Stream.INTAKE),
    ("handling", Stream.CASES),
    ("handling", Stream.DEPARTMENTS),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line; only what is not ok has a remedy, and a fault is not to be left."""

    check: str
    status: Literal["ok", "warning", "fault"]
    detail: str
    remedy: str = ""


class _Broker(NamedTuple):
    url: str
    seed: str | None
    monitor_url: str | None


async def examined() -> list[Finding]:
    """Look at everything that can be looked at, in the order in which it is needed."""
    found = [_python()]
    try:
        settings = load_settings()
    except SettingsError as error:
        return found + [
            Finding("settings", "fault", f"{each.field}: {each.message}", each.remedy)
            for each in error.errors
        ]
    found.append(Finding("settings", "ok", "every setting can be used"))
    if settings.certificate is not None:
        found.append(_certificate(settings.certificate))
    folder = DataFolder(settings.data)
    if not folder.exists():
        remedy = "start `amends up` once, or name the folder with AMENDS_DATA"
        return [*found, Finding("folder", "fault", f"{folder.path}: none", remedy)]
    found += [_folder(folder), _disk(folder), *_databases(settings, folder)]
    if settings.objects_url is not None:
        found.append(_bucket(settings.objects_url, folder))
    broker = _broker(settings, folder)
    if broker is None:
        return [*found, Finding("broker", "ok", "not running: `amends up` starts it")]
    return found + await _bus(settings, folder, broker)


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("python", "fault", version, "install Python 3.11 or newer")
    return Finding("python", "ok", version)


def _certificate(path: Path) -> Finding:
    """See that it can be read; it is only watched, so nothing depends on it."""
    try:
        ends = certificate_end(path)
    except (OSError, ValueError):
        remedy = "name a PEM file that amends may read with AMENDS_CERTIFICATE"
        return Finding("certificate", "warning", f"{path}: cannot be read", remedy)
    detail = f"ends on {ends:%Y-%m-%d}"
    if (ends - system_clock()).total_seconds() < CERTIFICATE:
        return Finding("certificate", "warning", detail, "renew it")
    return Finding("certificate", "ok", detail)


def _folder(folder: DataFolder) -> Finding:
    try:
        number = folder.known_format()
        rights = folder.path.stat().st_mode & 0o777
        if rights & 0o077:
            remedy = f"chmod 700 {folder.path}: secrets lie there"
            return Finding("folder", "fault", f"mode {rights:o}", remedy)
    except AmendsError as error:
        return Finding("folder", "fault", error.code, error.detail)
    except (OSError, ValueError) as error:
        remedy = "give this account the right to read and write the folder"
        return Finding("folder", "fault", f"{folder.path}: {error}", remedy)
    copy = ", a copy to try things on: nothing is sent" if folder.staging else ""
    return Finding("folder", "ok", f"{folder.path}, format {number}{copy}")


def _disk(folder: DataFolder) -> Finding:
    free = shutil.disk_usage(folder.path).free
    detail = f"{free / _LITTLE:.1f} GiB free"
    remedy = "make room: a full disk stops receipts"
    if free < _TOO_LITTLE:
        return Finding("disk", "fault", detail, remedy)
    if free < _LITTLE:
        return Finding("disk", "warning", detail, remedy)
    return Finding("disk", "ok", detail)


def _bucket(url: str, folder: DataFolder) -> Finding:
    try:
        next(iter(open_objects(url, folder.path, "intake").files()), None)
    except AmendsError as error:
        told = str(error.__cause__ or error.detail).partition("\n")[0]
        remedy = (
            "see AMENDS_OBJECTS_URL, the variables AWS_… and that the bucket is there"
        )
        return Finding("bucket", "fault", told, remedy)
    return Finding("bucket", "ok", f"{url} can be read")


def _databases(settings: Settings, folder: DataFolder) -> list[Finding]:
    """Open each database, and ask the stores whether the clock was ever ahead."""
    found = []
    for service, file in _DATABASES:
        check = f"database {service}/{file}"
        path = folder.path / service / f"{file}.sqlite"
        if settings.database_url is None and not path.exists():
            remedy = "it is made when the service first starts"
            found.append(Finding(check, "warning", "not there yet", remedy))
            continue
        try:
            found.append(_database(settings, folder, service, file))
        except Exception as error:  # noqa: BLE001 whatever it is, that is the finding
            remedy = "see that the server runs and this account may read it"
            told = error.detail if isinstance(error, AmendsError) else remedy
            found.append(Finding(check, "fault", type(error).__name__, told))
    return found


def _database(
    settings: Settings, folder: DataFolder, service: str, file: str
) -> Finding:
    check = f"database {service}/{file}"
    with closing(
        open_database(
            folder.database_url(service, file, server=settings.database_url),
            schema=service if file != "keys" else f"{service}_keys",
            read_only=True,
        )
    ) as database:
        if file != "store":
            listed = "sqlite_master" if database.dialect == "sqlite" else "pg_tables"
            with database.read() as tx:
                tx.fetchone(f"SELECT COUNT(*) FROM {listed}")  # noqa: S608 our words
            return Finding(check, "ok", "can be read")
        store = open_store(database, name=service, codec=codec, now=system_clock)
        last = store.last_position()
        for entry in store.log(last - 1, 1) if last else []:
            ahead = (from_micros(entry.committed_at) - system_clock()).total_seconds()
            if ahead > _APART:
                return Finding(
                    check,
                    "fault",
                    f"its last event was committed {ahead:.0f} s from now",
                    "set this machine's clock: it is behind, or was ahead",
                )
        return Finding(check, "ok", f"{last} events")


def _broker(settings: Settings, folder: DataFolder) -> _Broker | None:
    """Find the broker that is set, or the one that `amends up` runs now."""
    if settings.nats_url is not None:
        return _Broker(settings.nats_url, seed_of(settings), settings.nats_monitor_url)
    runtime = read_runtime(folder.path)
    own = folder.path / "nats"
    try:
        monitor = json.loads((own / "ports.json").read_bytes())["monitor"]
        seed = (own / "services.nk").read_text().strip()
    except (OSError, ValueError, KeyError):
        return None
    if runtime is None:
        return None
    return _Broker(runtime.nats_url, seed, f"http://127.0.0.1:{monitor}")


async def _bus(
    settings: Settings, folder: DataFolder, broker: _Broker
) -> list[Finding]:
    found = []
    try:
        async with connected(broker.url, broker.seed) as client:
            found.append(Finding("broker", "ok", "reached"))
            found += await _provisioned(settings, client, broker)
            for service, stream in _RELAYED:
                found.append(await _relay(settings, folder, client, service, stream))
    except AmendsError as error:
        found.append(Finding("broker", "fault", error.code, error.detail))
    found.append(await _clock(broker))
    return found


async def _provisioned(
    settings: Settings, client: Client, broker: _Broker
) -> list[Finding]:
    feeds = [Feed(code, "") for code in default_policy().departments]
    try:
        report = await provision(
            client.jetstream(),
            streams(settings),
            (*CONSUMERS, *(feed.consumer for feed in feeds)),
            monitor_url=broker.monitor_url,
            dry_run=True,
        )
    except (nats.errors.Error, TimeoutError) as error:
        remedy = "see that the server has JetStream for the account of the services"
        return [Finding("streams", "fault", str(error) or "no answer", remedy)]
    sync = Finding("sync_interval", "ok", report.sync_interval)
    if report.durable is None:
        remedy = "name the server's monitoring address with AMENDS_NATS_MONITOR_URL"
        sync = Finding("sync_interval", "warning", report.sync_interval, remedy)
    elif not report.durable:
        remedy = "set `sync_interval: always` in the server's configuration"
        sync = Finding("sync_interval", "fault", report.sync_interval, remedy)
    differing = [
        Finding(
            f"{change.kind} {change.name}",
            "fault",
            "missing" if change.done == "created" else ", ".join(change.fields),
            "run `amends provision`",
        )
        for change in report.changes
        if change.done != "unchanged"
    ]
    whole = Finding("streams", "ok", f"{len(report.changes)} as they should be")
    return [sync, *(differing or [whole])]


async def _relay(
    settings: Settings, folder: DataFolder, client: Client, service: str, stream: Stream
) -> Finding:
    """Compare where a stream ends with the log that is relayed to it."""
    check = f"relay {stream}"
    try:
        with closing(
            open_database(
                folder.database_url(service, "store", server=settings.database_url),
                schema=service,
                read_only=True,
            )
        ) as database:
            store = open_store(database, name=service, codec=codec, now=system_clock)
            relay = Relay(client, log=store, stream=stream, outgoing=lambda _: [])
            reached, last = await relay.located(), store.last_position()
    except MismatchError as error:
        return Finding(check, "fault", "another history", str(error))
    except Exception as error:  # noqa: BLE001 the database's or the broker's line says more
        remedy = "mend what is said above first"
        return Finding(check, "fault", type(error).__name__, remedy)
    detail = f"at {reached} of {last}"
    if last - reached > _BEHIND:
        remedy = "see /health/ready, and that the service runs"
        return Finding(check, "warning", detail, remedy)
    return Finding(check, "ok", detail)


async def _clock(broker: _Broker) -> Finding:
    """Compare this machine's clock with the broker's."""
    if broker.monitor_url is None:
        remedy = "name the server's monitoring address with AMENDS_NATS_MONITOR_URL"
        return Finding("clock", "warning", "not compared", remedy)
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            told = (await http.get(f"{broker.monitor_url.rstrip('/')}/varz")).json()
        apart = abs(
            (datetime.fromisoformat(told["now"]) - system_clock()).total_seconds()
        )
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        remedy = "see that AMENDS_NATS_MONITOR_URL answers"
        return Finding("clock", "warning", "not compared", remedy)
    detail = f"{apart:.1f} s apart from the broker's"
    if apart > _APART:
        return Finding("clock", "fault", detail, "let NTP set the clocks of both")
    return Finding("clock", "ok", detail)
