"""The rows of an inbox: how far each case came, and which of its events wait."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel.broker.headers import POSITION
from services.kernel.clock import micros
from services.kernel.errors import AmendsError
from services.kernel.inbox.effects import NOT_IN_RECORD, Arrived, Fault
from services.kernel.inbox.quarantine import (
    QUARANTINE_TABLES,
    UNKNOWN_CASE,
    Place,
    Quarantine,
)
from services.kernel.store.database import IN_LIST_LIMIT, Tx

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from uuid import UUID

    from services.kernel.clock import Clock

_log = structlog.get_logger(__name__)

INBOX_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS inbox_case (
        consumer TEXT NOT NULL, case_id UUID NOT NULL, version BIGINT NOT NULL,
        PRIMARY KEY (consumer, case_id))""",
    """CREATE TABLE IF NOT EXISTS inbox_waiting (
        consumer TEXT NOT NULL, case_id UUID NOT NULL, version BIGINT NOT NULL,
        position BIGINT NOT NULL, reason TEXT NOT NULL, detail TEXT,
        since BIGINT NOT NULL, headers TEXT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (consumer, case_id, version))""",
    """CREATE TABLE IF NOT EXISTS inbox_position (
        consumer TEXT NOT NULL PRIMARY KEY, position BIGINT NOT NULL)""",
    *QUARANTINE_TABLES,
)
"""The `body` of what is poison is empty: it lies sealed in the vault."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: for an earlier version (`gaps`), an upgrade, or somebody's help.

    `since` is the instant, in microseconds, since which the oldest gap waits;
    `position` is that of the first waiting event. Both None when there is none. What
    came from no log has no position, and nothing is missing for its lack.
    """

    gaps: int
    newer: int
    poison: int
    since: int | None
    position: int | None

    @property
    def total(self) -> int:
        return self.gaps + self.newer + self.poison


@dataclass(frozen=True, slots=True)
class Gap:
    """A case whose next event is not here, though later ones are."""

    case_id: UUID
    after_version: int


@dataclass(frozen=True, slots=True)
class Row:
    """One event that waits, with its version in its case."""

    version: int
    position: int
    reason: str
    detail: str | None
    headers: str
    body: bytes

    @property
    def early(self) -> bool:
        """Whether it waits for nothing but the event before it."""
        return self.reason == "gap" or self.detail == NOT_IN_RECORD


@dataclass(slots=True)
class Outcome:
    """What one batch changes; written at the end, each kind in one statement."""

    effective: list[Arrived] = field(default_factory=list)
    versions: list[tuple[UUID, int]] = field(default_factory=list)
    parked: list[tuple[Arrived, str]] = field(default_factory=list)
    gone: list[tuple[UUID, int]] = field(default_factory=list)
    duplicates: int = 0
    released: int = 0


class Rows:
    """The rows of one consumer; every method works in the caller's transaction."""

    def __init__(self, consumer: str, quarantine: Quarantine, *, now: Clock) -> None:
        self._consumer = consumer
        self._quarantine = quarantine
        self._now = now

    def waiting(self, tx: Tx) -> Waiting:
        rows = tx.fetchall(
            "SELECT reason, COUNT(*), MIN(since), MIN(NULLIF(position, 0)) FROM inbox_waiting"
            " WHERE consumer = ? GROUP BY reason",
            (self._consumer,),
        )
        counts = {reason: count for reason, count, _, _ in rows}
        return Waiting(
            gaps=counts.get("gap", 0),
            newer=counts.get("newer", 0),
            poison=counts.get("poison", 0),
            since=next(
                (since for reason, _, since, _ in rows if reason == "gap"), None
            ),
            position=min((row[3] for row in rows if row[3]), default=None),
        )

    def gaps(self, tx: Tx, *, before: int, limit: int) -> list[Gap]:
        """Give cases that have waited since `before` (µs) for an event not here.

        A case that is held by an unreadable event lacks nothing.
        """
        rows = tx.fetchall(
            "SELECT w.case_id, c.version FROM inbox_waiting w LEFT JOIN inbox_case c"
            " ON c.consumer = w.consumer AND c.case_id = w.case_id"
            " WHERE w.consumer = ? AND w.case_id <> ? GROUP BY w.case_id, c.version"
            " HAVING MIN(w.version) > COALESCE(c.version, 0) + 1 AND MIN(w.since) <= ?"
            " ORDER BY MIN(w.since), w.case_id LIMIT ?",
            (self._consumer, UNKNOWN_CASE, before, limit),
        )
        return [Gap(case_id, version or 0) for case_id, version in rows]

    def faulty(self, tx: Tx, reason: Fault | None = None) -> list[UUID]:
        """Give the cases that an unreadable event holds."""
        reasons = ("poison", "newer") if reason is None else (reason, reason)
        rows = tx.fetchall(
            "SELECT DISTINCT case_id FROM inbox_waiting"
            " WHERE consumer = ? AND reason IN (?, ?)",
            (self._consumer, *reasons),
        )
        return sorted(case_id for (case_id,) in rows)

    def position(self, tx: Tx) -> int:
        """Give the highest position noted below which nothing was missing."""
        row = tx.fetchone(
            "SELECT position FROM inbox_position WHERE consumer = ?", (self._consumer,)
        )
        return row[0] if row else 0

    def note_position(self, tx: Tx, position: int) -> None:
        """Keep a position for lag and cut-offs; it decides nothing."""
        tx.execute(
            "INSERT INTO inbox_position (consumer, position) VALUES (?, ?)"
            " ON CONFLICT (consumer) DO UPDATE SET position = excluded.position"
            " WHERE excluded.position > inbox_position.position",
            (self._consumer, position),
        )

    def lock(self, tx: Tx, case_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Lock the cases, in their order, and only then read their versions.

        SQLite's transaction holds the lock already. On PostgreSQL a case without a row
        could not be locked, so it gets one; unlocked, two workers would each miss what
        the other has not committed yet, and an event would wait for ever.
        """
        if tx.dialect == "postgres":
            for chunk in _chunks(case_ids):
                tx.execute(
                    "INSERT INTO inbox_case (consumer, case_id, version) VALUES "  # noqa: S608  (marks only)
                    + ", ".join(["(?, ?, 0)"] * len(chunk))
                    + " ON CONFLICT DO NOTHING",
                    [value for case_id in chunk for value in (self._consumer, case_id)],
                )
            return self.versions(tx, case_ids, " ORDER BY case_id FOR UPDATE")
        return self.versions(tx, case_ids)

    def versions(
        self, tx: Tx, case_ids: Sequence[UUID], locking: str = ""
    ) -> dict[UUID, int]:
        versions: dict[UUID, int] = {}
        for chunk in _chunks(case_ids):
            found = tx.fetchall(
                "SELECT case_id, version FROM inbox_case WHERE consumer = ?"  # noqa: S608  (marks only)
                f" AND case_id IN ({_marks(chunk)}){locking}",
                (self._consumer, *chunk),
            )
            versions.update(found)
        return versions

    def waiting_of(
        self, tx: Tx, case_ids: Sequence[UUID], *, opened: bool
    ) -> dict[UUID, dict[int, Row]]:
        """Give what waits for cases, by version; `opened` with the bytes of poison."""
        rows: dict[UUID, dict[int, Row]] = {}
        for chunk in _chunks(case_ids):
            for case_id, *values in tx.fetchall(
                "SELECT case_id, version, position, reason, detail, headers, body"  # noqa: S608  (marks only)
                " FROM inbox_waiting WHERE consumer = ?"
                f" AND case_id IN ({_marks(chunk)})",
                (self._consumer, *chunk),
            ):
                row = Row(*values)
                # What was parked before there was a quarantine has its bytes here.
                wanted = opened or row.early
                if wanted and row.reason == "poison" and not row.body:
                    row = replace(row, body=self._unsealed((case_id, row.version), tx))
                rows.setdefault(case_id, {})[row.version] = row
        return rows

    def _unsealed(self, place: Place, tx: Tx) -> bytes:
        try:
            return self._quarantine.body(tx, place)
        except AmendsError as error:  # it goes on waiting, as unreadable as nothing
            _log.warning("quarantine.not_opened", case_id=place[0], reason=error.code)
            return b""

    def write(self, tx: Tx, outcome: Outcome, *, sealed: Collection[Place]) -> None:
        """Write what a batch changes; `sealed` are the places that held poison."""
        if sealed:
            left = {*outcome.gone, *(place_of(event) for event, _ in outcome.parked)}
            self._quarantine.let_go(tx, [place for place in sealed if place in left])
        if outcome.versions:
            tx.executemany(
                "INSERT INTO inbox_case (consumer, case_id, version) VALUES (?, ?, ?)"
                " ON CONFLICT (consumer, case_id)"
                " DO UPDATE SET version = excluded.version",
                [(self._consumer, *pair) for pair in outcome.versions],
            )
        if outcome.gone:
            tx.executemany(
                "DELETE FROM inbox_waiting"
                " WHERE consumer = ? AND case_id = ? AND version = ?",
                [(self._consumer, *pair) for pair in outcome.gone],
            )
        poison = [event for event, reason in outcome.parked if reason == "poison"]
        if poison:
            self._quarantine.keep(
                tx, [(place_of(event), event.body, event.subject) for event in poison]
            )
        for event in poison:
            _log.warning(
                "consumer.quarantined",
                consumer=self._consumer,
                case_id=str(event.case_id),
                version=event.version,
                reason=event.reason,
            )
        if outcome.parked:
            since = micros(self._now())
            tx.executemany(
                "INSERT INTO inbox_waiting (consumer, case_id, version, position,"
                " reason, detail, since, headers, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (consumer, case_id, version) DO UPDATE SET"
                " position = excluded.position, reason = excluded.reason,"
                " detail = excluded.detail, headers = excluded.headers,"
                " body = excluded.body",
                [
                    (
                        self._consumer,
                        event.case_id,
                        event.version,
                        event.position,
                        reason,
                        event.reason,
                        since,
                        json.dumps(_headers_of(event)),
                        b"" if reason == "poison" else event.body,
                    )
                    for event, reason in outcome.parked
                ],
            )


def place_of(event: Arrived) -> Place:
    return event.case_id, event.version


def _headers_of(event: Arrived) -> dict[str, str]:
    # What was fetched from a log came without headers; decoding may look for this one.
    return dict(event.headers) or {POSITION: str(event.position)}


def _chunks(case_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(case_ids), IN_LIST_LIMIT):
        yield case_ids[start : start + IN_LIST_LIMIT]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
