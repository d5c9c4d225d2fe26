"""`amends provision`: streams, durables and accounts on a broker of one's own."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from services.cli.printing import show
from services.handling.main import default_policy
from services.kernel.folder import DataFolder
from services.kernel.settings import load_settings
from services.provisioning import Provided, provided

_SAID = {
    "created": ("created", "would be created"),
    "updated": ("updated", "would be updated"),
    "unchanged": ("as it should be", "as it should be"),
}


def provision(*, dry_run: bool, as_json: bool) -> None:
    settings = load_settings()
    found = asyncio.run(
        provided(
            settings,
            DataFolder(settings.data),
            default_policy().departments,
            dry_run=dry_run,
        )
    )
    show(_told(found), as_json=as_json, human=_lines(found, dry_run=dry_run))


def _told(found: Provided) -> dict[str, Any]:
    return {
        "changes": [asdict(change) for change in found.report.changes],
        "sync_interval": found.report.sync_interval,
        "accounts": None if found.accounts is None else str(found.accounts),
    }


def _lines(found: Provided, *, dry_run: bool) -> str:
    lines = [
        f"{change.kind:<9} {change.name:<24} {_SAID[change.done][dry_run]}"
        f" {', '.join(change.fields)}".rstrip()
        for change in found.report.changes
    ]
    lines.append(f"sync_interval {found.report.sync_interval}")
    if found.report.durable is False:
        lines.append("  set `sync_interval: always` in the server's configuration")
    if found.accounts is not None:
        lines.append(f"Include {found.accounts} in the server's configuration.")
    return "\n".join(lines)
