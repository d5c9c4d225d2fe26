"""The second machine takes over: its copy of the databases becomes the one that is written.

What replication brought is the truth from then on. The broker of the machine that is
gone is not missed: the streams of the one here are filled again from the records, which
get new epochs, so that nothing of the other machine can mix in.
"""

from __future__ import annotations

import contextlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg

from events import codec
from services.backup.broker import started_alone
from services.backup.reconciling import put_right
from services.kernel.clock import from_micros, system_clock
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.folder import DataFolder
from services.kernel.record import open_record_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from services.kernel.settings import Settings

BEGUN: Final = "takeover"
"""Marks a folder whose takeover has begun: cut short, it may be run again."""
PROMOTION: Final = 60
"""Seconds that the server has to end its recovery."""


@dataclass(frozen=True, slots=True)
class Standby:
    """What the server here is.

    `receiving`: the machine before still sends, so it lives. `known`: when the last
    change that came was made there.
    """

    standby: bool
    receiving: bool
    known: datetime | None


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What a takeover has done.

    `reach` tells of each record its last position and when that was known;
    `waited_for` the standbys that commits would have waited for, which is ended.
    """

    promoted: bool
    known: datetime | None
    waited_for: str
    reach: Mapping[str, tuple[int, datetime | None]]


def look(settings: Settings) -> Standby:
    """Say what the server that the settings name is; change nothing."""
    with _connected(settings) as server:
        (standby,) = _row(server, "SELECT pg_is_in_recovery()")
        (receiving,) = _row(server, "SELECT COUNT(*) FROM pg_stat_wal_receiver")
        (known,) = _row(server, "SELECT pg_last_xact_replay_timestamp()")
    return Standby(standby, receiving > 0, known)


async def take_over(
    settings: Settings, departments: Sequence[str], *, other_is_off: bool
) -> Succeeded:
    """Promote the standby, then have the streams here filled from the records.

    Raises RefusedError where the machine before still sends, unless `other_is_off`;
    where the server here is no standby; and while a process uses the data folder.
    """
    folder = DataFolder(settings.data)
    folder.require()
    folder.require_own(settings.database_url)
    with folder.held():
        found = look(settings)
        mark = folder.path / BEGUN
        if not found.standby and not mark.exists():
            raise RefusedError(
                "takeover.no_standby",
                "The PostgreSQL of AMENDS_DATABASE_URL is no standby: on the second"
                " machine name the one of that machine.",
            )
        if found.receiving and not other_is_off:
            raise RefusedError(
                "takeover.other_lives",
                "The other machine's PostgreSQL still sends, or was cut off within the"
                " last minute. Two that are written are worse than none: see that it"
                " is off, then say so with --other-is-off.",
            )
        mark.touch(mode=0o600)
        waited_for = _promoted(settings, promote=found.standby)
        async with started_alone(settings, folder, departments) as client:
            await put_right(
                client, settings, folder, departments, before_streams=lambda _: None
            )
        reach = _reach(settings, folder)
        mark.unlink()
    return Succeeded(found.standby, found.known, waited_for, reach)


def _promoted(settings: Settings, *, promote: bool) -> str:
    """End the recovery, and wait at a commit for no other server any more."""
    with _connected(settings) as server:
        if promote:
            (done,) = _row(server, f"SELECT pg_promote(true, {PROMOTION})")
            if not done:
                raise UnavailableError(
                    "takeover.not_promoted",
                    f"The server has not ended its recovery within {PROMOTION} s: see"
                    " its log, then try again.",
                )
        (waited_for,) = _row(server, "SHOW synchronous_standby_names")
        if waited_for:
            server.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            server.execute("SELECT pg_reload_conf()")
    return str(waited_for)


def _reach(
    settings: Settings, folder: DataFolder
) -> dict[str, tuple[int, datetime | None]]:
    reach: dict[str, tuple[int, datetime | None]] = {}
    for name in ("intake", "handling"):
        opened = open_record_for_reading(
            settings, folder, name=name, codec=codec, now=system_clock
        )
        with closing(opened.database) as database, database.read() as tx:
            row = tx.fetchone(
                "SELECT position, committed_at FROM stored_events"
                " ORDER BY position DESC LIMIT 1"
            )
        reach[name] = (row[0], from_micros(row[1])) if row else (0, None)
    return reach


@contextlib.contextmanager
def _connected(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    if settings.database_url is None:
        raise RefusedError(
            "takeover.no_server",
            "Two machines share nothing but PostgreSQL: name the one of this machine"
            " with AMENDS_DATABASE_URL.",
        )
    try:
        with psycopg.connect(
            settings.database_url, autocommit=True, connect_timeout=10
        ) as server:
            yield server
    except psycopg.errors.InsufficientPrivilege as error:
        raise RefusedError(
            "takeover.not_allowed",
            f"{str(error).strip()}: give the account the rights that the page on two"
            " machines names, or take over as a superuser.",
        ) from error
    except psycopg.OperationalError as error:
        raise UnavailableError(
            "takeover.server_away",
            f"PostgreSQL cannot be used: {str(error).strip()}.",
        ) from error


def _row(server: psycopg.Connection[Any], sql: Any) -> tuple[Any, ...]:
    row = server.execute(sql).fetchone()
    assert row is not None  # noqa: S101 each of them gives one
    return tuple(row)
