"""A file whose upload was cut off by a crash arrives whole, and lies sealed."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.support.running import RunningAmends

pytestmark = pytest.mark.e2e

TUS = {"Tus-Resumable": "1.0.0"}
CONTENT = os.urandom(1_500_000)
CUT = 700_001


def sent(amends: RunningAmends, address: str, offset: int, content: object) -> int:
    answer = httpx.patch(
        f"{amends.url}{address}",
        content=content,
        headers={
            **TUS,
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        },
        timeout=60,
    )
    assert answer.status_code == 204, answer.text
    return int(answer.headers["upload-offset"])


def test_a_file_survives_a_crash_in_the_middle(tmp_path: Path) -> None:
    amends = RunningAmends(tmp_path / "data", forked=True)

    def cut_off() -> Iterator[bytes]:
        """Send a part, and have amends killed before the rest comes."""
        yield CONTENT[:CUT]
        amends.until(lambda: offset() >= 512 * 1024, "a piece is kept")
        amends.kill()
        yield CONTENT[CUT:]

    def offset() -> int:
        told = httpx.head(f"{amends.url}{address}", headers=TUS)
        return int(told.headers["upload-offset"])

    try:
        amends.start()
        made = httpx.post(
            f"{amends.url}/api/intake/uploads",
            headers={**TUS, "Upload-Length": str(len(CONTENT))},
        )
        address = made.headers["location"]
        with pytest.raises(httpx.TransportError):
            sent(amends, address, 0, cut_off())
        amends.start()
        kept = offset()
        assert 0 < kept <= CUT
        assert sent(amends, address, kept, CONTENT[kept:]) == len(CONTENT)
        receipt = httpx.post(
            f"{amends.url}/api/intake/complaints",
            json={
                "statement": "It leaks.",
                "contact": {"email": "ada@example.org"},
                "attachments": [{"upload": address.rpartition("/")[2]}],
            },
            headers={"Idempotency-Key": str(UUID(int=1))},
            timeout=30,
        )
        assert receipt.status_code == 201, receipt.text
        told = httpx.head(f"{amends.url}{address}", headers=TUS)
        assert told.status_code == 404  # used
        (folder,) = (tmp_path / "data/intake/objects").glob("*/*")
        assert len(list(folder.iterdir())) == 3
        marks = (CONTENT[:64], CONTENT[-64:])
        for path in (tmp_path / "data").rglob("*"):
            if path.is_file():
                found = path.read_bytes()
                assert not any(mark in found for mark in marks), path
    finally:
        amends.end()
