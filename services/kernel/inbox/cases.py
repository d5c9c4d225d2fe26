"""Decide which arrived events are the next of their case, and keep those that are not.

The transactional half of a consumer: versions and waiting events are rows beside what
the consumer derives, so that they always agree with it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.kernel.broker.headers import POSITION
from services.kernel.errors import NewerVersionError, PoisonError, RefusedError
from services.kernel.inbox.effects import (
    NOT_IN_RECORD,
    Arrived,
    Effect,
    culprits,
)
from services.kernel.inbox.quarantine import (
    UNKNOWN_CASE,
    Discard,
    Place,
    Quarantine,
)
from services.kernel.inbox.rows import Outcome, Row, Rows

if TYPE_CHECKING:
    from uuid import UUID

    from services.kernel.clock import Clock
    from services.kernel.inbox.quarantine import Quarantined
    from services.kernel.inbox.rows import Gap
    from services.kernel.store.database import Tx
    from services.kernel.vault import Vault

Decode = Callable[[bytes, Mapping[str, str]], Arrived]
"""Reads a message; raises PoisonError or NewerVersionError where it cannot."""


@dataclass(frozen=True, slots=True)
class Applied:
    """How many events went which way; `released` had waited and were applied."""

    applied: int = 0
    duplicates: int = 0
    parked: int = 0
    released: int = 0


class Inbox:
    """The inbox of one consumer, shared by all its workers."""

    def __init__(
        self, consumer: str, *, decode: Decode, vault: Vault, now: Clock
    ) -> None:
        """`vault` keeps what cannot be handled, sealed."""
        self.consumer = consumer
        self.quarantine = Quarantine(consumer, vault, now=now)
        self.rows = Rows(consumer, self.quarantine, now=now)
        self._decode = decode

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
            told = headers.get(POSITION, "")
            return Arrived(
                case_id=UNKNOWN_CASE,
                version=stream_sequence,
                position=int(told) if told.isdecimal() else 0,
                body=body,
                event=None,
                fault="poison" if isinstance(error, PoisonError) else "newer",
                reason=error.code,
                headers=headers,
                subject=subject,
            )

    def apply(
        self,
        tx: Tx,
        arrived: Sequence[Arrived],
        effect: Effect,
        *,
        watched: bool = True,
    ) -> Applied:
        """Apply what is next in its case, with what it releases; keep what is early.

        Everything happens in the caller's transaction, which must commit before the
        messages are acknowledged. `effect` is called once, or not at all; again, with
        ever fewer events, only after it raised. Unless `watched` it may take as long as
        it likes.
        """
        by_case: dict[UUID, list[Arrived]] = defaultdict(list)
        for event in arrived:
            by_case[event.case_id].append(event)
        return self._apply(tx, by_case, effect, retry=False, watched=watched)

    def replay(
        self, tx: Tx, effect: Effect, *, case_ids: Iterable[UUID] | None = None
    ) -> Applied:
        """Read again what was poison or too new, and apply what has become readable.

        The later events of such a case are released with it, in order.
        """
        chosen = set(self.rows.faulty(tx) if case_ids is None else case_ids)
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
        outcome = Outcome(gone=[message.place])
        if case_id != UNKNOWN_CASE:
            versions = self.rows.lock(tx, [case_id])
            if message.reason != NOT_IN_RECORD:
                _require_next(message, versions)
                outcome.versions.append(message.place)
        self.quarantine.note_discarded(tx, message, how)
        self.rows.write(tx, outcome, sealed=outcome.gone)
        freed: dict[UUID, list[Arrived]] = (
            {} if case_id == UNKNOWN_CASE else {case_id: []}
        )
        return self._apply(tx, freed, effect, retry=False)

    def discardable(self, tx: Tx, document_id: UUID) -> Quarantined:
        """Give a message if `discard` would take it now; raises as it does."""
        message = self.quarantine.one(tx, document_id)
        case_id, _ = message.place
        if case_id != UNKNOWN_CASE and message.reason != NOT_IN_RECORD:
            _require_next(message, self.rows.versions(tx, [case_id]))
        return message

    def give_up(self, tx: Tx, gap: Gap) -> bool:
        """Put the first event behind a gap in quarantine: nobody has what comes before.

        It is applied all the same once the earlier event is here. Tells whether there
        was one: the gap may have closed.
        """
        version = self.rows.lock(tx, [gap.case_id]).get(gap.case_id, 0)
        rows = self.rows.waiting_of(tx, [gap.case_id], opened=False).get(
            gap.case_id, {}
        )
        first = rows[min(rows)] if rows else None
        if first is None or first.reason != "gap" or first.version == version + 1:
            return False
        event = replace(
            self._read_again(gap.case_id, first), fault="poison", reason=NOT_IN_RECORD
        )
        self.rows.write(tx, Outcome(parked=[(event, "poison")]), sealed=())
        return True

    # ------------------------------------------------------------------- deciding

    def _apply(
        self,
        tx: Tx,
        by_case: Mapping[UUID, Sequence[Arrived]],
        effect: Effect,
        *,
        retry: bool,
        watched: bool = True,
    ) -> Applied:
        case_ids = sorted(by_case)
        versions = self.rows.lock(tx, case_ids)
        rows = self.rows.waiting_of(tx, case_ids, opened=retry)

        def decided(failing: Mapping[Place, str]) -> Outcome:
            outcome = Outcome()
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
        failing = culprits(tx, outcome.effective, effect, watched=watched)
        if failing:
            outcome = decided(failing)
        sealed = [
            (case_id, row.version)
            for case_id, waiting in rows.items()
            for row in waiting.values()
            if row.reason == "poison"
        ]
        self.rows.write(tx, outcome, sealed=sealed)
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
        rows: Mapping[int, Row],
        outcome: Outcome,
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
        rows: Mapping[int, Row],
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

    def _park(self, event: Arrived, row: Row | None, outcome: Outcome) -> None:
        """Keep an event that is not applied now, unless as good a copy waits already."""
        if row is None or (event.fault is None and row.reason != "gap"):
            outcome.parked.append((event, event.fault or "gap"))
        else:
            outcome.duplicates += 1

    def _read_again(self, case_id: UUID, row: Row) -> Arrived:
        event = self.read(row.body, json.loads(row.headers), stream_sequence=0)
        return replace(
            event, case_id=case_id, version=row.version, position=row.position
        )

    def _found_out(self, tx: Tx) -> list[Arrived]:
        """Take out the messages of no known case that tell their case by now."""
        rows = self.rows.waiting_of(tx, [UNKNOWN_CASE], opened=True).get(
            UNKNOWN_CASE, {}
        )
        read = {
            number: self.read(row.body, json.loads(row.headers), stream_sequence=number)
            for number, row in rows.items()
        }
        found = {n: event for n, event in read.items() if event.case_id != UNKNOWN_CASE}
        gone = [(UNKNOWN_CASE, number) for number in found]
        self.rows.write(tx, Outcome(gone=gone), sealed=gone)
        return list(found.values())


def _require_next(message: Quarantined, versions: Mapping[UUID, int]) -> None:
    case_id, version = message.place
    if version != versions.get(case_id, 0) + 1:
        raise RefusedError(
            "quarantine.not_next",
            "An earlier event of this case is missing or in quarantine: settle that one"
            " first.",
        )
