"""A certificate that cannot be read is a warning, and takes nothing else away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.doctor import examined
from services.kernel import measures
from services.kernel.folder import DataFolder
from services.kernel.installation import Installation
from services.kernel.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_certificate_that_cannot_be_read_is_a_warning_alone(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "nope.pem"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv("AMENDS_CERTIFICATE", str(path))
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "data"))
    settings = load_settings()
    folder = DataFolder(settings.data)
    folder.make()

    async def look() -> None:
        (warned,) = [each for each in await examined() if each.check == "certificate"]
        assert warned.status == "warning"
        assert "AMENDS_CERTIFICATE" in warned.remedy
        figures = [
            sample.measure for sample in await Installation(settings, folder).figures()
        ]
        assert measures.DISK_FREE in figures
        assert measures.CERTIFICATE not in figures

    asyncio.run(look())
