"""Intake's record in SQL: events, keys of submissions, who is who, where cases stand."""

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import structlog
from eventsourcing.persistence import IntegrityError, PersistenceError

from events import codec
from events.catalogue import ComplaintReceived, SubjectErased
from events.envelope import Envelope
from events.vocabulary import State
from services.intake.application.registering import named_as_before
from services.intake.domain.standing import SHOWN, Standing, advance
from services.intake.persistence import batches, promises
from services.intake.ports import (
    IMPORT_CLIENT,
    WORDS,
    Batch,
    BatchTold,
    Belongings,
    Brought,
    Filing,
    Kept,
    Marks,
    Progress,
    Seen,
    Sought,
    Step,
    TakenError,
)
from services.kernel.clock import from_micros, micros
from services.kernel.errors import NotFoundError, UnavailableError
from services.kernel.store.application import EventStore
from services.kernel.store.database import IN_LIST_LIMIT, Database, Tx
from services.kernel.store.recorder import LogEntry
from services.kernel.store.secret import kept_secret
from services.kernel.vault import (
    CASES_LIMIT,
    KINDS,
    BlindIndex,
    DamagedError,
    Erasures,
    Files,
    Reading,
    Readings,
    Text,
    Vault,
    WordIndex,
    too_common,
)
from services.kernel.vault.word_index import SWEPT

TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS submission (
        case_id UUID PRIMARY KEY, channel TEXT NOT NULL, client TEXT NOT NULL,
        key TEXT NOT NULL, digest BYTEA NOT NULL, receipt_no TEXT NOT NULL UNIQUE,
        received_at BIGINT NOT NULL, UNIQUE (channel, client, key))""",
    """CREATE INDEX IF NOT EXISTS submission_imported ON submission (key)
        WHERE client = 'import'""",
    """CREATE TABLE IF NOT EXISTS standing (
        case_id UUID PRIMARY KEY, state TEXT NOT NULL, unit TEXT)""",
    """CREATE TABLE IF NOT EXISTS step (
        case_id UUID NOT NULL, version BIGINT NOT NULL, type TEXT NOT NULL,
        occurred_at BIGINT NOT NULL, PRIMARY KEY (case_id, version))""",
    """CREATE TABLE IF NOT EXISTS access_code_renewal (
        case_id UUID NOT NULL, number BIGINT NOT NULL, renewed_at BIGINT NOT NULL,
        actor TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (case_id, number))""",
    """CREATE TABLE IF NOT EXISTS access_code_renewal_key (
        case_id UUID NOT NULL, actor TEXT NOT NULL, key TEXT NOT NULL,
        number BIGINT NOT NULL, PRIMARY KEY (case_id, actor, key))""",
)
"""DDL of the room. Instants are microseconds UTC. `step` is what a customer may see."""

NO_DIGEST: Final = bytes(32)
"""What is left of the digest of something that was erased; it equals no other."""

_log = structlog.get_logger(__name__)


class IntakeRecord:
    """`ports.Record` over one store database and the database of the keys."""

    def __init__(
        self,
        store: EventStore[Envelope[Any]],
        vault: Vault,
        files: Files,
        index: BlindIndex,
        words: WordIndex,
        *,
        keys: Database,
    ) -> None:
        self._store = store
        self._files = files
        self._database = store.database
        self._vault = vault
        self._index = index
        self._words = words
        self._database.migrate((*TABLES, *batches.TABLES, *promises.TABLES))
        self._readings = Readings(self._database)
        self.erasures = Erasures(
            vault,
            keys,
            self._database,
            swept=(
                "blind_mark",
                *SWEPT,
                "vault_file",
                "submission",
            ),
            secrets=("upload_key",),
        )
        self.secret = kept_secret(self._database, "case")
        self.access_secret = kept_secret(keys, "access")

    def identity(self, marks: Marks) -> tuple[bytes, ...]:
        return self._index.identity(marks)

    def look(
        self,
        cases: Collection[UUID],
        numbers: Collection[str],
        digests: Collection[bytes],
        imported: Collection[str] = (),
    ) -> Seen:
        with _told(), self._database.read() as tx:
            rows = _in(
                tx,
                "SELECT case_id, digest, receipt_no, received_at FROM submission"
                " WHERE case_id IN",
                cases,
            )
            taken = _in(
                tx, "SELECT receipt_no FROM submission WHERE receipt_no IN", numbers
            )
            owners = self._index.owners(tx, digests)
            channels = dict(_imported(tx, imported))
        kept = {
            case: Kept(case, bytes(digest), number, from_micros(received_at))
            for case, digest, number, received_at in rows
        }
        numbers = frozenset(number for (number,) in taken)
        return Seen(kept, numbers, owners, channels)

    def keep(self, filings: Sequence[Filing]) -> None:
        with _told(), self._database.write() as tx:
            tx.executemany(
                "INSERT INTO submission (case_id, channel, client, key, digest,"
                " receipt_no, received_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        each.kept.case_id,
                        each.key.channel,
                        each.key.client,
                        each.key.key,
                        each.kept.digest,
                        each.kept.receipt_no,
                        micros(each.kept.received_at),
                    )
                    for each in filings
                ],
            )
            self._store.put(tx, [each.event for each in filings])
            # Behind the log's lock: nobody else's row can come in between.
            keys = [
                each.key.key for each in filings if each.key.client == IMPORT_CLIENT
            ]
            if len(_imported(tx, set(keys))) > len(keys):
                raise TakenError
            self._vault.put(tx, [paper for each in filings for paper in each.documents])
            self._files.put(tx, [file for each in filings for file in each.files])
            self._index.put(
                tx,
                [
                    (kind, value, each.event.data.subject_id, each.kept.case_id)
                    for each in filings
                    for kind, value in each.marks.items()
                ],
            )
            bring_forward(tx, [each.event for each in filings])
            batches.brought(tx, [each.event for each in filings])

    def index(self, entries: Sequence[LogEntry], also: Callable[[Tx], None]) -> None:
        """Enter the marks of these complaints anew, and do `also` with it."""
        events = [codec.decode(each.body) for each in entries]
        received = [
            (each, each.data)
            for each in events
            if isinstance(each.data, ComplaintReceived)
        ]
        marks = list[tuple[str, str, UUID, UUID]]()
        with self._database.read() as tx:
            keys = dict(
                _in(
                    tx,
                    "SELECT case_id, key FROM submission WHERE case_id IN",
                    {each.case_id for each, _ in received},
                )
            )
        for event, given in received:
            known = named_as_before(keys.get(event.case_id, ""), event.origin)
            known |= self._particulars(given)
            marks += (
                (kind, value, given.subject_id, event.case_id)
                for kind, value in known.items()
            )
        with _told(), self._database.write() as tx:
            people = {given.subject_id for _, given in received}
            gone = self.erasures.among(tx, people)
            self._index.put(tx, [mark for mark in marks if mark[2] not in gone])
            also(tx)

    def _particulars(self, given: ComplaintReceived) -> dict[str, str]:
        """Read the marks of a complaint out of its particulars, and its lot."""
        marks = {"lot": given.product.lot} if given.product else {}
        if given.particulars is not None:
            try:
                document = self._vault.open(given.particulars.document_id)
            except (NotFoundError, DamagedError):
                return {}
            told = json.loads(document.plaintext)
            marks |= told.get("product", {}) | told.get("contact", {}) | told
        return {
            kind: value
            for kind, value in marks.items()
            if kind in KINDS and isinstance(value, str)
        }

    def follow(self, tx: Tx, events: Sequence[Envelope[Any]]) -> None:
        """Note what handling did to cases, in the inbox's transaction."""
        bring_forward(tx, events)
        promises.note(tx, events)
        batches.corrected(tx, events)
        for event in events:
            if isinstance(event.data, SubjectErased):
                self.erase(
                    tx, event.data.subject_id, [event.case_id], at=event.occurred_at
                )

    def erase(
        self, tx: Tx, subject_id: UUID, case_ids: Sequence[UUID], *, at: dt.datetime
    ) -> None:
        """Forget what a person handed in as these cases, and how they are found.

        The digest of what was sent could be tested with guesses, and a client may have
        put anything into its key.
        """
        self.erasures.erase(tx, subject_id, at=at)
        self._index.erase(tx, subject_id)
        self._words.erase(tx, subject_id)
        self._files.erase(tx, subject_id)
        tx.executemany(
            "UPDATE submission SET digest = ?, key = ? WHERE case_id = ?",
            [(NO_DIGEST, f"erased:{case}", case) for case in case_ids],
        )

    def erase_again(
        self, people: Sequence[tuple[UUID, Sequence[UUID], dt.datetime]]
    ) -> None:
        with _told(), self._database.write() as tx:
            for subject, case_ids, at in people:
                self.erase(tx, subject, case_ids, at=at)

    def of_person(self, subject_id: UUID) -> Belongings:
        with _told(), self._database.read() as tx:
            return Belongings(
                documents=tuple(self._vault.inventory(tx, subject_id)),
                marks=self._index.count(tx, subject_id),
                erased=self.erasures.of(tx, subject_id),
            )

    def progress(self, receipt_no: str) -> Progress | None:
        with _told(), self._database.read() as tx:
            row = tx.fetchone(
                "SELECT submission.case_id, received_at, state, unit FROM submission"
                " JOIN standing ON standing.case_id = submission.case_id"
                " WHERE receipt_no = ?",
                (receipt_no,),
            )
            if row is None:
                return None
            case, received_at, state, unit = row
            steps = tx.fetchall(
                "SELECT type, occurred_at FROM step WHERE case_id = ? ORDER BY version",
                (case,),
            )
            promised = promises.promised(tx, case)
        return Progress(
            receipt_no,
            case,
            from_micros(received_at),
            Standing(State(state), unit),
            tuple(Step(type_, from_micros(at)) for type_, at in steps),
            promised,
        )

    def received(self, case_id: UUID) -> ComplaintReceived | None:
        with _told():
            events = self._store.load(case_id, upto_version=1)
        return next((event.data for event in events), None)

    def find(self, alternatives: Collection[Sought]) -> set[UUID]:
        found: set[UUID] = set()
        with _told(), self._database.read() as tx:
            for kind, value in alternatives:
                if kind == WORDS:
                    found |= self._words.find(tx, value)
                else:
                    found.update(self._index.find_cases(tx, kind, value))
        if len(found) > CASES_LIMIT:
            raise too_common()
        return found

    def case_of(self, number: str) -> UUID | None:
        """Give the case of the 16 digits of a receipt number."""
        found = self.progress(number)
        return found.case_id if found else None

    def renewals(self, case_id: UUID) -> int:
        with _told(), self._database.read() as tx:
            return _renewals(tx, case_id)

    def renew(self, reading: Reading, key: str | None = None) -> int:
        by = (reading.case_id, reading.actor, key)
        with _told(), self._database.write() as tx:
            if key and (
                row := tx.fetchone(
                    "SELECT number FROM access_code_renewal_key"
                    " WHERE case_id = ? AND actor = ? AND key = ?",
                    by,
                )
            ):
                return int(row[0])
            number = _renewals(tx, reading.case_id) + 1
            if key:
                tx.execute(
                    "INSERT INTO access_code_renewal_key (case_id, actor, key, number)"
                    " VALUES (?, ?, ?, ?)",
                    (*by, number),
                )
            tx.execute(
                "INSERT INTO access_code_renewal (case_id, number, renewed_at, actor,"
                " role) VALUES (?, ?, ?, ?, ?)",
                (
                    reading.case_id,
                    number,
                    micros(reading.read_at),
                    reading.actor,
                    reading.role,
                ),
            )
            self._readings.put(tx, [reading])
        return number

    def tell_of_import(self, about: BatchTold, *, actor: str, at: dt.datetime) -> None:
        with _told(), self._database.write() as tx:
            batches.told(tx, about, actor=actor, at=at)

    def imports(self, batch: str | None = None) -> list[Batch]:
        with _told(), self._database.read() as tx:
            return batches.listed(tx, batch)

    def imported(self, batch: str, *, after: UUID, limit: int) -> list[Brought]:
        with _told(), self._database.read() as tx:
            return batches.cases(tx, batch, after=after, limit=limit)

    def note(self, reading: Reading) -> None:
        with _told():
            self._readings.note([reading])


def texts(entries: Sequence[LogEntry]) -> Iterator[Text]:
    """Name the documents of complaints that are found by their words."""
    for entry in entries:
        event = codec.decode(entry.body)
        if isinstance(event.data, ComplaintReceived):
            for ref in (event.data.statement, event.data.desired_outcome):
                if ref is not None:
                    yield Text(entry.position, event.case_id, ref.document_id)


def _renewals(tx: Tx, case_id: UUID) -> int:
    row = tx.fetchone(
        "SELECT MAX(number) FROM access_code_renewal WHERE case_id = ?", (case_id,)
    )
    return row[0] or 0 if row else 0


def bring_forward(tx: Tx, events: Sequence[Envelope[Any]]) -> None:
    """Bring the standing and the steps of cases forward by events in case order.

    Version 1 comes twice, from intake itself and back from handling: the second time
    it changes nothing.
    """
    rows = _in(
        tx,
        "SELECT case_id, state, unit FROM standing WHERE case_id IN",
        {event.case_id for event in events},
    )
    standings = {case: Standing(State(state), unit) for case, state, unit in rows}
    moved: dict[UUID, Standing] = {}
    for event in events:
        if event.version > 1 or event.case_id not in standings:
            now = advance(standings.get(event.case_id), event)
            standings[event.case_id] = moved[event.case_id] = now
    tx.executemany(
        "INSERT INTO standing (case_id, state, unit) VALUES (?, ?, ?)"
        " ON CONFLICT (case_id) DO UPDATE SET state = excluded.state,"
        " unit = excluded.unit",
        [(case, standing.state, standing.unit) for case, standing in moved.items()],
    )
    tx.executemany(
        "INSERT INTO step (case_id, version, type, occurred_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (case_id, version) DO NOTHING",
        [
            (event.case_id, event.version, event.type, micros(event.occurred_at))
            for event in events
            if event.type in SHOWN
        ],
    )


def _imported(tx: Tx, keys: Collection[str]) -> list[tuple[str, str]]:
    """Give key and channel of what imports brought under these keys."""
    # `IMPORT_CLIENT` stands in the text: only so does the partial index serve.
    return _in(
        tx,
        "SELECT key, channel FROM submission WHERE client = 'import' AND key IN",
        keys,
    )


def _in(tx: Tx, sql: str, values: Collection[object]) -> list[tuple[Any, ...]]:
    """Run `sql … IN` for any number of values."""
    rows: list[tuple[Any, ...]] = []
    waiting = list(values)
    while waiting:
        some, waiting = waiting[:IN_LIST_LIMIT], waiting[IN_LIST_LIMIT:]
        rows += tx.fetchall(f"{sql} ({', '.join('?' * len(some))})", some)
    return rows


@contextmanager
def _told() -> Iterator[None]:
    """Turn the database's errors into the port's."""
    try:
        yield
    except IntegrityError as error:
        raise TakenError from error
    except PersistenceError as error:
        _log.warning("intake.store_failed", exc_info=True)
        raise UnavailableError(
            "intake.store_unavailable",
            "It is not certain that this was kept: send it again with the same key.",
            retry_after=5,
        ) from error
