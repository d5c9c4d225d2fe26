"""Small files: whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from services.kernel.private import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_whole_and_may_be_read_by_others(tmp_path: Path) -> None:
    """nats-server, which may run as somebody else, reads who may come in."""
    path = tmp_path / "accounts.conf"
    for text in ("old\n", "new\n"):
        write_whole(path, text)
        assert path.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["accounts.conf"]
    assert path.stat().st_mode & 0o400


def test_what_cannot_be_made_durable_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after a mere write would leave an empty file, and nobody could come in."""
    path = tmp_path / "accounts.conf"
    write_whole(path, "old\n")

    def fails(_: int) -> None:
        raise OSError("no power")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="no power"):
        write_whole(path, "new\n")
    assert path.read_text() == "old\n"
