"""What intake needs of its record and its vault; persistence gives it."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from events.catalogue import ComplaintReceived
from events.envelope import Envelope
from services.intake.domain.standing import Standing
from services.kernel.vault import Erased, Inventory, Reading, Sealed, SealedFile

IMPORT_CLIENT: Final = "import"
"""Whoever imports a file: a file is the same one whoever imports it again."""


class TakenError(Exception):
    """A unique rule was broken: another writer was first. Look, and decide anew."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes a repeated submission known as one (design.md section 3)."""

    channel: str
    client: str
    key: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What was answered under a key, and the keyed digest of what had been sent."""

    case_id: UUID
    digest: bytes
    receipt_no: str
    received_at: dt.datetime


Marks = Mapping[str, str]
"""What a person or a case may be found by again: kind (`email`) and value."""


@dataclass(frozen=True, slots=True)
class Filing:
    """All that one new complaint adds to the record, in one transaction."""

    key: Key
    kept: Kept
    event: Envelope[ComplaintReceived]
    documents: tuple[Sealed, ...]
    files: tuple[SealedFile, ...]
    marks: Marks


WORDS: Final = "words"
"""The kind of what is looked for in texts, beside those of marks."""


class CatchingUp(Protocol):
    """What keeps words findable: `services.kernel.vault.WordFollower`."""

    async def caught_up(self) -> dt.datetime | None:
        """Wait a moment for what is not yet; say since when something is left."""


class Sought(NamedTuple):
    """What a case is looked for by: the kind of a mark, or `words`, and its value."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the record knew of a batch at one moment."""

    kept: Mapping[UUID, Kept]
    taken: frozenset[str]
    """Receipt numbers, of those asked for, that some complaint has."""
    owners: Mapping[bytes, UUID]
    """The known person of each digest that is known."""
    imported: Mapping[str, str]
    """The channel of each key, of those asked for, that an import has brought."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a customer may know happened to the case (S110)."""

    type: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a case stands and how it came there, as far as intake has heard."""

    receipt_no: str
    case_id: UUID
    received_at: dt.datetime
    standing: Standing
    steps: tuple[Step, ...]
    promised: tuple[dt.datetime, ...] = ()
    """By when the customer hears from us, as long as that is not done."""


@dataclass(frozen=True, slots=True)
class Belongings:
    """What lies here of a person, in numbers, and how far an erasure of it is."""

    documents: tuple[Inventory, ...]
    marks: int
    erased: Erased | None


@dataclass(frozen=True, slots=True)
class BatchTold:
    """What whoever imports says of one run; None is not said, or not counted yet."""

    batch: str
    file: str
    """SHA-256 of the file, as its complaints name it."""
    file_name: str | None = None
    format: str | None = None
    read_rows: int | None = None
    duplicates: int | None = None
    rejected: int | None = None
    histories: int | None = None
    """Histories that were recorded, where they were asked for."""
    done: bool = False
    """Whether the run came to its end."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One run of an import: what was told of it, and what intake itself knows."""

    told: BatchTold
    begun_at: dt.datetime
    done_at: dt.datetime | None
    actor: str
    cases: int
    revoked: int
    """Those of the cases that figures leave out."""


class Brought(NamedTuple):
    """A case that an import brought: where it stood in the file, and what it is."""

    case_id: UUID
    line: int
    receipt_no: str
    channel: str
    received_on: str
    """The day of the complaint, as its source says: `2026-01-31`."""


class Record(Protocol):
    """Intake's own database: the record of what was received.

    Every method may raise `UnavailableError`.
    """

    @property
    def secret(self) -> bytes:
        """32 bytes that case ids and receipt numbers derive from; never replaced."""

    @property
    def access_secret(self) -> bytes:
        """32 bytes that access codes derive from; they lie with the keys."""

    def identity(self, marks: Marks) -> tuple[bytes, ...]:
        """Give the keyed digests that tell a person, the surest first (B5)."""

    def look(
        self,
        cases: Collection[UUID],
        numbers: Collection[str],
        digests: Collection[bytes],
        imported: Collection[str] = (),
    ) -> Seen:
        """Look up cases, numbers, people and keys of imports, as of one moment."""

    def keep(self, filings: Sequence[Filing]) -> None:
        """Commit everything at once.

        Raises `TakenError`, also where an import has brought a key on another channel.
        """

    def progress(self, receipt_no: str) -> Progress | None:
        """Give where the case of a receipt number stands."""

    def received(self, case_id: UUID) -> ComplaintReceived | None:
        """Give what was received as this case."""

    def find(self, alternatives: Collection[Sought]) -> set[UUID]:
        """Give the cases that have one of these. Raises RefusedError for too many."""

    def of_person(self, subject_id: UUID) -> Belongings:
        """Count what lies here of a person."""

    def erase_again(
        self, people: Sequence[tuple[UUID, Sequence[UUID], dt.datetime]]
    ) -> None:
        """Erase people with their cases, who had been erased at a time, once more."""

    def renewals(self, case_id: UUID) -> int:
        """Count how often the access code of a case was made anew."""

    def renew(self, reading: Reading, key: str | None = None) -> int:
        """Make the code of a case anew, commit who did it and when, and count.

        The same `key` of the same actor again makes none: it gives the number it gave.
        Raises `TakenError` where two do it at once.
        """

    def tell_of_import(self, about: BatchTold, *, actor: str, at: dt.datetime) -> None:
        """Commit what is said of a run, over what was said before."""

    def imports(self, batch: str | None = None) -> list[Batch]:
        """Give every import, or the one of this name, the latest first."""

    def imported(self, batch: str, *, after: UUID, limit: int) -> list[Brought]:
        """Give cases of an import behind `after`, in the order of their ids."""

    def note(self, reading: Reading) -> None:
        """Commit who read which document."""


class ChannelAccess(NamedTuple):
    """How the system of a channel hands in complaints on the bus; `seed` is its secret."""

    nats_url: str
    seed: str
    inbox_prefix: str
    submit: str
    """Where it publishes to the stream; the words are wiped once they are committed."""
    ask: str
    """Where it asks, and is answered with the receipt."""

    def __repr__(self) -> str:
        return f"ChannelAccess({self.ask}, seed=…)"
