"""Documents sealed with AES-256-GCM under a key of the person whom they are about.

The keys lie in a database of their own, which ordinary backups of the store leave out.
To erase a person is to destroy one key: every copy of every document, in backups too,
becomes noise. A destroyed key leaves a tombstone and is never made again.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.clock import from_micros, micros
from services.kernel.errors import AmendsError, NotFoundError, UnavailableError
from services.kernel.store.database import IN_LIST_LIMIT, about_the_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from services.kernel.store.database import Database, Tx

KEY_SIZE = 32
NONCE_SIZE = 12
SALT_SIZE = 16
CIPHERS_KEPT = 4_096  # of the people sealed for last; a few hundred bytes each

KEY_TABLES = (
    """CREATE TABLE IF NOT EXISTS vault_key (
        subject_id UUID NOT NULL PRIMARY KEY, secret BYTEA, destroyed_at BIGINT,
        CHECK ((secret IS NULL) <> (destroyed_at IS NULL)))""",
)
DOCUMENT_TABLES = (
    # Rows are wide: on SQLite a rowid table, appended to, beside a small unique index.
    """CREATE TABLE IF NOT EXISTS vault_document (
        document_id UUID NOT NULL UNIQUE, subject_id UUID NOT NULL,
        kind TEXT NOT NULL, media_type TEXT NOT NULL,
        nonce BYTEA NOT NULL, ciphertext BYTEA NOT NULL, size BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS vault_document_by_subject
        ON vault_document (subject_id)""",
)
_BLANK = bytes(NONCE_SIZE)
"""In the place of the nonce of a document that was erased."""
_BLANKED = {
    # As long as before, so that SQLite writes over the bytes where they lie. A row that
    # goes would have its neighbours moved, whose old places may keep their bytes.
    "sqlite": "zeroblob(length(ciphertext))",
    "postgres": "''::bytea",
}


class ErasedError(NotFoundError):
    """The person's key was destroyed: the words existed and nobody can read them."""

    def __init__(self, subject_id: UUID) -> None:
        super().__init__(
            "vault.erased",
            "This person's data was erased at their request; it cannot be brought back.",
        )
        self.subject_id = subject_id

    def __reduce__(self) -> tuple[type[ErasedError], tuple[UUID]]:
        return type(self), (self.subject_id,)


class DamagedError(AmendsError):
    """A document is not what was sealed, or its key is missing without a tombstone."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A document ready to be stored; an event holds its id and `digest`.

    `digest` is SHA-256(salt ‖ plaintext) in hexadecimal, `size` the plaintext's length
    in bytes. The salt is sealed with the words, so that it dies with them: whoever
    keeps an old copy of the store cannot test guesses against the digest in the event.
    """

    document_id: UUID
    subject_id: UUID
    kind: str
    media_type: str
    nonce: bytes
    ciphertext: bytes  # of salt ‖ plaintext, with the tag
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document opened. Compare `digest` with the event's: then it is the same one."""

    document_id: UUID
    subject_id: UUID
    kind: str
    media_type: str
    plaintext: bytes
    salt: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left of a person's key."""

    subject_id: UUID
    destroyed_at: datetime


@dataclass(frozen=True, slots=True)
class Inventory:
    """How many documents of a kind a person has here, and their bytes as written."""

    kind: str
    documents: int
    size: int


class Vault:
    """The sealed documents of one service.

    The order is: `ensure_keys` (committed), `seal` in memory, then `put` in the
    transaction that stores the event. `kind` and `media_type` lie open beside the
    ciphertext; document and subject are bound to it as associated data, so that a row
    given to another person or another document does not open.
    """

    def __init__(
        self,
        keys: Database,
        documents: Database,
        *,
        randbytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`keys` is a database of its own, opened with `secure_delete`."""
        keys.migrate(KEY_TABLES)
        documents.migrate(DOCUMENT_TABLES)
        self._keys = keys
        self._documents = documents
        self._randbytes = randbytes
        self._ciphers: OrderedDict[UUID, AESGCM] = OrderedDict()

    def ensure_keys(self, subject_ids: Iterable[UUID]) -> None:
        """Have a key of each person committed; call it for every batch, before `seal`.

        Raises ErasedError where one of them was erased: a new complaint of the same
        human being is that of a new subject; UnavailableError where the keys cannot be
        read or written.
        """
        try:
            self._ensure_keys(list(dict.fromkeys(subject_ids)))
        except Exception as error:
            if not about_the_store(error):
                raise
            raise UnavailableError(
                "vault.keys_unavailable",
                "It is not certain that this was kept: send it again with the same key.",
                retry_after=5,
            ) from error

    def _ensure_keys(self, wanted: Sequence[UUID]) -> None:
        with self._keys.read() as tx:
            secrets = _secrets(tx, wanted)
        missing = [subject for subject in wanted if subject not in secrets]
        if missing:
            with self._keys.write() as tx:
                tx.executemany(
                    "INSERT INTO vault_key (subject_id, secret) VALUES (?, ?)"
                    " ON CONFLICT (subject_id) DO NOTHING",
                    [(subject, self._randbytes(KEY_SIZE)) for subject in missing],
                )
                # Another process may have been faster: its key counts.
                secrets |= _secrets(tx, missing)
        for subject in wanted:
            self._keep(subject, secrets[subject])

    def seal(
        self,
        *,
        document_id: UUID,
        subject_id: UUID,
        kind: str,
        media_type: str,
        plaintext: bytes,
    ) -> Sealed:
        """Encrypt a document; writes nothing.

        Raises ErasedError for an erased person, NotFoundError for one without a key.
        """
        cipher = self._ciphers.get(subject_id) or self._cipher(subject_id)
        salt = self._randbytes(SALT_SIZE)
        nonce = self._randbytes(NONCE_SIZE)
        salted = salt + plaintext
        return Sealed(
            document_id=document_id,
            subject_id=subject_id,
            kind=kind,
            media_type=media_type,
            nonce=nonce,
            ciphertext=cipher.encrypt(nonce, salted, _bound(document_id, subject_id)),
            digest=sha256(salted).hexdigest(),
            size=len(plaintext),
        )

    def put(self, tx: Tx, documents: Sequence[Sealed]) -> None:
        """Store documents in the transaction that stores the event.

        Raises `eventsourcing.persistence.IntegrityError` for an id that is taken.
        """
        tx.executemany(
            "INSERT INTO vault_document (document_id, subject_id, kind, media_type,"
            " nonce, ciphertext, size) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    each.document_id,
                    each.subject_id,
                    each.kind,
                    each.media_type,
                    each.nonce,
                    each.ciphertext,
                    each.size,
                )
                for each in documents
            ],
        )

    def remove(self, tx: Tx, document_id: UUID) -> None:
        """Delete a document in the caller's transaction; one that is not there, too."""
        tx.execute("DELETE FROM vault_document WHERE document_id = ?", (document_id,))

    def blank(self, tx: Tx, subject_id: UUID) -> None:
        """Overwrite every document of a person; what is left says that it was erased."""
        tx.execute(
            f"UPDATE vault_document SET nonce = ?, ciphertext = {_BLANKED[tx.dialect]}"  # noqa: S608 fixed words
            " WHERE subject_id = ? AND nonce <> ?",
            (_BLANK, subject_id, _BLANK),
        )

    def inventory(self, tx: Tx, subject_id: UUID) -> list[Inventory]:
        """Count a person's documents by kind; not those that were erased."""
        rows = tx.fetchall(
            "SELECT kind, COUNT(*), SUM(size) FROM vault_document"
            " WHERE subject_id = ? AND nonce <> ? GROUP BY kind ORDER BY kind",
            (subject_id, _BLANK),
        )
        return [Inventory(kind, count, int(size)) for kind, count, size in rows]

    def open(self, document_id: UUID) -> Document:
        """Read a document.

        Raises NotFoundError where there never was one, ErasedError where its person
        was erased, DamagedError where row or key are not what they were.
        """
        with self._documents.read() as tx:
            row = tx.fetchone(
                "SELECT subject_id, kind, media_type, nonce, ciphertext"
                " FROM vault_document WHERE document_id = ?",
                (document_id,),
            )
        if row is None:
            raise NotFoundError("vault.unknown", "No document has this id.")
        if row[3] == _BLANK:
            raise ErasedError(row[0])
        # Never from memory: another process may have erased the person.
        return _opened(document_id, row, self._secret(row[0]))

    def readable(self, document_ids: Sequence[UUID]) -> dict[UUID, Document]:
        """Open those of many documents that can be read; the others are left out."""
        rows: list[tuple[Any, ...]] = []
        with self._documents.read() as tx:
            for start in range(0, len(document_ids), IN_LIST_LIMIT):
                some = document_ids[start : start + IN_LIST_LIMIT]
                rows += tx.fetchall(
                    "SELECT document_id, subject_id, kind, media_type, nonce, ciphertext"  # noqa: S608 only placeholders
                    " FROM vault_document WHERE document_id IN"
                    f" ({', '.join('?' * len(some))})",
                    some,
                )
        with self._keys.read() as tx:
            secrets = _secrets(tx, list({row[1] for row in rows}))
        found: dict[UUID, Document] = {}
        for document_id, *row in rows:
            secret = secrets.get(row[0])
            if secret is not None and row[3] != _BLANK:
                with suppress(DamagedError):
                    found[document_id] = _opened(document_id, row, secret)
        return found

    def destroy_key(self, subject_id: UUID, now: datetime) -> Tombstone:
        """Destroy a person's key for ever; doing it again changes nothing.

        A person without a key gets a tombstone as well. On SQLite the key's bytes leave
        the write-ahead log with its next checkpoint, on PostgreSQL the table with its
        next vacuum; backups of the key database expire by themselves.
        """
        self._ciphers.pop(subject_id, None)
        with self._keys.write() as tx:
            tx.execute(
                "INSERT INTO vault_key (subject_id, destroyed_at) VALUES (?, ?)"
                " ON CONFLICT (subject_id) DO UPDATE SET secret = NULL, destroyed_at ="
                " COALESCE(vault_key.destroyed_at, excluded.destroyed_at)",
                (subject_id, micros(now)),
            )
            row = tx.fetchone(
                "SELECT destroyed_at FROM vault_key WHERE subject_id = ?", (subject_id,)
            )
        self._ciphers.pop(subject_id, None)  # sealed for meanwhile by another thread
        return Tombstone(subject_id, from_micros(row[0]) if row else now)

    def _cipher(self, subject_id: UUID) -> AESGCM:
        secret = self._secret(subject_id)
        if secret is None:
            raise NotFoundError(
                "vault.no_key", "Call ensure_keys before sealing for a person."
            )
        return self._keep(subject_id, secret)

    def _secret(self, subject_id: UUID) -> bytes | None:
        with self._keys.read() as tx:
            secrets = _secrets(tx, [subject_id])
        if subject_id not in secrets:
            return None
        secret = secrets[subject_id]
        if secret is None:
            raise ErasedError(subject_id)
        return secret

    def _keep(self, subject_id: UUID, secret: bytes | None) -> AESGCM:
        if secret is None:
            self._ciphers.pop(subject_id, None)
            raise ErasedError(subject_id)
        cipher = self._ciphers[subject_id] = AESGCM(secret)
        self._ciphers.move_to_end(subject_id)
        if len(self._ciphers) > CIPHERS_KEPT:
            self._ciphers.popitem(last=False)
        return cipher


def _opened(document_id: UUID, row: Sequence[Any], secret: bytes | None) -> Document:
    """Open (subject, kind, media type, nonce, ciphertext). Raises DamagedError."""
    subject_id, kind, media_type, nonce, ciphertext = row
    if secret is None:
        raise DamagedError(
            "vault.key_missing",
            "The key of this document is gone without an erasure:"
            " restore the key database of the same time as the store.",
        )
    try:
        salted = AESGCM(secret).decrypt(
            nonce, ciphertext, _bound(document_id, subject_id)
        )
    except (InvalidTag, ValueError):  # ValueError: a nonce of a wrong length
        raise DamagedError(
            "vault.tampered",
            "This document is not what was sealed: look for it in a backup.",
        ) from None
    return Document(
        document_id=document_id,
        subject_id=subject_id,
        kind=kind,
        media_type=media_type,
        plaintext=salted[SALT_SIZE:],
        salt=salted[:SALT_SIZE],
        digest=sha256(salted).hexdigest(),
    )


def _secrets(tx: Tx, subject_ids: Sequence[UUID]) -> dict[UUID, bytes | None]:
    """Read the keys of those who have one; None stands for a tombstone."""
    found: dict[UUID, bytes | None] = {}
    for start in range(0, len(subject_ids), IN_LIST_LIMIT):
        some = subject_ids[start : start + IN_LIST_LIMIT]
        places = ", ".join("?" * len(some))
        found |= dict(
            tx.fetchall(
                f"SELECT subject_id, secret FROM vault_key WHERE subject_id IN ({places})",  # noqa: S608 only placeholders
                some,
            )
        )
    return found


def _bound(document_id: UUID, subject_id: UUID) -> bytes:
    return document_id.bytes + subject_id.bytes
