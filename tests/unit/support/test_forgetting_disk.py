"""The disk that forgets: what a cut leaves of what was written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.faults.forgetting import Forgetting

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path) -> Forgetting:
    for name in ("now", "kept"):
        (tmp_path / name).mkdir()
    return Forgetting(str(tmp_path / "now"), str(tmp_path / "kept"))


def test_a_write_is_kept_once_it_is_flushed(disk: Forgetting, tmp_path: Path) -> None:
    handle = disk.create("/a", 0o600)
    disk.write("/a", b"one ", 0, handle)
    assert (tmp_path / "kept/a").read_bytes() == b""
    disk.fsync("/a", 0, handle)
    disk.write("/a", b"two", 4, handle)
    assert disk.read("/a", 100, 0, handle) == b"one two"
    assert (tmp_path / "kept/a").read_bytes() == b"one "
    disk.release("/a", handle)
    assert (tmp_path / "kept/a").read_bytes() == b"one "


def test_another_handle_flushes_what_one_wrote(
    disk: Forgetting, tmp_path: Path
) -> None:
    writing, flushing = disk.create("/a", 0o600), disk.open("/a", os.O_RDONLY)
    disk.write("/a", b"one", 0, writing)
    disk.fsync("/a", 0, flushing)
    assert (tmp_path / "kept/a").read_bytes() == b"one"


def test_a_synchronous_write_is_kept_at_once(disk: Forgetting, tmp_path: Path) -> None:
    """nats-server writes what it knows of its streams so."""
    handle = disk.create("/a", 0o600, os.O_SYNC)
    disk.write("/a", b"one", 0, handle)
    assert (tmp_path / "kept/a").read_bytes() == b"one"


def test_a_renamed_file_has_its_name_at_once_and_its_content_when_flushed(
    disk: Forgetting, tmp_path: Path
) -> None:
    handle = disk.create("/draft", 0o600)
    disk.write("/draft", b"one", 0, handle)
    disk.rename("/draft", "/final")
    assert (tmp_path / "kept/final").read_bytes() == b""
    disk.fsync("/final", 0, handle)
    assert (tmp_path / "kept/final").read_bytes() == b"one"


def test_a_file_is_as_long_as_when_it_was_flushed(
    disk: Forgetting, tmp_path: Path
) -> None:
    handle = disk.create("/a", 0o600)
    disk.write("/a", b"one two", 0, handle)
    disk.fsync("/a", 0, handle)
    disk.truncate("/a", 3)
    assert (tmp_path / "kept/a").read_bytes() == b"one two"
    disk.fsync("/a", 0, handle)
    assert (tmp_path / "kept/a").read_bytes() == b"one"
