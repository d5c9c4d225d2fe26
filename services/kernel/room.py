"""Says when there is so little room on a disk that nothing new should be taken in.

What was taken in needs some of it still: logs of databases, files, the broker.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final

from services.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAST: Final = 64 * 1024**2
LEAST_SHARE: Final = 0.01
"""Bytes and share of the disk that are kept free; the smaller of the two."""

_EVERY: Final = 1.0


class Room:
    """Looks at most once a second."""

    def __init__(
        self,
        path: Path,
        *,
        usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
        every: float = _EVERY,
    ) -> None:
        """`usage` gives bytes in all, used and free, as `shutil.disk_usage`."""
        self._path, self._usage, self._every = path, usage, every
        self._looked = -every
        self._enough = True

    def require(self) -> None:
        """Raise UnavailableError where nothing new should be taken in."""
        now = time.monotonic()
        if now - self._looked >= self._every:
            total, _, free = self._usage(self._path)
            self._looked = now
            self._enough = free >= min(LEAST, LEAST_SHARE * total)
        if not self._enough:
            raise UnavailableError(
                "service.no_room",
                "The disk here is nearly full: send the same again in a minute.",
                retry_after=60,
            )
