"""Take a backup of all services at one instant, beside whatever runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from services.backup.archive import Archive, damaged, new_archive, require_free
from services.backup.inventory import RECORDS, STORES, objects, secrets, store_of
from services.backup.sqlite import sqlite_cut
from services.kernel.clock import from_micros, rfc3339
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.folder import DataFolder
from services.kernel.installation import BACKUP_MARK
from services.kernel.ledger.checkpoint import load_signer
from services.kernel.record import SIGNING_KEY, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from services.backup.archive import Writer
    from services.backup.inventory import Store
    from services.backup.postgres import PostgresCut
    from services.backup.sqlite import SqliteCut
    from services.kernel.settings import Settings

    Cut = SqliteCut | PostgresCut
    Progress = Callable[[str, int, int], None]
    """Is told what is being done, and how much of how much of it."""

BACKUP: Final = "backup"
KEYS: Final = "keys"
"""The kinds: everything but the vaults' keys, and these."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was written; `keys` is the manifest of the keys, where they were taken."""

    manifest: dict[str, Any]
    keys: dict[str, Any] | None


def take(
    settings: Settings,
    target: Path,
    keys_target: Path | None,
    *,
    now: datetime,
    progress: Progress,
) -> Taken:
    """Write a backup to `target`, and the vaults' keys of the same instant apart.

    Everything is read once more at the end. Raises RefusedError where a target is
    taken or cannot be written, NotFoundError where there is no installation,
    MalformedError where a database is damaged. Nothing is left of one that failed.
    """
    folder = DataFolder(settings.data)
    folder.require()
    folder.known_format()
    folder.require_whole()
    _require_targets(folder, target, keys_target)
    with contextlib.ExitStack() as begun:
        archive = new_archive(target)
        begun.callback(archive.discard)
        keys = None
        if keys_target is not None:
            keys = new_archive(keys_target)
            begun.callback(keys.discard)
        with _written():
            done = _everything(
                settings, folder, archive, keys, now=now, progress=progress
            )
        begun.pop_all()
    (folder.path / BACKUP_MARK).write_text(
        json.dumps({"at": done.manifest["taken_at"]})
    )
    return done


def _require_targets(folder: DataFolder, target: Path, keys: Path | None) -> None:
    """Raise RefusedError for a bad place, before anything is written to either."""
    places = [target] if keys is None else [target, keys]
    real = [Path(os.path.realpath(each)) for each in places]
    if any(
        one.is_relative_to(other) for one in real for other in real if one is not other
    ):
        raise RefusedError(
            "backup.keys_beside",
            f"{keys} is in the same place as the backup: keep keys apart, name another"
            " file with --keys.",
        )
    for place, path in zip(real, places, strict=True):
        if place.is_relative_to(os.path.realpath(folder.path)):
            raise RefusedError(
                "backup.target_inside",
                f"{path} lies in the data folder, and would be lost with it: name a"
                " place on another disk.",
            )
        require_free(path)


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Say in one line that a disk is full, or whatever else the system has."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise UnavailableError(
            "backup.not_written",
            f"The backup could not be written ({error}): see that there is room, then"
            " try again.",
        ) from error


def _everything(
    settings: Settings,
    folder: DataFolder,
    archive: Writer,
    keys: Writer | None,
    *,
    now: datetime,
    progress: Progress,
) -> Taken:
    with _cut(settings, folder) as cut:
        about = _about(settings, folder, cut, now)
        for store in cut.stores:
            place = keys if store.keys else archive
            if place is not None:
                cut.copy(store, place, _named(progress, store.schema))
    # Behind the instant: a piece of a file is there before an event speaks of it.
    for part in (secrets(folder), objects(folder)):
        _copied(folder, part, archive, progress)
    return Taken(
        _finished(archive, about | {"kind": BACKUP}, progress),
        None if keys is None else _finished(keys, about | {"kind": KEYS}, progress),
    )


@contextlib.contextmanager
def _cut(settings: Settings, folder: DataFolder) -> Iterator[Cut]:
    if settings.database_url is None:
        paths = {store: folder.path / store.path for store in STORES}
        there = {store: path for store, path in paths.items() if path.exists()}
        with sqlite_cut(there) as cut:
            yield cut
        return
    from services.backup.postgres import postgres_cut  # noqa: PLC0415 loads psycopg

    with postgres_cut(settings.database_url, STORES) as on_server:
        yield on_server


def _about(
    settings: Settings, folder: DataFolder, cut: Cut, now: datetime
) -> dict[str, Any]:
    """Say what this is a backup of, and how far each record reaches in it."""
    return {
        "backup_id": os.urandom(8).hex(),
        "taken_at": rfc3339(now),
        "amends": version("amends"),
        "tenant": settings.tenant,
        "installation": installation_of(settings, folder),
        "database": cut.dialect,
        "folder_format": folder.known_format(),
        "objects": settings.objects_url or "folder",
        "staging": folder.staging,
        "demonstration": folder.demonstration,
        "records": {
            name: _reach(cut, store_of(name))
            for name in RECORDS
            if store_of(name) in cut.stores
        },
    }


def installation_of(settings: Settings, folder: DataFolder) -> str | None:
    """Name an installation by the key that signs its ledger; None before the first start."""
    key = folder.path / "handling" / SIGNING_KEY
    if not key.exists():
        return None
    return load_signer(key, origin(settings.tenant, "handling")).verifier.key_id.hex()


def _reach(cut: Cut, store: Store) -> dict[str, Any]:
    meta = dict(cut.rows(store, "SELECT name, value FROM store_meta"))
    (events, position, at) = cut.rows(
        store, "SELECT COUNT(*), MAX(position), MAX(committed_at) FROM stored_events"
    )[0]
    return {
        "epoch": meta["epoch"],
        "format": int(meta["format"]),
        "events": events,
        "position": position or 0,
        "committed_at": rfc3339(from_micros(at)) if at else None,
    }


def _named(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)


def _copied(
    folder: DataFolder, files: Iterator[Path], archive: Writer, progress: Progress
) -> None:
    paths: Sequence[Path] = list(files)
    for number, path in enumerate(paths, 1):
        source = folder.path / path
        if not source.exists():
            continue  # it was erased, or nobody used it, just now
        with archive.file(f"folder/{path}") as target:
            shutil.copyfile(source, target)
        progress("files", number, len(paths))


def _finished(
    archive: Writer, manifest: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    """Write the manifest, then read everything once more as a restore would."""
    archive.finish(manifest)
    written = Archive(archive.path)
    try:
        if faults := written.faults(progress):
            raise damaged(archive.path, faults)
        return written.manifest
    finally:
        written.close()
