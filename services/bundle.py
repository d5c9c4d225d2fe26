"""What somebody who helps from afar needs to see of an installation, and no person in it.

Everything that goes in is picked: codes, figures, sizes and versions. Texts that others
may have had a hand in (paths, addresses) are cut down to what is ours; a log has its own
module.
"""

from __future__ import annotations

import json
import platform
import re
import zipfile
from contextlib import closing
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, Any, Final

import httpx

from services.backup.inventory import STORES
from services.kernel.clock import rfc3339, system_clock
from services.kernel.folder import DataFolder
from services.kernel.settings import Settings
from services.kernel.sighting import sighted, told
from services.kernel.store.database import open_database
from services.logged import shown_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from services.backup.inventory import Store
    from services.doctor import Finding

_PLAIN: Final = frozenset({"time_zone", "phone_region", "log_format", "log_level"})
"""Settings that are words, but none that anybody made up."""
_FOREIGN: Final = re.compile(
    r"""[a-z0-9+]+://\S+          # an address
      | [^\s@]*@[\w.-]*            # a mailbox
      | (?:/[^\s/:,;]+){2,}/?     # a path
      | '[^']*' | "[^"]*"         # a value that somebody quotes
      | \+?\d[\d\s-]{4,}\d        # a number that may be somebody's
      | [^\x20-\x7e]+             # a word in no code of ours
    """,
    re.VERBOSE,
)
_LONGEST: Final = 300
_WITHIN: Final = 10.0


def write_bundle(
    target: Path,
    settings: Settings,
    where: Mapping[str, str],
    findings: Sequence[Finding],
    log: Iterable[str] = (),
) -> list[str]:
    """Write a zip file, and give the names of what is in it.

    `where` are the processes that run, by name. Folders that are missing are made.
    Raises OSError, of which FileExistsError.
    """
    parts: dict[str, str] = {
        "about.json": _json(about()),
        "settings.json": _json(shown_settings(settings)),
        "doctor.json": _json([shown_finding(each) for each in findings]),
        "tables.json": _json(sizes(settings)),
        "log.ndjson": "".join(f"{json.dumps(each)}\n" for each in shown_log(log)),
    }
    parts |= _running(where)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
        target.chmod(0o600)
        for name, text in parts.items():
            archive.writestr(name, text)
    return list(parts)


def about() -> dict[str, Any]:
    """Tell which amends this is, on what, beside which versions of what it stands on."""
    beside: dict[str, str | None] = {}
    for line in requires("amends") or ():
        name = re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0]
        try:
            beside[name] = version(name)
        except PackageNotFoundError:
            beside[name] = None
    return {
        "amends": version("amends"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "taken_at": rfc3339(system_clock()),
        "packages": beside,
    }


def shown_settings(settings: Settings) -> dict[str, object]:
    """Give each setting; what holds a name, an address or a secret is only `set`."""
    return {
        name: _shown(name, getattr(settings, name), field.default)
        for name, field in Settings.model_fields.items()
    }


def _shown(name: str, value: object, default: object) -> object:
    if value is None or isinstance(value, (bool, int)) or name in _PLAIN:
        return value
    if isinstance(value, dict):  # of minutes by the code of a channel
        return {
            key: each.total_seconds()
            for key, each in value.items()
            if isinstance(each, timedelta)
        }
    return "default" if value == default else "set"


def shown_finding(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "status": finding.status,
        "detail": clean(finding.detail),
        "remedy": clean(finding.remedy),
    }


def clean(text: str) -> str:
    """Leave of a sentence what is ours: no address, path, value, number or name."""
    return _FOREIGN.sub("…", text)[:_LONGEST]


def sizes(settings: Settings) -> dict[str, Any]:
    """Give each database's tables with their rows, and the bytes that it takes."""
    folder = DataFolder(settings.data)
    found: dict[str, Any] = {}
    for store in STORES:
        name = f"{store.service}/{store.file}"
        try:
            found[name] = _sizes(settings, folder, store)
        except Exception as error:  # noqa: BLE001 what cannot be read is told as that
            found[name] = type(error).__name__
    return found


def _sizes(settings: Settings, folder: DataFolder, store: Store) -> dict[str, Any]:
    url = folder.database_url(store.service, store.file, server=settings.database_url)
    with (
        closing(open_database(url, schema=store.schema, read_only=True)) as database,
        database.read() as tx,
    ):
        if tx.dialect == "postgres":
            rows = tx.fetchall(
                "SELECT relname, n_live_tup, pg_total_relation_size(relid)"
                " FROM pg_stat_user_tables WHERE schemaname = ? ORDER BY relname",
                (store.schema,),
            )
            return {
                "tables": {table: count for table, count, _ in rows},
                "bytes": sum(size for *_, size in rows),
            }
        names = tx.fetchall(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        )
        counts = {
            name: (tx.fetchone(f'SELECT COUNT(*) FROM "{name}"') or (0,))[0]  # noqa: S608 its own names
            for (name,) in names
        }
    path = folder.path / store.path
    kept = [path, path.with_name(f"{path.name}-wal")]
    return {
        "tables": counts,
        "bytes": sum(each.stat().st_size for each in kept if each.exists()),
    }


def _running(where: Mapping[str, str]) -> dict[str, str]:
    """Ask each process how it is and for its figures."""
    parts: dict[str, str] = {}
    pages: dict[str, str | None] = {}
    with httpx.Client(trust_env=False, timeout=_WITHIN) as http:
        for name, url in where.items():
            place = name.replace(" ", "-")
            try:
                pages[name] = http.get(f"{url}/metrics").text
                ready = http.get(f"{url}/health/ready").json()
            except (httpx.HTTPError, ValueError):
                pages[name] = None
                continue
            for check in ready["checks"].values():
                check["detail"] = clean(check["detail"])
            parts[f"metrics-{place}.txt"] = pages[name] or ""
            parts[f"health-{place}.json"] = _json(ready)
    if pages:
        now = sighted(0.0, system_clock().timestamp(), pages)
        parts["top.json"] = _json(told(now, now))
    return parts


def _json(value: object) -> str:
    return json.dumps(value, indent=1, default=str) + "\n"
