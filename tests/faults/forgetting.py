"""A disk that forgets at a power cut whatever nobody had made durable.

`python -m tests.faults.forgetting NOW KEPT MOUNT` serves a folder with FUSE. All goes to
NOW at once; only `fsync` and writes to files opened with O_SYNC bring it to KEPT, which
is what a cut leaves. Making, renaming and removing files is durable at once, and a write
is never torn: real disks may do worse.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICE: Final = Path("/dev/fuse")
PATIENCE: Final = 20.0
_AT_ONCE: Final = 1 << 20
_SYNCED: Final = os.O_SYNC | os.O_DSYNC
_STATED: Final = (
    *("st_mode", "st_nlink", "st_size"),
    *("st_uid", "st_gid", "st_blocks"),
)
_TIMES: Final = ("st_atime", "st_mtime", "st_ctime")


def absent() -> str | None:
    """Say what is missing for such a disk, in one word; None where it can be made."""
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return "no-dev-fuse"
    if not any(map(ctypes.util.find_library, ("fuse", "fuse3"))):
        return "no-libfuse"
    if not (shutil.which("fusermount") or shutil.which("fusermount3")):
        return "no-fusermount"
    try:
        import mfusepy  # type: ignore[import-untyped]  # noqa: F401, PLC0415 it wants libfuse
    except ImportError:
        return "no-mfusepy"
    return None


class Disk:
    """Such a disk below a folder: `path` is where it can be used."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "disk"
        self._now, self._kept = folder / "now", folder / "kept"
        for each in (self.path, self._now, self._kept):
            each.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def mount(self) -> None:
        program = (sys.executable, "-m", "tests.faults.forgetting")
        self._process = subprocess.Popen(
            [*program, self._now, self._kept, self.path],
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
        )
        ends = time.monotonic() + PATIENCE
        while not os.path.ismount(self.path):
            if self._process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("the disk that forgets does not come up")
            time.sleep(0.05)

    def settle(self) -> None:
        """Make the files of its root durable, as a kernel does of itself in a while."""
        for each in self.path.iterdir():
            if each.is_file():
                handle = os.open(each, os.O_RDONLY)
                os.fsync(handle)
                os.close(handle)

    def cut(self) -> None:
        """Take the power away: from now on nothing can be read or written."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def come_back(self) -> None:
        """Give what was durable; whoever used the disk must have ended."""
        self._unmount()
        shutil.rmtree(self._now)
        shutil.copytree(self._kept, self._now, symlinks=True)
        self.mount()

    def end(self) -> None:
        if self._process is not None:
            self.cut()
        self._unmount()

    def _unmount(self) -> None:
        program = shutil.which("fusermount") or shutil.which("fusermount3") or ""
        subprocess.run([program, "-uz", self.path], check=False, capture_output=True)


class Forgetting:
    """The operations; paths begin with `/`, handles are descriptors of NOW's files."""

    def __init__(self, now: str, kept: str) -> None:
        self._now, self._kept = now, kept
        self._unkept: dict[int, list[tuple[int, int]]] = {}
        self._synced: set[int] = set()

    # ------------------------------------------------------------- what may be forgotten

    def create(self, path: str, mode: int, flags: int | None = None) -> int:
        for root in (self._kept, self._now):
            os.close(os.open(root + path, os.O_CREAT | os.O_WRONLY, mode))
        return self.open(path, os.O_RDWR | ((flags or 0) & _SYNCED))

    def open(self, path: str, flags: int) -> int:
        # Its own reading and writing is by place: appending is the kernel's business.
        handle = os.open(self._now + path, flags & ~(os.O_APPEND | _SYNCED))
        if flags & _SYNCED:
            self._synced.add(handle)
        if flags & os.O_TRUNC:
            self._unkept.setdefault(os.fstat(handle).st_ino, [])
        return handle

    def read(self, _path: str, size: int, offset: int, handle: int) -> bytes:
        return os.pread(handle, size, offset)

    def write(self, path: str, data: bytes, offset: int, handle: int) -> int:
        written = os.pwrite(handle, data, offset)
        stretch = offset, offset + written
        self._unkept.setdefault(os.fstat(handle).st_ino, []).append(stretch)
        if handle in self._synced:
            self.fsync(path, 0, handle)
        return written

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        os.truncate(self._now + path if handle is None else handle, length)
        self._unkept.setdefault(os.stat(self._now + path).st_ino, [])

    def fsync(self, path: str, _datasync: int, handle: int) -> None:
        told = os.fstat(handle)
        stretches = self._unkept.pop(told.st_ino, None)
        if stretches is None:
            return
        source = os.open(self._now + path, os.O_RDONLY)
        target = os.open(self._kept + path, os.O_WRONLY)
        try:
            os.ftruncate(target, told.st_size)
            for start, end in stretches:
                for at in range(start, min(end, told.st_size), _AT_ONCE):
                    part = os.pread(source, min(_AT_ONCE, end - at), at)
                    os.pwrite(target, part, at)
        finally:
            os.close(source)
            os.close(target)

    def release(self, _path: str, handle: int) -> None:
        self._synced.discard(handle)
        os.close(handle)

    # ------------------------------------------------------------ what is durable at once

    def mkdir(self, path: str, mode: int) -> None:
        for root in (self._kept, self._now):
            os.mkdir(root + path, mode)

    def rmdir(self, path: str) -> None:
        for root in (self._kept, self._now):
            os.rmdir(root + path)

    def unlink(self, path: str) -> None:
        told = os.stat(self._now + path, follow_symlinks=False)
        for root in (self._kept, self._now):
            os.unlink(root + path)
        if told.st_nlink == 1:  # its number may be another file's next
            self._unkept.pop(told.st_ino, None)

    def rename(self, old: str, new: str) -> None:
        for root in (self._kept, self._now):
            os.rename(root + old, root + new)

    def symlink(self, target: str, source: str) -> None:
        for root in (self._kept, self._now):
            os.symlink(source, root + target)

    def link(self, target: str, source: str) -> None:
        for root in (self._kept, self._now):
            os.link(root + source, root + target)

    def chmod(self, path: str, mode: int) -> None:
        for root in (self._kept, self._now):
            os.chmod(root + path, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        for root in (self._kept, self._now):
            os.chown(root + path, uid, gid, follow_symlinks=False)

    # ------------------------------------------------------------------------ looking

    def getattr(self, path: str, _handle: int | None = None) -> dict[str, Any]:
        told = os.lstat(self._now + path)
        times = {name: getattr(told, f"{name}_ns") for name in _TIMES}
        return {name: getattr(told, name) for name in _STATED} | times

    def readdir(self, path: str, _handle: int) -> Iterator[str]:
        yield from (".", "..", *os.listdir(self._now + path))

    def readlink(self, path: str) -> str:
        return os.readlink(self._now + path)

    def statfs(self, path: str) -> dict[str, Any]:
        told = os.statvfs(self._now + path)
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_files", "f_ffree")
        more = ("f_flag", "f_frsize", "f_namemax")
        return {name: getattr(told, name) for name in (*names, *more)}

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        if times is None:
            os.utime(self._now + path)
        else:
            os.utime(self._now + path, ns=times)


def main() -> None:
    """Serve until killed."""
    from mfusepy import FUSE, Operations  # noqa: PLC0415 it wants libfuse

    serving = type("Serving", (Forgetting, Operations), {"use_ns": True})
    FUSE(
        serving(sys.argv[1], sys.argv[2]),
        sys.argv[3],
        foreground=True,
        nothreads=True,
        kernel_cache=True,  # SQLite maps a file into memory
        big_writes=True,
        allow_other=os.getuid() == 0,
        fsname="forgetting",
    )


if __name__ == "__main__":
    main()
