"""The data folder: where everything of one installation lies, and who holds it."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.private import kept_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT = 1
"""Number of the folder's layout; a newer folder is refused."""

DEMONSTRATION = "demonstration.json"
"""Marks a folder in which nothing is real; it stays one as long as it is there."""

STAGING = "staging.json"
"""Marks a copy to try things on: it sends nothing, and says so."""

RESTORING = "restoring"
"""Where a restore prepares; whatever it was about to replace may be half of each."""


MOVED = "moved.json"
"""Tells of a server that has what the database files here had."""


class DataFolder:
    """`<data>/<service>/…`, one folder a service, beside the broker's and the lock.

    Everything in it is for its owner's eyes (mode 0700).
    """

    def __init__(self, path: Path, *, draft: bool = False) -> None:
        """Take `path` as a data folder; a `draft` is thrown away unless it is finished."""
        self._draft = draft
        self.path = path.absolute()
        self._mark = self.path / "format"

    def make(self) -> None:
        """Create the folder where it is missing and check its format.

        Raises `RefusedError` for a folder that cannot be made or written, that holds
        anything else, or that a newer amends wrote.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.exists():
                self._take()
            kept_private(self._mark, lambda: str(FORMAT))
        except OSError as error:
            raise RefusedError(
                "folder.unusable",
                f"{self.path} cannot be used ({error.strerror}): name a folder that"
                " this account may write with AMENDS_DATA.",
            ) from error
        self.known_format()

    def require_whole(self) -> None:
        """Raise `RefusedError` where a restore was cut short."""
        if (self.path / RESTORING).exists():
            raise RefusedError(
                "folder.restore_cut_short",
                f"A restore into {self.path} was cut short: run the same"
                " `amends restore` again.",
            )

    def _take(self) -> None:
        """Make a folder that was there already, and empty, ours alone."""
        others = sorted(
            each.name for each in self.path.iterdir() if not _nobodys(each.name)
        )
        if others:
            raise RefusedError(
                "folder.not_empty",
                f"{self.path} holds something else ({others[0]}, …) and no installation:"
                " name an empty or a new folder with AMENDS_DATA.",
            )
        self.path.chmod(0o700)

    def known_format(self) -> int:
        """Give the number of its layout. Raises `RefusedError` for a newer one."""
        found = int(self._mark.read_text())
        if found > FORMAT:
            raise RefusedError(
                "folder.format_newer",
                f"{self.path} has format {found}, this amends knows {FORMAT}:"
                " upgrade amends, the data is untouched.",
            )
        return found

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
        return self._mark.exists()

    @property
    def demonstration(self) -> bool:
        """Whether everything here is made up (design.md 1.9)."""
        return (self.path / DEMONSTRATION).exists()

    @property
    def staging(self) -> bool:
        """Whether this is a copy to try things on, which sends nothing."""
        return (self.path / STAGING).exists()

    def leave(self, host: str, database: str) -> None:
        """Note that everything is on a server now: the files here are used no more."""
        told = json.dumps({"host": host, "database": database})
        kept_private(self.path / MOVED, lambda: told)

    def require_files(self) -> None:
        """Raise `RefusedError` where the database files here were left behind."""
        if (mark := self.path / MOVED).exists():
            told = json.loads(mark.read_text())
            raise RefusedError(
                "folder.moved",
                f"What was in {self.path} is in the PostgreSQL database"
                f" {told['database']} at {told['host']}: set AMENDS_DATABASE_URL.",
            )

    def require_own(
        self, *servers: str | None, demonstration: bool | None = None
    ) -> None:
        """Raise `RefusedError` where a demonstration would share a server.

        What is made up never lies beside what is real, and is told to no one.
        `demonstration` tells of a folder that is to become one.
        """
        if (demonstration or self.demonstration) and any(servers):
            raise RefusedError(
                "demo.own_servers",
                f"{self.path} holds a demonstration, which keeps to itself: unset"
                " AMENDS_DATABASE_URL and AMENDS_NATS_URL, or name the folder of a"
                " real installation with AMENDS_DATA.",
            )

    def require_own_broker(self, nats_url: str | None) -> None:
        """Raise `RefusedError` where a copy to try things on would share a broker."""
        if self.staging and nats_url is not None:
            raise RefusedError(
                "staging.own_broker",
                f"{self.path} holds a copy to try things on, which keeps to a broker of"
                " its own: unset AMENDS_NATS_URL.",
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the whole folder for this process alone.

        The system lets go of it when the process ends, however it ends. Raises
        `RefusedError` naming the processes that hold it, or a part of it.
        """
        with self._locked("up", fcntl.LOCK_EX):
            yield

    @contextmanager
    def held_for(self, service: str, *, alone: bool) -> Iterator[None]:
        """Hold one service's part, beside the processes of the other services.

        `alone` lets no second process of this service in. Raises as `held` does.
        """
        own = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        with self._locked("up", fcntl.LOCK_SH), self._locked(service, own):
            yield

    @contextmanager
    def one_at_a_time(self, part: str) -> Iterator[None]:
        """Wait until no other process is in such a block of this part."""
        with (self.path / f"{part}.lock").open("a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _locked(self, part: str, how: int) -> Iterator[None]:
        path = self.path / f"{part}.lock"
        with path.open("a+") as lock:
            lock.seek(0)
            holders = [pid for pid in lock.read().split() if _lives(pid)]
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError(
                    "folder.held",
                    f"{self.path} is in use by process {', '.join(holders) or '?'}:"
                    " stop that one first, or choose another folder with AMENDS_DATA.",
                ) from None
            if how == fcntl.LOCK_EX:
                holders = []
            lock.truncate(0)
            lock.write("".join(f"{pid}\n" for pid in [*holders, os.getpid()]))
            lock.flush()
            yield

    def service(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def database_url(self, service: str, file: str, *, server: str | None) -> str:
        """Give the address of a database: a file here, or the server where one is set.

        On the server each (service, file) is a schema of its own. Raises
        `RefusedError` for the files of an installation that was moved to a server.
        """
        if server is not None:
            return server
        self.require_files()
        scheme = "sqlite-draft" if self._draft else "sqlite"
        return f"{scheme}://{self.path / service / file}.sqlite"


def _nobodys(name: str) -> bool:
    """Tell what the system leaves in empty folders, and our mark while it is made."""
    return name == "lost+found" or name.startswith((".", "format."))


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
