"""What handling's use cases need from outside, and the plain values they answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from uuid import UUID

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from services.handling.domain.privacy import Erasure, Hold, Person
    from services.kernel.access import Credential
    from services.kernel.vault import Act, Erased, Inventory, Sealed, SealedFile


class Listed(NamedTuple):
    """One row of the queue: codes only."""

    case_id: UUID
    receipt_no: str
    version: int
    state: str
    department: str | None
    channel: str | None
    category: str | None
    product: str | None
    supplier: str | None
    severity: str | None
    origin: str
    received_precision: str
    closed_precision: str | None
    next_clock: str | None
    received_at: datetime
    closed_at: datetime | None
    next_due: datetime | None
    """What the case owes next: derived, and kept for the order of the queue alone."""


class Tallied(NamedTuple):
    """How many cases are in a state, of a severity."""

    state: str
    severity: str | None
    cases: int


class QueueFilter(NamedTuple):
    """Which rows of the queue; None means any. `after` is the last row of a page.

    `department` leads the case, was asked to contribute or contributes; `unassigned`
    adds the cases that no department leads. `category` takes the path itself and all
    below it. `unended` leaves out ended cases. Cases that are open have no time of closing.
    `by_due` lists what is due next first, and only cases of which something is due.
    """

    state: str | None = None
    department: str | None = None
    channel: str | None = None
    category: str | None = None
    product: str | None = None
    supplier: str | None = None
    severity: str | None = None
    origins: tuple[str, ...] = ()
    received_from: datetime | None = None
    received_before: datetime | None = None
    closed_from: datetime | None = None
    closed_before: datetime | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None
    by_due: bool = False
    for_unit: bool = False
    """Of what is due, only what departments are told."""
    unended: bool = False
    unassigned: bool = False
    known_by: int | None = None
    """Only cases that the record had at this position."""
    after: tuple[datetime, UUID] | None = None

    def place(self, row: Listed) -> tuple[datetime, UUID]:
        """Give where a row stands in this order."""
        return (self.by_due and row.next_due) or row.received_at, row.case_id


class Entry(Protocol):
    """One stored event with its place in the record."""

    @property
    def position(self) -> int: ...
    @property
    def committed_at(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class StoredRow(NamedTuple):
    """One stored event as the record keeps it; `position` and `version` are its place."""

    position: int
    case_id: UUID
    version: int
    type: str
    body: bytes


class CaseStore(Protocol):
    """The record of cases: `services.kernel.store.EventStore` is one."""

    def put_bodies(
        self, tx: Any, rows: Iterable[tuple[UUID, int, str, bytes]]
    ) -> Sequence[Entry]: ...

    def log(
        self,
        after: int,
        limit: int,
        *,
        upto: int | None = None,
        case_id: UUID | None = None,
    ) -> Sequence[Entry]: ...

    def histories(
        self, cases: Collection[UUID], *, upto: int
    ) -> Mapping[UUID, Sequence[Entry]]:
        """Give the entries of these cases up to a position, each case's in order."""

    def last_position(self) -> int: ...

    def position_at(self, instant: datetime) -> int: ...

    def known_at(self, position: int) -> datetime | None: ...


class CaseList(Protocol):
    """The rows that the queue shows, kept in the transaction of the events."""

    def keep(self, tx: Any, cases: Sequence[Case]) -> None: ...

    def find(self, receipt_no: str) -> UUID | None: ...

    def page(self, wanted: QueueFilter, *, limit: int) -> list[Listed]: ...

    def count(self, wanted: QueueFilter) -> int: ...

    def having_digits(self, digits: str) -> set[UUID]:
        """Give the cases whose receipt number has these digits in it.

        Raises RefusedError where they are too many.
        """

    def among(self, cases: Iterable[UUID], wanted: QueueFilter) -> list[Listed]:
        """Give the rows of these cases that fit, oldest receipt first."""

    def tally(self, wanted: QueueFilter) -> list[Tallied]: ...


class Sought(NamedTuple):
    """What a case is looked for by: `receipt_no`, `words` or a kind of mark; its value."""

    kind: str
    value: str


Clause = tuple[Sought, ...]
"""Alternatives: a case that has one of them is found."""


class IntakeFinding(Protocol):
    """Who finds cases by what was handed in: intake."""

    async def find(
        self, clauses: Sequence[Clause]
    ) -> tuple[list[set[UUID]], datetime | None]:
        """Give the cases of each clause, whoever may see them.

        And since when complaints were not searched for words yet.
        Raises RefusedError where they are too many, UnavailableError where nobody
        answers in time.
        """


class CatchingUp(Protocol):
    """What keeps words findable: `services.kernel.vault.WordFollower`."""

    async def caught_up(self) -> datetime | None:
        """Wait a moment for what is not yet; say since when something is left."""


class OwnWords(Protocol):
    """What was written here, found by its words: `services.kernel.vault.WordIndex`."""

    def search(self, text: str) -> set[UUID]:
        """Give the cases with every word of the text; RefusedError for too many."""


class Opened(NamedTuple):
    """The case that a receipt and its access code open."""

    case_id: UUID
    receipt_no: str


class Receipts(Protocol):
    """Who knows receipts and their access codes: intake."""

    async def opened(self, receipt_no: str, access_code: str) -> Opened:
        """Give the case, the number being as somebody typed it.

        Raises UnauthenticatedError, the same for a wrong number and a wrong code,
        TooManyError after too many wrong ones, UnavailableError where nobody answers.
        """


class NewCode(NamedTuple):
    """The code that opens a case from now on; `contact` says, masked, whose it is."""

    receipt_no: str
    access_code: str
    contact: Mapping[str, str]

    def __repr__(self) -> str:
        return f"NewCode({self.receipt_no}, …)"


class AccessCodes(Protocol):
    """Who makes access codes: intake."""

    async def renew(
        self,
        case_id: UUID,
        sender: Credential,
        *,
        key: str | None = None,
        verified: str | None = None,
    ) -> NewCode:
        """Make a case's code anew and note who did; the old one ends at once.

        `verified` is the code of how the sender made sure of the customer. Sent again
        with the same `key` it gives the same code, or raises RefusedError where that
        was replaced. Raises UnavailableError where nobody answers: then it may have
        ended.
        """


class Paper(NamedTuple):
    """What a document holds; `masked` tells that something of it was left out."""

    kind: str
    media_type: str
    content: bytes
    masked: bool = False


class Sheet(NamedTuple):
    """What a file is: a label, its type by its bytes, its fingerprint (SHA-256)."""

    kind: str
    name: str
    media_type: str
    size: int
    sha256: str


class Look(NamedTuple):
    """Who wants to read a document of which case, the code of what for, and how."""

    case_id: UUID
    document_id: UUID
    actor: str
    role: str
    department: str | None = None
    purpose: str | None = None
    act: Act = "read"


class IntakeDocuments(Protocol):
    """Who has what was handed in: intake."""

    async def open(self, look: Look) -> Paper:
        """Give a document; particulars are masked unless a purpose is stated.

        Raises NotFoundError, also where its person was erased, UnavailableError where
        nobody answers in time.
        """

    async def file(self, look: Look) -> Sheet:
        """Tell of a file that came with a complaint, and note who looks. Raises alike."""

    async def piece(self, look: Look, number: int) -> bytes:
        """Give a piece, at most 512 KiB, of a file that was told of. Raises alike."""


class FeedAccess(NamedTuple):
    """How a department's own program reads its feed; `seed` is its secret."""

    nats_url: str
    seed: str
    api_prefix: str
    """The broker's `$JS.API` under the name that this user has for it."""
    stream: str
    durable: str
    inbox_prefix: str

    def __repr__(self) -> str:
        return f"FeedAccess({self.durable}, seed=…)"


class Copy(NamedTuple):
    """A department's copy of an event: its place in the record, and the stored bytes."""

    position: int
    body: bytes


class Copies(Protocol):
    """Which events were for which department; kept in the transaction of the events."""

    @property
    def shared(self) -> bool:
        """Tell whether other processes add copies too, of whom nothing is heard here."""

    def page(self, department: str, after: int, *, limit: int) -> list[Copy]:
        """Give at most `limit` copies behind a position, in the order of the record."""

    def on_commit(self, callback: Callable[[frozenset[str]], None]) -> None:
        """Have the departments with new copies told after each commit, in its thread."""


class KeyRow(NamedTuple):
    """A command that was carried out under its caller's key, and what it answered."""

    actor: str
    key: str
    case_id: UUID
    digest: bytes
    result: str


class TakenError(Exception):
    """Another process wrote the same version or key first: decide anew."""


class Record(Protocol):
    """What commands read and write, in one transaction of the writer."""

    def writing(self) -> AbstractContextManager[Any]:
        """Open the transaction; raises TakenError, UnavailableError at its end."""

    def load(self, tx: Any, case_id: UUID) -> list[Envelope[Any]]:
        """Give the events of a case, to be folded: as `events.quick` reads them."""

    def outdated(self, tx: Any, versions: Mapping[UUID, int]) -> set[UUID]:
        """Name those of these cases that another process has taken further."""

    def keys(
        self, tx: Any, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], KeyRow]:
        """Give the kept ones of (actor, key)."""

    def keep(
        self,
        tx: Any,
        *,
        events: Sequence[Envelope[Any]],
        cases: Sequence[Case],
        documents: Sequence[Sealed],
        files: Sequence[SealedFile],
        keys: Sequence[KeyRow],
    ) -> None: ...


class PrivacyRecord(Protocol):
    """People with their cases, holds on their data, and who was erased."""

    def writing(self) -> AbstractContextManager[Any]:
        """Open a transaction beside which nobody adds an event or a case."""

    def reading(self) -> AbstractContextManager[Any]: ...

    def person(self, tx: Any, subject_id: UUID) -> Person:
        """Give somebody, also one of whom nothing is known: without cases."""

    def subject_of(self, tx: Any, case_id: UUID) -> UUID | None: ...

    def erase(
        self,
        tx: Any,
        erasure: Erasure,
        *,
        events: Sequence[Envelope[Any]],
        cases: Sequence[Case],
    ) -> None:
        """Record the erasure of `erasure.case_ids`, and overwrite what was written."""

    def erased_among(
        self, tx: Any, subject_ids: Collection[UUID]
    ) -> Mapping[UUID, Erasure]:
        """Give the erasures of those of these people who were erased, without cases."""

    def inventory(
        self, tx: Any, subject_id: UUID
    ) -> tuple[list[Inventory], Erased | None]:
        """Count what lies here of a person, and tell how far an erasure is."""

    def register(self) -> list[Erasure]:
        """Give every erasure, the earliest first."""

    def place(self, tx: Any, hold: Hold, documents: Sequence[Sealed]) -> None: ...

    def end(self, tx: Any, hold_id: UUID, *, by: str, at: datetime) -> None:
        """Note the end of a hold; one that has ended keeps its end."""

    def hold(self, tx: Any, hold_id: UUID) -> Hold | None: ...

    def holds(self) -> list[Hold]:
        """Give every hold that ever was, the latest first."""


class PeopleAtIntake(Protocol):
    """Who has what people handed in: intake."""

    async def inventory(self, subject_id: UUID) -> Mapping[str, Any]:
        """Tell what lies there of a person. Raises UnavailableError."""
