"""Where the pieces of files lie: sealed bytes under generated names, nothing else.

No name of an object comes from outside: a file's id is ours, a piece is a number.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from services.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Objects(Protocol):
    """A store of objects. Every method may raise OSError, or UnavailableError."""

    def put(self, file_id: UUID, piece: int, content: bytes) -> None:
        """Keep a piece, durably when this returns; one that is there is replaced."""

    def get(self, file_id: UUID, piece: int) -> bytes:
        """Give a piece. Raises NotFoundError where there is none."""

    def remove(self, file_id: UUID) -> None:
        """Remove every piece of a file; a file without pieces, too."""

    def files(self) -> Iterator[tuple[UUID, datetime]]:
        """List the files that have pieces, and when each got its last one."""

    def room(self) -> int:
        """Say how many bytes may still be kept."""


class FolderObjects:
    """Objects as files of a folder: `<folder>/ab/<id of the file>/<number>`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, file_id: UUID, piece: int, content: bytes) -> None:
        place = self._place(file_id)
        if not place.is_dir():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)
            _sync(place.parent)
            _sync(self._folder)
        draft = place / f".{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place / str(piece))
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sync(place)

    def get(self, file_id: UUID, piece: int) -> bytes:
        try:
            return (self._place(file_id) / str(piece)).read_bytes()
        except FileNotFoundError:
            raise NotFoundError(
                "vault.no_piece",
                "A piece of this file is missing: restore objects/ from the backup.",
            ) from None

    def remove(self, file_id: UUID) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._place(file_id))

    def files(self) -> Iterator[tuple[UUID, datetime]]:
        for shelf in sorted(self._folder.iterdir()):
            for place in sorted(shelf.iterdir()) if shelf.is_dir() else ():
                with contextlib.suppress(ValueError, FileNotFoundError):
                    changed = datetime.fromtimestamp(place.stat().st_mtime, UTC)
                    yield UUID(hex=place.name), changed

    def room(self) -> int:
        return shutil.disk_usage(self._folder).free

    def _place(self, file_id: UUID) -> Path:
        return self._folder / file_id.hex[:2] / file_id.hex


def open_objects(url: str | None, folder: Path, service: str) -> Objects:
    """Open the bucket of that address, or without one the folder of this service."""
    if url is None:
        return FolderObjects(folder)
    from services.kernel.vault.s3 import BucketObjects  # noqa: PLC0415 an extra

    return BucketObjects(url, service)


def _sync(folder: Path) -> None:
    """Have the names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
