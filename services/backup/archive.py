"""A backup on disk: a folder or a tar file, its files with their digests in a manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from services.kernel.errors import MalformedError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
"""Number of the way a backup is laid out; a newer one is refused."""

_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a backup."""

    path: str
    size: int
    sha256: str


class Writer(Protocol):
    """What a backup is written to; without its manifest it is none."""

    path: Path
    members: list[Member]

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        """Give where to write this file of the backup."""

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest: only now is it a backup."""

    def discard(self) -> None:
        """Delete what was written of a backup that was not finished."""


def require_free(path: Path) -> None:
    """Raise RefusedError where something is at `path`, or none may look there."""
    with _usable(path):
        if path.suffix == ".tar":
            taken = path.exists()
        else:
            taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
    if taken:
        raise RefusedError(
            "backup.target_taken",
            f"{path} is there already: name a new folder or file.",
        )


def new_archive(path: Path) -> Writer:
    """Begin a backup at `path`: a tar file where it ends so, else a folder.

    Raises RefusedError where something is there already, or nothing can be written.
    """
    require_free(path)
    with _usable(path):
        return _Tar(path) if path.suffix == ".tar" else _Folder(path)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedError(
            "backup.target_unusable",
            f"{path} cannot be written ({error.strerror}): name a place that this"
            " account may write.",
        ) from error


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: list[Member] = []
        self._made = not path.exists()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        target = self.path / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield target
        target.chmod(0o600)
        self.members.append(_member(name, target))
        _synced(target)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        draft = self.path / f"{MANIFEST}.draft"
        draft.write_text(_written(manifest, self.members), encoding="utf-8")
        draft.chmod(0o600)
        _synced(draft)
        draft.replace(self.path / MANIFEST)
        for place, _, _ in os.walk(self.path):
            _synced(Path(place))

    def discard(self) -> None:
        for each in self.path.iterdir():
            remove(each)
        if self._made:
            self.path.rmdir()


class _Tar:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: list[Member] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._draft = path.with_name(f"{path.name}.draft")
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._out = os.fdopen(descriptor, "w+b")
        self._tar = tarfile.open(  # noqa: SIM115 closed by `finish`
            fileobj=self._out, mode="w", format=tarfile.PAX_FORMAT
        )

    @contextmanager
    def file(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(
            dir=self.path.parent, prefix=".amends-backup-"
        ) as place:
            target = Path(place) / "file"
            yield target
            self.members.append(_member(name, target))
            self._tar.add(target, name, filter=_plain)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        with tempfile.NamedTemporaryFile(dir=self.path.parent) as draft:
            draft.write(_written(manifest, self.members).encode())
            draft.flush()
            self._tar.add(draft.name, MANIFEST, filter=_plain)
        self._tar.close()
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        self._draft.replace(self.path)
        _synced(self.path.parent)

    def discard(self) -> None:
        with suppress(OSError):  # what was not written to a full disk yet
            self._out.close()
        self._draft.unlink(missing_ok=True)


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Tell nothing of the account that made the backup."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o600
    return info


def _written(manifest: Mapping[str, Any], members: list[Member]) -> str:
    files = [
        {"path": each.path, "bytes": each.size, "sha256": each.sha256}
        for each in members
    ]
    return json.dumps({"format": FORMAT, **manifest, "files": files}, indent=1) + "\n"


def _member(name: str, path: Path) -> Member:
    with path.open("rb") as file:
        digest, size = _digested(file, None)
    return Member(name, size, digest)


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digested(file: IO[bytes], out: IO[bytes] | None) -> tuple[str, int]:
    """Give digest and length of a file, copied to `out` on the way."""
    digest, size = hashlib.sha256(), 0
    while part := file.read(_CHUNK):
        digest.update(part)
        size += len(part)
        if out is not None:
            out.write(part)
    return digest.hexdigest(), size


class Archive:
    """A backup that was finished, opened for reading."""

    def __init__(self, path: Path) -> None:
        """Read the manifest. Raises NotFoundError, MalformedError, RefusedError."""
        self.path = path
        self._tar: tarfile.TarFile | None = None
        try:
            if path.is_file():
                self._tar = tarfile.open(path)  # noqa: SIM115 closed by `close`
            elif not path.is_dir():
                raise NotFoundError("backup.missing", f"There is no backup at {path}.")
        except (tarfile.TarError, OSError) as error:
            raise _no_backup(path) from error
        try:
            with self._open(MANIFEST) as file:
                self.manifest: dict[str, Any] = json.load(file)
            number = int(self.manifest["format"])
            self.members = {
                each["path"]: Member(each["path"], each["bytes"], each["sha256"])
                for each in self.manifest["files"]
            }
        except (OSError, KeyError, ValueError, TypeError, tarfile.TarError) as error:
            self.close()
            raise _no_backup(path) from error
        if number > FORMAT:
            self.close()
            raise RefusedError(
                "backup.format_newer",
                f"{path} has format {number}, this amends knows {FORMAT}: upgrade"
                " amends.",
            )
        if any(_leaves(name) for name in self.members):
            self.close()
            raise _no_backup(path)

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()

    def faults(self, progress: Callable[[str, int, int], None]) -> list[str]:
        """Compare every file with its digest; give what does not fit."""
        found = []
        total = sum(each.size for each in self.members.values())
        done = 0
        for member in self.members.values():
            try:
                with self._open(member.path) as file:
                    fits = _digested(file, None) == (member.sha256, member.size)
            except (OSError, KeyError, tarfile.TarError):
                found.append(f"{member.path} is missing or cannot be read")
                continue
            if not fits:
                found.append(f"{member.path} is not what was backed up")
            done += member.size
            progress("verify", done, total)
        return found

    def extract(self, name: str, target: Path) -> None:
        """Write one file to `target`. Raises MalformedError where its digest differs."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        member = self.members[name]
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out, self._open(name) as file:
            fits = _digested(file, out) == (member.sha256, member.size)
            out.flush()
            os.fsync(out.fileno())
        if not fits:
            raise damaged(self.path, [f"{name} is not what was backed up"])

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        if self._tar is None:
            with (self.path / name).open("rb") as file:
                yield file
            return
        member = self._tar.extractfile(name)
        if member is None:
            raise KeyError(name)
        with member:
            yield member


def _leaves(name: str) -> bool:
    """Whether a path leads out of the folder that it is put into."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts


def _no_backup(path: Path) -> MalformedError:
    return MalformedError(
        "backup.unreadable",
        f"{path} is no finished backup: its {MANIFEST} cannot be read.",
    )


def damaged(path: Path, faults: list[str]) -> MalformedError:
    """Say that a backup is not what was written."""
    shown = "; ".join(faults[:3]) + (", …" if faults[3:] else "")
    return MalformedError(
        "backup.damaged", f"{path} was damaged ({shown}): take another backup."
    )


def remove(path: Path) -> None:
    """Delete a folder with all in it, or a file, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
