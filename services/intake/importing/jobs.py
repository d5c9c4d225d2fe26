"""Jobs that are begun on the page: each a folder, and a process while it works.

All that is known of an import lies in its folder, so that every tab, and every process
on the same data folder, sees the same. A lock that the working process holds says that
it works: whoever finds it free, and no outcome, knows that the work was cut short. Then
it is done anew: rows have keys, and none is received twice.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, Final, cast
from uuid import UUID

from services.intake.domain.mapping import TableMapping
from services.intake.importing.running import batch_of
from services.kernel.clock import Clock, new_uuid7
from services.kernel.errors import (
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
)

TOKEN_HOURS: Final = 24
"""How long one run of an import may take."""
_ENDING: Final = 5.0
"""Seconds that a process has to end by itself."""
_PROBES: Final = 20


class Work(StrEnum):
    """What a process does for an import."""

    READ = "read"
    CHECK = "check"
    IMPORT = "import"


class Stage(StrEnum):
    """How an import stands."""

    WORKING = "working"
    READY = "ready"
    """The last work was done to its end."""
    FAILED = "failed"
    STOPPED = "stopped"
    CUT_SHORT = "cut_short"


@dataclass(frozen=True, slots=True)
class Job:
    """An import as it stands now."""

    job_id: UUID
    about: Mapping[str, Any]
    """name, size, actor, created_at; encoding, sheet, history and batch, once known"""
    stage: Stage
    work: Work
    progress: Mapping[str, Any]
    """phase, done, total, seconds"""
    found: Mapping[str, Any] | None
    """What reading the file has found."""
    outcome: Mapping[str, Any] | None
    """What the last work gave, or `error` with code, detail and errors."""
    rejects: bool

    @property
    def over(self) -> bool:
        return self.work is Work.IMPORT and self.stage is Stage.READY


class Jobs:
    """The imports of one data folder."""

    def __init__(
        self,
        folder: Path,
        *,
        limit: int,
        kept: timedelta,
        addresses: Mapping[str, str],
        token: Callable[[str, datetime], str],
        departments: Sequence[str] = (),
        now: Clock,
        run: "Run | None" = None,
    ) -> None:
        """`token` gives one to import as somebody until an instant."""
        self.limit = limit
        self.kept = kept
        self._folder = folder
        self._addresses = addresses
        self._token = token
        self._departments = departments
        self._now = now
        self._run = run or in_a_process
        self._children: dict[UUID, subprocess.Popen[bytes]] = {}
        folder.mkdir(mode=0o700, exist_ok=True)

    # -- what there is ---------------------------------------------------------

    def all(self) -> list[Job]:
        """Give every import, the newest first."""
        found = []
        for each in sorted(self._folder.iterdir(), reverse=True):
            with suppress(NotFoundError, ValueError):
                found.append(self.find(UUID(each.name)))
        return found

    def find(self, job_id: UUID) -> Job:
        """Give one. Raises `NotFoundError`."""
        folder = self._folder / str(job_id)
        about = _read(folder / "about.json")
        if about is None:
            raise _no_job()
        # The lock is looked at first: what ended in between has left its outcome.
        working = _held(folder / "lock")
        task = _read(folder / "task.json") or {"run": "", "work": Work.READ}
        outcome = _read(folder / "outcome.json")
        if outcome is not None and outcome["run"] != task["run"]:
            outcome = None
        return Job(
            job_id=job_id,
            about=about,
            stage=_stage(working, outcome, stopped=(folder / "stop").exists()),
            work=Work(task["work"]),
            progress=_read(folder / "progress.json") or {},
            found=_read(folder / "found.json"),
            outcome=outcome,
            rejects=outcome is not None and (folder / "rejects.csv").exists(),
        )

    def mapping(self, job_id: UUID) -> dict[str, Any] | None:
        """Give the values of its mapping as far as they are chosen."""
        return _read(self._folder / str(job_id) / "mapping.json")

    def guess(self, job_id: UUID) -> dict[str, Any]:
        """Give the values that were guessed. Raises `NotFoundError`."""
        found = _read(self._folder / str(job_id) / "guess.json")
        if found is None:
            raise _no_job()
        return found

    def rejects(self, job_id: UUID, ending: str) -> Path:
        """Give the file of its rejected rows. Raises `NotFoundError`."""
        job = self.find(job_id)
        path = self._folder / str(job_id) / f"rejects.{ending}"
        if not job.rejects or not path.exists():
            raise NotFoundError("import.no_rejects", "No row of it was rejected.")
        return path

    # -- what is done ----------------------------------------------------------

    @contextmanager
    def receiving(self, actor: str) -> Iterator["Reception"]:
        """Take in a file; what is not ended with a `done` leaves nothing behind."""
        job_id = new_uuid7(self._now())
        folder = self._folder / str(job_id)
        folder.mkdir(mode=0o700)
        reception = Reception(job_id, folder, self.limit)
        try:
            yield reception
            reception.keep(
                {
                    "actor": actor,
                    "created_at": self._now().isoformat(),
                    "history": False,
                }
            )
        except BaseException:
            reception.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def change(self, job_id: UUID, **about: Any) -> None:
        """Keep what was chosen for it."""
        folder = self._folder / str(job_id)
        write_json(folder / "about.json", {**self.find(job_id).about, **about})

    def map(self, job_id: UUID, mapping: Mapping[str, Any]) -> None:
        """Keep how its columns are taken; raises pydantic's ValidationError."""
        TableMapping.model_validate(mapping)
        write_json(self._folder / str(job_id) / "mapping.json", mapping)

    def begin(self, job_id: UUID, work: Work, *, actor: str, locale: str) -> None:
        """Have a process do the work. Raises `RefusedError` where one does some."""
        job = self.find(job_id)
        if job.over:
            raise _ended()
        folder = self._folder / str(job_id)
        now = self._now()
        with _taken(folder / "lock") as lock:
            run = str(new_uuid7(now))
            if work is Work.IMPORT and job.found and not job.about["batch"]:
                batch = batch_of(now, job.found["source"]["sha256"])
                self.change(job_id, batch=batch)
            (folder / "stop").unlink(missing_ok=True)
            (folder / "progress.json").unlink(missing_ok=True)
            if work is not Work.READ:
                for ending in ("csv", "xlsx"):
                    (folder / f"rejects.{ending}").unlink(missing_ok=True)
            write_json(folder / "task.json", {"run": run, "work": work})
            until = now + timedelta(hours=TOKEN_HOURS)
            told = {
                "run": run,
                "work": work,
                "locale": locale,
                "addresses": dict(self._addresses),
                "departments": list(self._departments),
                "token": self._token(actor, until),
            }
            child = self._run(folder, told, lock)
        if child is not None:
            self._children[job_id] = child
            reaper = threading.Thread(
                target=self._reap, args=(job_id, child), daemon=True
            )
            reaper.start()

    def stop(self, job_id: UUID) -> None:
        """Have its process end; what was received stays received."""
        self.find(job_id)
        folder = self._folder / str(job_id)
        (folder / "stop").touch()
        deadline = time.monotonic() + _ENDING
        while _held(folder / "lock") and time.monotonic() < deadline:
            time.sleep(0.05)

    def remove(self, job_id: UUID) -> None:
        """Remove it with its file, its rejects and all that was chosen."""
        self.stop(job_id)
        shutil.rmtree(self._folder / str(job_id), ignore_errors=True)

    def sweep(self) -> int:
        """Remove those that nobody touched for too long; give their number."""
        oldest = (self._now() - self.kept).timestamp()
        removed = 0
        for folder in list(self._folder.iterdir()):
            touched = max(
                (each.stat().st_mtime for each in (folder, *folder.iterdir())),
                default=0.0,
            )
            if touched < oldest and not _held(folder / "lock"):
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        return removed

    def close(self) -> None:
        """End every process; they are found cut short at the next start."""
        children = list(self._children.values())
        for child in children:
            with suppress(OSError):
                cast("IO[bytes]", child.stdin).close()
        for child in children:
            try:
                child.wait(_ENDING)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _reap(self, job_id: UUID, child: subprocess.Popen[bytes]) -> None:
        child.wait()
        with suppress(OSError):
            cast("IO[bytes]", child.stdin).close()
        if self._children.get(job_id) is child:
            del self._children[job_id]


Run = Callable[[Path, Mapping[str, Any], int], subprocess.Popen[bytes] | None]
"""Does work in a folder, as told; the lock is held for as long as a process has it."""


def in_a_process(
    folder: Path, told: Mapping[str, Any], lock: int
) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, "-m", "services.intake.importing.child", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if not k.startswith("AMENDS_")},
        pass_fds=(lock,),
        start_new_session=True,  # it ends when we do, not by a Ctrl-C of its own
    )
    # The pipe stays open as long as this process lives: its end is the child's.
    stdin = cast("IO[bytes]", child.stdin)
    with suppress(BrokenPipeError):
        stdin.write(json.dumps(told).encode() + b"\n")
        stdin.flush()
    return child


class Reception:
    """A file on its way in."""

    def __init__(self, job_id: UUID, folder: Path, limit: int) -> None:
        self.job_id = job_id
        self.size = 0
        self.name = ""
        self._folder = folder
        self._limit = limit
        self._file: IO[bytes] | None = None

    def open(self, name: str) -> None:
        """Begin to keep it under the name that the browser gave it."""
        if self._file is not None:
            raise MalformedError("import.one_file", "Send one file at a time.")
        self.name = name
        path = self._folder / "file"
        self._file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
        )

    def write(self, data: bytes) -> None:
        """Keep the next bytes. Raises `TooLargeError`."""
        self.size += len(data)
        if self.size > self._limit:
            raise TooLargeError(
                "import.too_large",
                f"The file has more than {self._limit} bytes: split it, or bring it in"
                " with `amends import`, which has no limit.",
            )
        if self._file is not None:
            self._file.write(data)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, about: Mapping[str, Any]) -> None:
        """Make an import of it. Raises `MalformedError` for no file, or an empty one."""
        self.close()
        if not self.size:
            raise MalformedError(
                "import.empty_file", "Choose a file that is not empty."
            )
        unknown = dict.fromkeys(("encoding", "sheet", "batch"))
        told = {**unknown, **about, "name": self.name, "size": self.size}
        write_json(self._folder / "about.json", told)


def _stage(working: bool, outcome: Mapping[str, Any] | None, *, stopped: bool) -> Stage:
    if working:
        return Stage.WORKING
    if outcome is not None:
        return Stage.FAILED if "error" in outcome else Stage.READY
    return Stage.STOPPED if stopped else Stage.CUT_SHORT


@contextmanager
def _taken(path: Path) -> Iterator[int]:
    """Take the lock for a child, who keeps it when we let go of ours."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for probe in range(_PROBES):  # somebody may only be looking
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if probe == _PROBES - 1:
                    raise RefusedError(
                        "import.works", "Wait for its end, or stop it first."
                    ) from None
                time.sleep(0.01)
        yield lock
    finally:
        os.close(lock)


def _held(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return found


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a file by what is to be known, whole."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)
    draft.replace(path)


def _ended() -> RefusedError:
    return RefusedError(
        "import.ended", "This import has ended: begin a new one for another file."
    )


def _no_job() -> NotFoundError:
    return NotFoundError("import.no_job", "This import was removed: begin a new one.")
