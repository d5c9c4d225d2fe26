"""The doctor finds nothing where all is well, and each fault with what to do about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.building import SERVICES, Site, built
from services.bus import Bus
from services.doctor import Finding, examined
from services.handling.main import default_policy
from services.kernel.folder import DataFolder
from services.kernel.settings import load_settings
from services.provisioning import provided
from tests.support.nats import client_of

if TYPE_CHECKING:
    from pathlib import Path

    from nats.aio.client import Client

    from services.kernel.broker.server import NatsServer

pytestmark = pytest.mark.connected


@pytest.fixture
def folder(
    own_nats: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> DataFolder:
    """Give the folder that the settings name; the broker is theirs as well."""
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AMENDS_NATS_URL", own_nats.url)
    monkeypatch.setenv("AMENDS_NATS_MONITOR_URL", own_nats.monitor_url)
    monkeypatch.setenv("AMENDS_NATS_CREDENTIALS", str(own_nats.seed_file))
    monkeypatch.setenv("AMENDS_STREAM_BYTES", "64MiB")
    return DataFolder(tmp_path / "data")


async def install(folder: DataFolder) -> None:
    """Make everything that the services make when they first start."""
    settings = load_settings()
    await provided(settings, folder, default_policy().departments)

    async def prepare(_: Client) -> None:
        """Nothing is connected here."""

    site = Site(
        settings=settings,
        folder=folder,
        bus=Bus(settings.nats_url or "", None, None, [], [], prepare),
        policy=default_policy(),
        addresses=dict.fromkeys(SERVICES, "http://127.0.0.1:9"),
        token="t",  # noqa: S106 of nobody
    )
    services = await built(site, {name: site.bus.connection(name) for name in SERVICES})
    for service in services:
        await service.stop()


def unwell(found: list[Finding]) -> dict[str, str]:
    return {each.check: each.remedy for each in found if each.status != "ok"}


def test_nothing_is_found_where_all_is_well_and_every_fault_with_its_remedy(
    folder: DataFolder, own_nats: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        (missing,) = unwell(await examined()).items()
        assert missing[0] == "folder"
        assert "amends up" in missing[1]
        assert not folder.path.exists()  # looking makes nothing

        await install(folder)
        found = await examined()
        assert unwell(found) == {}
        assert {"python", "disk", "sync_interval", "streams", "clock"} <= {
            each.check for each in found
        }

        async with client_of(own_nats) as client:
            js = client.jetstream()
            await js.delete_consumer("CASES", "analytics")
            await js.publish(
                "amends.case.0.ComplaintReceived",
                b"{}",
                headers={"Nats-Msg-Id": "handling.0000000000000000:1"},
            )
        folder.path.chmod(0o755)
        for _ in range(2):  # it mends nothing by itself
            faults = unwell(await examined())
            assert set(faults) == {"folder", "consumer analytics", "relay CASES"}
            assert "chmod 700" in faults["folder"]
            assert faults["consumer analytics"] == "run `amends provision`"
            assert "reconcile" in faults["relay CASES"]
        folder.path.chmod(0o700)

        (folder.path / "analytics" / "facts.sqlite").write_bytes(b"no database" * 99)
        assert "database analytics/facts" in unwell(await examined())
        monkeypatch.setenv("AMENDS_OBJECTS_URL", "s3://complaints")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert "AMENDS_OBJECTS_URL" in unwell(await examined())["bucket"]
        own_nats.stop()
        assert {"broker", "clock"} <= set(unwell(await examined()))

    asyncio.run(main())


def test_every_fault_of_the_settings_is_a_line(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENDS_PORT", "no")
    monkeypatch.setenv("AMENDS_TIME_ZONE", "Nowhere")
    found = asyncio.run(examined())
    assert [each.check for each in found if each.status == "fault"] == ["settings"] * 2
    assert not folder.path.exists()
