"""One `amends up` for tests that only look; a fresh one for those that disturb it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.running import RunningAmends

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def amends(tmp_path: Path) -> Iterator[RunningAmends]:
    """Give an amends on an empty folder, not started yet; ended after the test."""
    running = RunningAmends(tmp_path / "data")
    yield running
    running.end()
