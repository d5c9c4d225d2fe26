"""Decide which arrived events are the next of their case, and keep those that are not.

The transactional half of a consumer: versions and waiting events are rows beside what
the consumer derives, so that they always agree with it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel.broker.headers import POSITION
from services.kernel.clock import micros
from services.kernel.errors import (
    AmendsError,
    NewerVersionError,
    PoisonError,
    RefusedError,
)
from services.kernel.inbox.effects import (
    NOT_IN_RECORD,
    Arrived,
    Effect,
    Fault,
    culprits,
)
from services.kernel.inbox.quarantine import (
    QUARANTINE_TABLES,
    UNKNOWN_CASE,
    Discard,
    Place,
    Quarantine,
)
from services.kernel.store.database import IN_LIST_LIMIT, Tx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.inbox.quarantine import Quarantined
    from services.kernel.vault import Vault

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


Decode = Callable[[bytes, Mapping[str, str]], Arrived]
"""Reads a message; raises PoisonError or NewerVersionError where it cannot."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many events went which way; `released` had waited and were applied."""

    applied: int = 0
    duplicates: int = 0
    parked: int = 0
    released: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits: for an earlier version (`gaps`), an upgrade, or somebody's help.

    `since` is the instant, in microseconds, since which the oldest gap waits;
    `position` is that of the first waiting event. Both None when there is none.
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
class _Row:
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
class _Outcome:
    """What one batch changes; written at the end, each kind in one statement."""

    effective: list[Arrived] = field(default_factory=list)
    versions: list[tuple[UUID, int]] = field(default_factory=list)
    parked: list[tuple[Arrived, str]] = field(default_factory=list)
    gone: list[tuple[UUID, int]] = field(default_factory=list)
    duplicates: int = 0
    released: int = 0


class Inbox:
    """The inbox of one consumer, shared by all its workers."""

    def __init__(
        self, consumer: str, *, decode: Decode, vault: Vault, now: Clock
    ) -> None:
        """`vault` keeps what cannot be handled, sealed."""
        self.consumer = consumer
        self.quarantine = Quarantine(consumer, vault, now=now)
        self._decode = decode
        self._now = now

    def read(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        stream_sequence: int,
        subject: str = "",
    ) -> Arrived:
        """Decode a message; one that does not tell its case goes under UNKNOWN_CASE.

        There its place in the stream stands for a version, so that none is lost.
        """
        try:
            return replace(
                self._decode(body, headers), headers=headers, subject=subject
            )
        except (PoisonError, NewerVersionError) as error:
            return Arrived(
                case_id=UNKNOWN_CASE,
                version=stream_sequence,
                position=0,
                body=body,
                event=None,
                fault="poison" if isinstance(error, PoisonError) else "newer",
                reason=error.code,
                headers=headers,
                subject=subject,
            )

    def apply(self, tx: Tx, arrived: Sequence[Arrived], effect: Effect) -> Applied:
        """Apply what is next in its case, with what it releases; keep what is early.

        Everything happens in the caller's transaction, which must commit before the
        messages are acknowledged. `effect` is called once, or not at all; again, with
        ever fewer events, only after it raised.
        """
        by_case: dict[UUID, list[Arrived]] = defaultdict(list)
        for event in arrived:
            by_case[event.case_id].append(event)
        return self._apply(tx, by_case, effect, retry=False)

    def replay(
        self, tx: Tx, effect: Effect, *, case_ids: Iterable[UUID] | None = None
    ) -> Applied:
        """Read again what was poison or too new, and apply what has become readable.

        The later events of such a case are released with it, in order.
        """
        chosen = set(self.faulty(tx) if case_ids is None else case_ids)
        by_case: dict[UUID, list[Arrived]] = {
            case_id: [] for case_id in chosen - {UNKNOWN_CASE}
        }
        if UNKNOWN_CASE in chosen:
            for event in self._found_out(tx):
                by_case.setdefault(event.case_id, []).append(event)
        return self._apply(tx, by_case, effect, retry=True)

    def discard(
        self, tx: Tx, effect: Effect, document_id: UUID, how: Discard
    ) -> Applied:
        """Pass over a message in quarantine for ever, and apply what waited behind it.

        Raises NotFoundError, and RefusedError where an earlier event of its case is
        still missing: the message may be harmless once that is here. One whose source
        lacks the earlier event too goes alone.
        """
        message = self.quarantine.one(tx, document_id)
        case_id, _ = message.place
        outcome = _Outcome(gone=[message.place])
        if case_id != UNKNOWN_CASE:
            versions = self._lock(tx, [case_id])
            if message.reason != NOT_IN_RECORD:
                _require_next(message, versions)
                outcome.versions.append(message.place)
        self.quarantine.note_discarded(tx, message, how)
        self._write(tx, outcome, sealed=outcome.gone)
        freed: dict[UUID, list[Arrived]] = (
            {} if case_id == UNKNOWN_CASE else {case_id: []}
        )
        return self._apply(tx, freed, effect, retry=False)

    def discardable(self, tx: Tx, document_id: UUID) -> Quarantined:
        """Give a message if `discard` would take it now; raises as it does."""
        message = self.quarantine.one(tx, document_id)
        case_id, _ = message.place
        if case_id != UNKNOWN_CASE and message.reason != NOT_IN_RECORD:
            _require_next(message, self._versions(tx, [case_id]))
        return message

    def give_up(self, tx: Tx, gap: Gap) -> bool:
        """Put the first event behind a gap in quarantine: nobody has what comes before.

        It is applied all the same once the earlier event is here. Tells whether there
        was one: the gap may have closed.
        """
        version = self._lock(tx, [gap.case_id]).get(gap.case_id, 0)
        rows = self._rows(tx, [gap.case_id], opened=False).get(gap.case_id, {})
        first = rows[min(rows)] if rows else None
        if first is None or first.reason != "gap" or first.version == version + 1:
            return False
        event = replace(
            self._read_again(gap.case_id, first), fault="poison", reason=NOT_IN_RECORD
        )
        self._write(tx, _Outcome(parked=[(event, "poison")]), sealed=())
        return True

    def waiting(self, tx: Tx) -> Waiting:
        rows = tx.fetchall(
            "SELECT reason, COUNT(*), MIN(since), MIN(position) FROM inbox_waiting"
            " WHERE consumer = ? GROUP BY reason",
            (self.consumer,),
        )
        counts = {reason: count for reason, count, _, _ in rows}
        return Waiting(
            gaps=counts.get("gap", 0),
            newer=counts.get("newer", 0),
            poison=counts.get("poison", 0),
            since=next(
                (since for reason, _, since, _ in rows if reason == "gap"), None
            ),
            position=min((position for *_, position in rows), default=None),
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
            (self.consumer, UNKNOWN_CASE, before, limit),
        )
        return [Gap(case_id, version or 0) for case_id, version in rows]

    def faulty(self, tx: Tx, reason: Fault | None = None) -> list[UUID]:
        """Give the cases that an unreadable event holds."""
        reasons = ("poison", "newer") if reason is None else (reason, reason)
        rows = tx.fetchall(
            "SELECT DISTINCT case_id FROM inbox_waiting"
            " WHERE consumer = ? AND reason IN (?, ?)",
            (self.consumer, *reasons),
        )
        return sorted(case_id for (case_id,) in rows)

    def position(self, tx: Tx) -> int:
        """Give the highest position noted below which nothing was missing."""
        row = tx.fetchone(
            "SELECT position FROM inbox_position WHERE consumer = ?", (self.consumer,)
        )
        return row[0] if row else 0

    def note_position(self, tx: Tx, position: int) -> None:
        """Keep a position for lag and cut-offs; it decides nothing."""
        tx.execute(
            "INSERT INTO inbox_position (consumer, position) VALUES (?, ?)"
            " ON CONFLICT (consumer) DO UPDATE SET position = excluded.position"
            " WHERE excluded.position > inbox_position.position",
            (self.consumer, position),
        )

    # ------------------------------------------------------------------- deciding

    def _apply(
        self,
        tx: Tx,
        by_case: Mapping[UUID, Sequence[Arrived]],
        effect: Effect,
        *,
        retry: bool,
    ) -> Applied:
        case_ids = sorted(by_case)
        versions = self._lock(tx, case_ids)
        rows = self._rows(tx, case_ids, opened=retry)

        def decided(failing: Mapping[Place, str]) -> _Outcome:
            outcome = _Outcome()
            for case_id in case_ids:
                self._decide(
                    case_id,
                    versions.get(case_id, 0),
                    by_case[case_id],
                    rows.get(case_id, {}),
                    outcome,
                    retry=retry,
                    failing=failing,
                )
            return outcome

        outcome = decided({})
        failing = culprits(tx, outcome.effective, effect)
        if failing:
            outcome = decided(failing)
        sealed = [
            (case_id, row.version)
            for case_id, waiting in rows.items()
            for row in waiting.values()
            if row.reason == "poison"
        ]
        self._write(tx, outcome, sealed=sealed)
        return Applied(
            applied=len(outcome.effective),
            duplicates=outcome.duplicates,
            parked=len(outcome.parked),
            released=outcome.released,
        )

    def _decide(
        self,
        case_id: UUID,
        version: int,
        arrived: Sequence[Arrived],
        rows: Mapping[int, _Row],
        outcome: _Outcome,
        *,
        retry: bool,
        failing: Mapping[Place, str],
    ) -> None:
        """Walk one case forward from `version` through what arrived and what waits."""
        fresh: dict[int, Arrived] = {}
        for event in arrived:
            known = fresh.get(event.version)
            outcome.duplicates += known is not None or event.version <= version
            if event.version > version and (known is None or known.fault):
                fresh[event.version] = event
        done = version
        while found := self._next(case_id, done + 1, fresh, rows, retry=retry):
            if reason := failing.get((case_id, found.version)):
                found = replace(found, fault="poison", reason=reason)
            if found.fault is not None:  # it cannot be read, or not be handled
                row = rows.get(found.version)
                if row is None or found.fault != row.reason:
                    outcome.parked.append((found, found.fault))
                else:
                    outcome.duplicates += found.version in fresh
                fresh.pop(found.version, None)
                break
            outcome.effective.append(found)
            done += 1
            outcome.released += done in rows
        if done > version:
            outcome.versions.append((case_id, done))
        outcome.gone += [(case_id, number) for number in rows if number <= done]
        for number, event in fresh.items():
            if number > done:
                self._park(event, rows.get(number), outcome)

    def _next(
        self,
        case_id: UUID,
        version: int,
        fresh: Mapping[int, Arrived],
        rows: Mapping[int, _Row],
        *,
        retry: bool,
    ) -> Arrived | None:
        """Give the event of this version if it is here, readable or found not to be."""
        event, row = fresh.get(version), rows.get(version)
        if event is not None and event.fault is None:
            return event
        if row is not None and (retry or row.early):
            return self._read_again(case_id, row)
        return None

    def _park(self, event: Arrived, row: _Row | None, outcome: _Outcome) -> None:
        """Keep an event that is not applied now, unless as good a copy waits already."""
        if row is None or (event.fault is None and row.reason != "gap"):
            outcome.parked.append((event, event.fault or "gap"))
        else:
            outcome.duplicates += 1

    def _read_again(self, case_id: UUID, row: _Row) -> Arrived:
        event = self.read(row.body, json.loads(row.headers), stream_sequence=0)
        return replace(
            event, case_id=case_id, version=row.version, position=row.position
        )

    def _found_out(self, tx: Tx) -> list[Arrived]:
        """Take out the messages of no known case that tell their case by now."""
        rows = self._rows(tx, [UNKNOWN_CASE], opened=True).get(UNKNOWN_CASE, {})
        read = {
            number: self.read(row.body, json.loads(row.headers), stream_sequence=number)
            for number, row in rows.items()
        }
        found = {n: event for n, event in read.items() if event.case_id != UNKNOWN_CASE}
        gone = [(UNKNOWN_CASE, number) for number in found]
        self._write(tx, _Outcome(gone=gone), sealed=gone)
        return list(found.values())

    # ----------------------------------------------------------------------- rows

    def _lock(self, tx: Tx, case_ids: Sequence[UUID]) -> dict[UUID, int]:
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
                    [value for case_id in chunk for value in (self.consumer, case_id)],
                )
            return self._versions(tx, case_ids, " ORDER BY case_id FOR UPDATE")
        return self._versions(tx, case_ids)

    def _versions(
        self, tx: Tx, case_ids: Sequence[UUID], locking: str = ""
    ) -> dict[UUID, int]:
        versions: dict[UUID, int] = {}
        for chunk in _chunks(case_ids):
            found = tx.fetchall(
                "SELECT case_id, version FROM inbox_case WHERE consumer = ?"  # noqa: S608  (marks only)
                f" AND case_id IN ({_marks(chunk)}){locking}",
                (self.consumer, *chunk),
            )
            versions.update(found)
        return versions

    def _rows(
        self, tx: Tx, case_ids: Sequence[UUID], *, opened: bool
    ) -> dict[UUID, dict[int, _Row]]:
        """Give what waits for cases, by version; `opened` with the bytes of poison."""
        rows: dict[UUID, dict[int, _Row]] = {}
        for chunk in _chunks(case_ids):
            for case_id, *values in tx.fetchall(
                "SELECT case_id, version, position, reason, detail, headers, body"  # noqa: S608  (marks only)
                " FROM inbox_waiting WHERE consumer = ?"
                f" AND case_id IN ({_marks(chunk)})",
                (self.consumer, *chunk),
            ):
                row = _Row(*values)
                # What was parked before there was a quarantine has its bytes here.
                wanted = opened or row.early
                if wanted and row.reason == "poison" and not row.body:
                    row = replace(row, body=self._unsealed((case_id, row.version), tx))
                rows.setdefault(case_id, {})[row.version] = row
        return rows

    def _unsealed(self, place: Place, tx: Tx) -> bytes:
        try:
            return self.quarantine.body(tx, place)
        except AmendsError as error:  # it goes on waiting, as unreadable as nothing
            _log.warning("quarantine.not_opened", case_id=place[0], reason=error.code)
            return b""

    def _write(self, tx: Tx, outcome: _Outcome, *, sealed: Collection[Place]) -> None:
        """Write what a batch changes; `sealed` are the places that held poison."""
        if sealed:
            left = {*outcome.gone, *(_place(event) for event, _ in outcome.parked)}
            self.quarantine.let_go(tx, [place for place in sealed if place in left])
        if outcome.versions:
            tx.executemany(
                "INSERT INTO inbox_case (consumer, case_id, version) VALUES (?, ?, ?)"
                " ON CONFLICT (consumer, case_id)"
                " DO UPDATE SET version = excluded.version",
                [(self.consumer, *pair) for pair in outcome.versions],
            )
        if outcome.gone:
            tx.executemany(
                "DELETE FROM inbox_waiting"
                " WHERE consumer = ? AND case_id = ? AND version = ?",
                [(self.consumer, *pair) for pair in outcome.gone],
            )
        poison = [event for event, reason in outcome.parked if reason == "poison"]
        if poison:
            self.quarantine.keep(
                tx, [(_place(event), event.body, event.subject) for event in poison]
            )
        for event in poison:
            _log.warning(
                "consumer.quarantined",
                consumer=self.consumer,
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
                        self.consumer,
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


def _require_next(message: Quarantined, versions: Mapping[UUID, int]) -> None:
    case_id, version = message.place
    if version != versions.get(case_id, 0) + 1:
        raise RefusedError(
            "quarantine.not_next",
            "An earlier event of this case is missing or in quarantine: settle that one"
            " first.",
        )


def _place(event: Arrived) -> Place:
    return event.case_id, event.version


def _headers_of(event: Arrived) -> dict[str, str]:
    # What was fetched from a log came without headers; decoding may look for this one.
    return dict(event.headers) or {POSITION: str(event.position)}


def _chunks(case_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(case_ids), IN_LIST_LIMIT):
        yield case_ids[start : start + IN_LIST_LIMIT]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
