"""The files of one service as its settings say: where they lie, who looks through them."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel.tasks import end
from services.kernel.vault import Files, Uploads, open_objects
from services.kernel.vault.scanning import CommandScanner

if TYPE_CHECKING:
    from services.kernel.clock import Clock
    from services.kernel.folder import DataFolder
    from services.kernel.settings import Settings
    from services.kernel.store.database import Database
    from services.kernel.vault import Vault

OBJECTS: Final = "objects"
"""The folder of the pieces, in the service's own."""
EVERY: Final = 3600.0
"""Seconds between two sweeps."""

_log = structlog.get_logger(__name__)


class FileStore:
    """Files and uploads of a service, and the sweep that removes what nobody used."""

    def __init__(
        self,
        settings: Settings,
        folder: DataFolder,
        service: str,
        *,
        keys: Database,
        documents: Database,
        vault: Vault,
        now: Clock,
    ) -> None:
        place = folder.service(service) / OBJECTS
        objects = open_objects(settings.objects_url, place, service)
        scan = settings.file_scan
        self.files = Files(keys, documents, objects, vault)
        self.uploads = Uploads(
            keys,
            documents,
            objects,
            limit=settings.file_bytes,
            now=now,
            scanner=CommandScanner(scan) if scan else None,
            kept=dt.timedelta(hours=settings.upload_hours),
        )
        self._alone = settings.database_url is None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Let senders go on that a crash cut off, and begin to sweep."""
        if self._alone:
            await asyncio.to_thread(self.uploads.release_all)
        self._task = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        if self._task is not None:
            await end(self._task)

    async def _sweep(self) -> None:
        while True:
            try:
                removed = await asyncio.to_thread(self.uploads.sweep)
            except Exception:  # noqa: BLE001 the next one may succeed
                _log.warning("files.sweep_failed", exc_info=True)
            else:
                if removed:
                    _log.info("files.swept", uploads=removed)
            await asyncio.sleep(EVERY)
