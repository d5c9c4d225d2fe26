"""`amends takeover`: what it found, what it did, and what is left to a person."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.backup.succeeding import look, take_over
from services.cli.printing import show
from services.handling.main import default_policy
from services.kernel.clock import rfc3339
from services.kernel.logs import configure
from services.kernel.settings import addresses, load_settings

if TYPE_CHECKING:
    from datetime import datetime

    from services.backup.succeeding import Succeeded
    from services.kernel.settings import Settings


def takeover(*, dry_run: bool, other_is_off: bool, as_json: bool) -> None:
    settings = load_settings()
    configure(settings.log_format, "warning")
    if dry_run:
        found = look(settings)
        told = {
            "standby": found.standby,
            "receiving": found.receiving,
            "known": _told(found.known),
        }
        lines = [
            "A standby." if found.standby else "No standby: nothing to take over.",
            f"The other machine {'still sends' if found.receiving else 'is silent'}.",
            f"Last change from there: {_told(found.known) or 'none yet'}.",
            "Nothing was changed.",
        ]
        show(told, as_json=as_json, human="\n".join(lines))
        return
    departments = tuple(default_policy().departments)
    done = asyncio.run(take_over(settings, departments, other_is_off=other_is_off))
    show(_plain(done), as_json=as_json, human="\n".join(_lines(done, settings)))


def _told(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _plain(done: Succeeded) -> dict[str, Any]:
    return {
        "promoted": done.promoted,
        "known": _told(done.known),
        "synchronous": bool(done.waited_for),
        "records": {
            name: {"position": position, "known": _told(at)}
            for name, (position, at) in done.reach.items()
        },
    }


def _lines(done: Succeeded, settings: Settings) -> list[str]:
    lines = ["The database here is the one that is written now."]
    lines += [
        f"  {name}: {position:,} events, the last of {_told(at) or 'never'}"
        for name, (position, at) in done.reach.items()
    ]
    if done.waited_for:
        lines.append(
            "Commits waited for this copy: nothing that was answered for is missing."
        )
    else:
        lines.append(
            "By its configuration commits did not wait for this copy: what the other"
            " machine answered for after that is missing."
        )
    where = " ".join(addresses(settings).values())
    return [
        *lines,
        "Streams are filled when the services run; departments are told to begin anew.",
        "Now start the services here, and point the proxy and the name at them:",
        f"  {where}",
        "Never start the other machine's PostgreSQL but as a standby of this one.",
    ]
