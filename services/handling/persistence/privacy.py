"""People, holds and the register of erasures in SQL, beside the events.

The register is kept twice: with the events, and with the keys, whose backups are
others. Whatever is restored, one of the two tells who had been erased.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from events.vocabulary import ErasureBasis
from services.handling.domain.evolution import evolve
from services.handling.domain.privacy import Erasure, Hold, HoldReason, Person
from services.kernel.clock import from_micros, micros
from services.kernel.vault import Erasures
from services.kernel.vault.word_index import SWEPT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from services.handling.persistence.record import HandlingRecord
    from services.handling.persistence.work_list import WorkList
    from services.kernel.store.application import EventStore
    from services.kernel.store.database import Database, Tx
    from services.kernel.vault import Erased, Inventory, Sealed, Vault

_REGISTER: Final = """CREATE TABLE IF NOT EXISTS privacy_erasure (
    subject_id UUID PRIMARY KEY, basis TEXT NOT NULL, actor TEXT NOT NULL,
    role TEXT NOT NULL, erased_at BIGINT NOT NULL)"""
_HOLDS: Final = (
    """CREATE TABLE IF NOT EXISTS privacy_hold (
        hold_id UUID PRIMARY KEY, subject_id UUID NOT NULL, reason TEXT NOT NULL,
        document_id UUID, until BIGINT NOT NULL, placed_at BIGINT NOT NULL,
        placed_by TEXT NOT NULL, ended_at BIGINT, ended_by TEXT)""",
    """CREATE INDEX IF NOT EXISTS privacy_hold_by_subject
        ON privacy_hold (subject_id)""",
)
_HOLD: Final = (
    "SELECT hold_id, subject_id, reason, document_id, until, placed_at, placed_by,"
    " ended_at, ended_by FROM privacy_hold"
)
_ENTRY: Final = "SELECT subject_id, basis, actor, role, erased_at FROM privacy_erasure"
_KEEP_ENTRY: Final = (
    "INSERT INTO privacy_erasure (subject_id, basis, actor, role, erased_at)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (subject_id) DO NOTHING"
)


class PrivacyRecord:
    """`ports.PrivacyRecord` over handling's database and that of its keys."""

    def __init__(
        self,
        store: EventStore[Envelope[Any]],
        record: HandlingRecord,
        cases: WorkList,
        vault: Vault,
        *,
        keys: Database,
        beside: Sequence[Callable[[Tx, UUID], None]] = (),
    ) -> None:
        """`beside` forget a person in what lies beside documents: words, files."""
        store.database.migrate((_REGISTER, *_HOLDS))
        keys.migrate((_REGISTER,))
        self._store = store
        self._record = record
        self._cases = cases
        self._vault = vault
        self._beside = beside
        self._keys = keys
        self.erasures = Erasures(
            vault,
            keys,
            store.database,
            also=self._register,
            swept=("command_key", *SWEPT, "vault_file"),
            secrets=("upload_key",),
        )

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        with self._record.writing() as tx:
            # Nobody adds a case or an event to somebody who is just being erased.
            self._store.lock(tx)
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        with self._store.database.read() as tx:
            yield tx

    def person(self, tx: Tx, subject_id: UUID) -> Person:
        holds = tx.fetchall(
            f"{_HOLD} WHERE subject_id = ? ORDER BY placed_at, hold_id", (subject_id,)
        )
        entry = tx.fetchone(f"{_ENTRY} WHERE subject_id = ?", (subject_id,))
        case_ids = tuple(self._cases.of_subject(tx, subject_id))
        return Person(
            subject_id,
            tuple(self._case(tx, case_id) for case_id in case_ids),
            tuple(_hold(row) for row in holds),
            _entry(entry, case_ids) if entry else None,
        )

    def subject_of(self, tx: Tx, case_id: UUID) -> UUID | None:
        row = tx.fetchone(
            "SELECT subject_id FROM work_list WHERE case_id = ?", (case_id,)
        )
        return row[0] if row else None

    def _case(self, tx: Tx, case_id: UUID) -> Case:
        case: Case | None = None
        for event in self._record.load(tx, case_id):
            case = evolve(case, event)
        assert case is not None  # noqa: S101 the row follows from its events
        return case

    def erase(
        self,
        tx: Tx,
        erasure: Erasure,
        *,
        events: Sequence[Envelope[Any]],
        cases: Sequence[Case],
    ) -> None:
        self._store.put(tx, events)
        self._cases.keep(tx, cases)
        tx.execute(_KEEP_ENTRY, _row(erasure))
        # What callers had sent under a key is told by its digest to whoever can guess.
        tx.executemany(
            "DELETE FROM command_key WHERE case_id = ?",
            [(case_id,) for case_id in erasure.case_ids],
        )
        for forget in self._beside:
            forget(tx, erasure.subject_id)
        self.erasures.erase(tx, erasure.subject_id, at=erasure.erased_at)

    def erased_among(
        self, tx: Tx, subject_ids: Collection[UUID]
    ) -> dict[UUID, Erasure]:
        found = self.erasures.among(tx, subject_ids)
        entries = [
            tx.fetchone(f"{_ENTRY} WHERE subject_id = ?", (subject,))
            for subject in sorted(found)
        ]
        return {row[0]: _entry(row) for row in entries if row is not None}

    def inventory(
        self, tx: Tx, subject_id: UUID
    ) -> tuple[list[Inventory], Erased | None]:
        return self._vault.inventory(tx, subject_id), self.erasures.of(tx, subject_id)

    def register(self) -> list[Erasure]:
        with self._keys.read() as tx:
            beside = tx.fetchall(_ENTRY)
        with self._store.database.read() as tx:
            known = {row[0]: row for row in (*beside, *tx.fetchall(_ENTRY))}
            entries = [
                _entry(row, tuple(self._cases.of_subject(tx, row[0])))
                for row in known.values()
            ]
        return sorted(entries, key=lambda each: (each.erased_at, each.subject_id))

    def _register(self, subject_id: UUID) -> None:
        with self._store.database.read() as tx:
            row = tx.fetchone(f"{_ENTRY} WHERE subject_id = ?", (subject_id,))
        if row is not None:
            with self._keys.write() as tx:
                tx.execute(_KEEP_ENTRY, row)

    def place(self, tx: Tx, hold: Hold, documents: Sequence[Sealed]) -> None:
        self._vault.put(tx, documents)
        tx.execute(
            "INSERT INTO privacy_hold (hold_id, subject_id, reason, document_id, until,"
            " placed_at, placed_by) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                hold.hold_id,
                hold.subject_id,
                hold.reason.value,
                hold.document_id,
                micros(hold.until),
                micros(hold.placed_at),
                hold.placed_by,
            ),
        )

    def end(self, tx: Tx, hold_id: UUID, *, by: str, at: datetime) -> None:
        tx.execute(
            "UPDATE privacy_hold SET ended_at = ?, ended_by = ?"
            " WHERE hold_id = ? AND ended_at IS NULL",
            (micros(at), by, hold_id),
        )

    def hold(self, tx: Tx, hold_id: UUID) -> Hold | None:
        row = tx.fetchone(f"{_HOLD} WHERE hold_id = ?", (hold_id,))
        return _hold(row) if row else None

    def holds(self) -> list[Hold]:
        with self._store.database.read() as tx:
            rows = tx.fetchall(f"{_HOLD} ORDER BY placed_at DESC, hold_id")
        return [_hold(row) for row in rows]


def _row(erasure: Erasure) -> tuple[object, ...]:
    return (
        erasure.subject_id,
        erasure.basis.value,
        erasure.actor,
        erasure.role,
        micros(erasure.erased_at),
    )


def _entry(row: Sequence[Any], case_ids: tuple[UUID, ...] = ()) -> Erasure:
    subject_id, basis, actor, role, erased_at = row
    return Erasure(
        subject_id, ErasureBasis(basis), actor, role, from_micros(erased_at), case_ids
    )


def _hold(row: Sequence[Any]) -> Hold:
    hold_id, subject, reason, document, until, placed_at, placed_by, ended_at, by = row
    return Hold(
        hold_id,
        subject,
        HoldReason(reason),
        from_micros(until),
        from_micros(placed_at),
        placed_by,
        document,
        None if ended_at is None else from_micros(ended_at),
        by,
    )
