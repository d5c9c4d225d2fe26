"""The data folder: where everything of one installation lies, and who holds it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.kernel.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
"""Number of the folder's layout; a newer folder is refused."""


class DataFolder:
    """`<data>/<service>/…`, one folder a service, beside the broker's and the lock.

    Everything in it is for its owner's eyes (mode 0700).
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def make(self) -> None:
        """Create the folder where it is missing and check its format.

        Raises `RefusedError` for a folder that cannot be made or written, or that a
        newer amends wrote.
        """
        mark = self.path / "format"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not mark.exists():
                mark.write_text(f"{FORMAT}\n")
        except OSError as error:
            raise RefusedError(
                "folder.unusable",
                f"{self.path} cannot be used ({error.strerror}): name a folder that"
                " this account may write with AMENDS_DATA.",
            ) from error
        found = int(mark.read_text())
        if found > FORMAT:
            raise RefusedError(
                "folder.format_newer",
                f"{self.path} has format {found}, this amends knows {FORMAT}:"
                " upgrade amends, the data is untouched.",
            )

    def require(self) -> None:
        """Raise `NotFoundError` where nothing was ever stored here."""
        if not self.exists():
            raise NotFoundError(
                "folder.missing",
                f"There is no installation at {self.path}: start one with `amends up`,"
                " or set AMENDS_DATA to the folder of yours.",
            )

    def exists(self) -> bool:
        """Whether an installation was ever started here."""
        return (self.path / "format").exists()

    @contextmanager
    def held(self, part: str = "up") -> Iterator[None]:
        """Hold the folder (or one service's part of it) for this process alone.

        The system lets go of it when the process ends, however it ends. Raises
        `RefusedError` naming the process that holds it.
        """
        path = self.path / f"{part}.lock"
        with path.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise RefusedError(
                    "folder.held",
                    f"{self.path} is in use by process {lock.read().strip() or '?'}:"
                    " stop that one first, or choose another folder with AMENDS_DATA.",
                ) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def service(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def database_url(self, service: str, file: str, *, server: str | None) -> str:
        """Give the address of a database: a file here, or the server where one is set.

        On the server each (service, file) is a schema of its own.
        """
        if server is not None:
            return server
        return f"sqlite://{self.path / service / file}.sqlite"
