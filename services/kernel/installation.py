"""What an installation tells of the machine it stands on: disk, backup, certificate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from cryptography import x509

from services.kernel import measures
from services.kernel.clock import system_clock
from services.kernel.telling import told

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from services.kernel.folder import DataFolder
    from services.kernel.measures import Sample
    from services.kernel.settings import Settings

BACKUP_MARK: Final = "last_backup.json"
"""Written by `amends backup` in the data folder: `{"at": RFC 3339}`."""


class Installation:
    """Figures that are of no one service; asked of each process alike."""

    def __init__(self, settings: Settings, folder: DataFolder) -> None:
        self._path = folder.path
        self._certificate = settings.certificate
        self._started = system_clock()

    async def figures(self) -> list[Sample]:
        """Tell what is known; what cannot be read is left out. Never raises."""

        async def look() -> Iterable[Sample]:
            return await asyncio.to_thread(self._look)

        return await told("installation", [look])

    def _look(self) -> list[Sample]:
        disk = shutil.disk_usage(self._path)
        found = [
            measures.STARTED.of(self._started.timestamp(), version("amends")),
            measures.DISK_FREE.of(disk.free),
            measures.DISK_SIZE.of(disk.total),
        ]
        backup = last_backup(self._path)
        if backup is not None:
            found.append(measures.BACKUP.of(backup.timestamp()))
        if self._certificate is not None:
            with contextlib.suppress(OSError, ValueError):  # `amends doctor` warns
                ends = certificate_end(self._certificate)
                found.append(measures.CERTIFICATE.of(ends.timestamp()))
        return found


def last_backup(data: Path) -> datetime | None:
    """Give when a backup last ended well; None where none did, or nobody can tell."""
    try:
        return datetime.fromisoformat(
            json.loads((data / BACKUP_MARK).read_bytes())["at"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def certificate_end(path: Path) -> datetime:
    """Give when the first certificate of a PEM file ends; raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
