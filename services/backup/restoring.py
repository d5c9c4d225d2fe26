"""Put a backup back: prepared beside what is there, put in place, brought up to date."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from services.backup.archive import Archive, damaged, remove
from services.backup.broker import started_alone
from services.backup.inventory import STORES, keys_of, store_of
from services.backup.reconciling import put_right
from services.backup.recovery import keep_left
from services.backup.taking import BACKUP, KEYS, installation_of
from services.kernel.clock import from_micros, rfc3339
from services.kernel.errors import MisuseError, RefusedError
from services.kernel.folder import FORMAT, RESTORING, STAGING, DataFolder
from services.kernel.store.application import FORMAT as STORE_FORMAT
from services.kernel.store.application import mark_staging
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from services.backup.inventory import Store
    from services.backup.recovery import Recovered
    from services.kernel.settings import Settings
    from services.kernel.store.database import Database, Tx

    Progress = Callable[[str, int, int], None]

OURS: Final = ("departments/", "channels/", "nats/", "services.token")
"""What lets others in: a copy to try things on has its own."""

_REGISTER: Final = (
    "SELECT subject_id, basis, actor, role, erased_at FROM privacy_erasure"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore would do; `replaces` where something is there, `faults` of files."""

    backup: dict[str, Any]
    keys: str
    replaces: bool
    staging: bool
    faults: list[str]


@dataclass(slots=True)
class Restored:
    """What a restore did; `register` are the erasures to be done again."""

    plan: Plan
    recovered: tuple[Recovered, ...] = ()
    register: list[dict[str, str]] = field(default_factory=list)


class Restore:
    """One backup, and the keys where they are given, on the way to one installation."""

    def __init__(
        self,
        settings: Settings,
        backup: Path,
        keys: Path | None,
        *,
        replace: bool,
        staging: bool,
    ) -> None:
        """Read the manifests. Raises as `Archive` does, and RefusedError for a misfit."""
        self._settings = settings
        self.folder = DataFolder(settings.data)
        self._replace, self._staging = replace, staging
        self._archive = Archive(backup)
        self._keys = Archive(keys) if keys else None
        self._require_fit()

    def close(self) -> None:
        for archive in (self._archive, self._keys):
            if archive is not None:
                archive.close()

    # ---------------------------------------------------------------------- looking

    def plan(self, progress: Progress) -> Plan:
        """Say what would be done, every digest compared; nothing is changed."""
        faults = self._archive.faults(progress)
        if self._keys is not None:
            faults += self._keys.faults(progress)
        kept = self._keys is None and self._has_keys()
        return Plan(
            backup={k: v for k, v in self._archive.manifest.items() if k != "files"},
            keys="given" if self._keys else "kept" if kept else "none",
            replaces=self._has_stores(),
            staging=self._staging,
            faults=faults,
        )

    def _require_fit(self) -> None:
        about, settings = self._archive.manifest, self._settings
        _require_kind(self._archive, BACKUP)
        if self._keys is not None:
            _require_kind(self._keys, KEYS)
            if self._keys.manifest["installation"] != about["installation"]:
                raise RefusedError(
                    "restore.other_keys",
                    f"{self._keys.path} holds the keys of another installation.",
                )
        if about["tenant"] != settings.tenant:
            raise RefusedError(
                "restore.other_tenant",
                f"This is a backup of {about['tenant']}, AMENDS_TENANT says"
                f" {settings.tenant}: set it, or take the right backup.",
            )
        formats = [int(each["format"]) for each in about["records"].values()]
        if (
            int(about["folder_format"]) > FORMAT
            or max(formats, default=0) > STORE_FORMAT
        ):
            raise RefusedError(
                "restore.format_newer",
                f"This backup was made by amends {about['amends']}, whose data this"
                " one does not know: upgrade amends first.",
            )
        ours = "sqlite" if settings.database_url is None else "postgres"
        if about["database"] != ours:
            raise RefusedError(
                "restore.other_database",
                f"This is a backup of {about['database']}, the settings say {ours}:"
                " set or unset AMENDS_DATABASE_URL.",
            )
        if self._staging and settings.nats_url is not None:
            raise RefusedError(
                "restore.staging_broker",
                "A copy to try things on keeps to a broker of its own: unset"
                " AMENDS_NATS_URL.",
            )

    def require_ready(self, plan: Plan) -> None:
        """Raise where the restore may not begin."""
        if plan.faults:
            raise damaged(self._archive.path, plan.faults)
        self.require_place(plan)
        if plan.replaces and not self._replace:
            raise RefusedError(
                "restore.not_empty",
                f"{self.folder.path} holds an installation: look with --dry-run, then"
                " add --replace if that is meant, or set AMENDS_DATA to a new folder.",
            )

    def require_place(self, plan: Plan) -> None:
        """Raise where this backup may not come to this place, with --replace or not."""
        if plan.replaces and self._staging and not self.folder.staging:
            raise RefusedError(
                "restore.staging_over_live",
                f"{self.folder.path} is in use: set AMENDS_DATA, and on a server"
                " AMENDS_DATABASE_URL, to a place for the copy.",
            )
        if not self._staging and self._copy_is_here():
            raise RefusedError(
                "restore.live_over_staging",
                f"{self.folder.path} holds a copy to try things on, which never becomes"
                " the real one: set AMENDS_DATA, and on a server AMENDS_DATABASE_URL,"
                " to another place, or add --as staging.",
            )
        if plan.backup.get("staging") and not self._staging:
            raise RefusedError(
                "restore.staging_backup",
                "This is the backup of a copy to try things on: add --as staging, or"
                " take a backup of the real one.",
            )
        there = installation_of(self._settings, self.folder)
        if plan.replaces and there not in {None, plan.backup["installation"]}:
            raise RefusedError(
                "restore.other_installation",
                f"{self.folder.path} holds another installation than the backup:"
                " set AMENDS_DATA to its own folder, or to a new one.",
            )
        if plan.keys == "none" and not self._staging:
            raise RefusedError(
                "restore.no_keys",
                "Without the vaults' keys no word can be read: give their backup with"
                " --keys.",
            )

    def _has_stores(self) -> bool:
        if self._settings.database_url is None:
            return any((self.folder.path / each.path).exists() for each in STORES)
        return bool(self._schemas())

    def _copy_is_here(self) -> bool:
        """Whether the folder, or the records on a server, carry the mark of a copy."""
        marks = "SELECT value FROM store_meta WHERE name = 'staging'"
        return self.folder.staging or bool(self._rows(store_of("handling"), marks))

    def _has_keys(self) -> bool:
        keys = [each for each in STORES if each.keys]
        if self._settings.database_url is None:
            return any((self.folder.path / each.path).exists() for each in keys)
        return bool(self._schemas() & {each.schema for each in keys})

    def _schemas(self) -> set[str]:
        from services.backup import postgres  # noqa: PLC0415 loads psycopg

        assert self._settings.database_url is not None  # noqa: S101 asked before
        with postgres.connected(self._settings.database_url) as connection:
            return postgres.schemas(connection) & {each.schema for each in STORES}

    # -------------------------------------------------------------------- restoring

    async def run(
        self, plan: Plan, departments: Sequence[str], progress: Progress
    ) -> Restored:
        """Do it. The folder is held; what is cut short is to be run again."""
        done = Restored(plan)

        def records_are_whole(recovered: Sequence[Recovered]) -> None:
            keep_left(self.folder, recovered)
            remove(preparing)

        preparing = self.folder.path / RESTORING
        remove(preparing)
        self._require_alone()
        done.register = self._erased_here()
        tombstones = self._tombstones()
        preparing.mkdir(mode=0o700)
        self._extract(preparing, progress)
        async with started_alone(self._settings, self.folder, departments) as client:
            self._put_in_place(preparing, progress)
            self._bury(tombstones)
            self._mark()
            done.recovered = await put_right(
                client,
                self._settings,
                self.folder,
                departments,
                before_streams=records_are_whole,
                recovering=not self._staging,
            )
        for each in done.recovered:
            done.register += each.erased
        return done

    def _require_alone(self) -> None:
        if self._settings.database_url is None:
            return
        from services.backup import postgres  # noqa: PLC0415 loads psycopg

        with postgres.connected(self._settings.database_url) as connection:
            postgres.require_alone(connection)

    def _extract(self, preparing: Path, progress: Progress) -> None:
        """Write all files beside what is there; on a server, its tables come later."""
        names = [
            *((self._archive, name) for name in self._archive.members),
            *(
                (self._keys, name)
                for name in (self._keys.members if self._keys else ())
            ),
        ]
        for number, (archive, name) in enumerate(names, 1):
            kind, _, rest = name.partition("/")
            assert archive is not None  # noqa: S101 as listed
            files = self._settings.database_url is None
            if (kind == "folder" and not self._is_theirs(rest)) or (
                kind == "stores" and files
            ):
                archive.extract(name, preparing / "new" / rest)
            progress("restore", number, len(names))

    def _is_theirs(self, path: str) -> bool:
        """Tell what is not taken from the backup: secrets of who is let in."""
        if path.startswith("nats/") and (self.folder.path / path).exists():
            return True
        return path == STAGING or (self._staging and path.startswith(OURS))

    def _put_in_place(self, preparing: Path, progress: Progress) -> None:
        new = preparing / "new"
        for store in STORES if self._settings.database_url is None else ():
            if (new / store.path).exists() or not store.keys:
                for ending in ("", "-wal", "-shm"):
                    (self.folder.path / f"{store.path}{ending}").unlink(missing_ok=True)
        for objects in self.folder.path.glob("*/objects"):
            remove(objects)
        for source in sorted(new.rglob("*")) if new.exists() else ():
            if source.is_file():
                target = self.folder.path / source.relative_to(new)
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                source.replace(target)
        if self._settings.database_url is not None:
            self._load(self._settings.database_url, preparing, progress)

    def _load(self, url: str, preparing: Path, progress: Progress) -> None:
        """Replace the schemas in one transaction: all of them, or none."""
        from services.backup import postgres  # noqa: PLC0415 loads psycopg

        with postgres.connected(url) as connection, connection.transaction():
            for archive in (self._archive, self._keys):
                if archive is not None:
                    stores = [each for each in STORES if _has(archive, each)]
                    postgres.load(connection, archive, stores, preparing, progress)

    # --------------------------------------------------------------------- erasures

    def _erased_here(self) -> list[dict[str, str]]:
        """Give the erasures that this installation knows, the backup perhaps not."""
        found: dict[Any, dict[str, str]] = {}
        for store in (store_of("handling"), keys_of("handling")):
            for row in self._rows(store, _REGISTER):
                subject, basis, actor, role, at = row
                found[subject] = {
                    "subject_id": str(subject),
                    "basis": basis,
                    "actor": actor,
                    "role": role,
                    "erased_at": rfc3339(from_micros(at)),
                }
        return list(found.values())

    def _tombstones(self) -> dict[Store, list[tuple[Any, ...]]]:
        """Give the keys that were destroyed here: none of them may come back."""
        if self._keys is None:
            return {}
        return {
            store: self._rows(
                store,
                "SELECT subject_id, destroyed_at FROM vault_key"
                " WHERE destroyed_at IS NOT NULL",
            )
            for store in STORES
            if store.keys
        }

    def _bury(self, tombstones: dict[Store, list[tuple[Any, ...]]]) -> None:
        for store, rows in tombstones.items():
            if rows:
                with closing(self._database(store, read_only=False)) as database:
                    with database.write() as tx:
                        tx.executemany(
                            "INSERT INTO vault_key (subject_id, secret, destroyed_at)"
                            " VALUES (?, NULL, ?) ON CONFLICT (subject_id) DO UPDATE"
                            " SET secret = NULL, destroyed_at = excluded.destroyed_at",
                            rows,
                        )
                    database.scrub(whole=("vault_key",))

    def _rows(self, store: Store, sql: str) -> list[tuple[Any, ...]]:
        """Ask a database that may not be there, or not have the table yet."""
        if self._settings.database_url is None:
            if not (self.folder.path / store.path).exists():
                return []
        elif store.schema not in self._schemas():
            return []
        table = sql.partition(" FROM ")[2].split()[0]
        with (
            closing(self._database(store, read_only=True)) as database,
            database.read() as tx,
        ):
            return tx.fetchall(sql) if _there(tx, store, table) else []

    def _database(self, store: Store, *, read_only: bool) -> Database:
        return open_database(
            self.folder.database_url(
                store.service, store.file, server=self._settings.database_url
            ),
            schema=store.schema,
            secure_delete=store.keys and not read_only,
            read_only=read_only,
        )

    # ------------------------------------------------------------------------ marks

    def _mark(self) -> None:
        """Mark folder and records as a copy to try things on, or take old marks away."""
        path = self.folder.path / STAGING
        if self._staging:
            since = {"backup": self._archive.manifest["taken_at"]}
            path.write_text(json.dumps(since) + "\n")
        else:
            path.unlink(missing_ok=True)
        for record in self._archive.manifest["records"]:
            with (
                closing(self._database(store_of(record), read_only=False)) as database,
                database.write() as tx,
            ):
                mark_staging(tx, staging=self._staging)


def _there(tx: Tx, store: Store, table: str) -> bool:
    of: tuple[str, ...] = (table,)
    sql = "SELECT 1 FROM sqlite_schema WHERE name = ?"
    if tx.dialect == "postgres":
        sql = "SELECT 1 FROM pg_tables WHERE tablename = ? AND schemaname = ?"
        of = (table, store.schema)
    return tx.fetchone(sql, of) is not None


def _has(archive: Archive, store: Store) -> bool:
    return f"stores/{store.schema}/schema.json" in archive.members


def _require_kind(archive: Archive, kind: str) -> None:
    if archive.manifest["kind"] != kind:
        raise MisuseError(
            "restore.wrong_kind",
            f"{archive.path} holds {archive.manifest['kind']}: give the backup first,"
            " and the backup of the keys with --keys.",
        )
