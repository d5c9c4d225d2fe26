"""Files that people hand in: a sealed manifest in the vault, sealed pieces beside it.

The manifest is an ordinary document, so an event holds its id and its digest. It holds
the file's own random key: whoever destroys the key of its person makes noise of every
piece, in every copy. The pieces lie in an object store and were there, durably, before
the transaction that names them.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from services.kernel.vault.documents import DamagedError, Sealed
from services.kernel.vault.labels import SNIFFED, sniff
from services.kernel.vault.pieces import PIECE, Pieces, count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.kernel.store.database import Database, Tx
    from services.kernel.vault.documents import Document, Vault
    from services.kernel.vault.objects import Objects

MANIFEST: Final = "application/vnd.amends.file+json"
"""The media type of a document that is the manifest of a file."""
FILE_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS vault_file (
        file_id UUID NOT NULL PRIMARY KEY, document_id UUID NOT NULL UNIQUE,
        subject_id UUID NOT NULL, size BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS vault_file_subject ON vault_file (subject_id)""",
    """CREATE TABLE IF NOT EXISTS upload (
        upload_id UUID NOT NULL PRIMARY KEY, owner TEXT NOT NULL, size BIGINT NOT NULL,
        received BIGINT NOT NULL, facts BYTEA NOT NULL, clean BOOLEAN NOT NULL,
        expires_at BIGINT NOT NULL, holder UUID, held_until BIGINT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS upload_expiry ON upload (expires_at)""",
)
"""Files of people, and uploads, whose `facts` (name, type, fingerprint) are sealed."""
UPLOAD_KEYS: Final = (
    """CREATE TABLE IF NOT EXISTS upload_key (
        upload_id UUID NOT NULL PRIMARY KEY, secret BYTEA NOT NULL,
        made_at BIGINT NOT NULL)""",
)
"""Keys of files that belong to nobody yet; they lie in the database of the keys."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file that is wholly here and was looked at, but belongs to nobody yet."""

    upload_id: UUID
    name: str
    media_type: str
    size: int
    sha256: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A manifest ready to be stored, and the file that it gives to a person."""

    manifest: Sealed
    file_id: UUID
    size: int


@dataclass(frozen=True, slots=True)
class File:
    """A file opened: a label, what it is by its bytes, and its fingerprint (SHA-256).

    `digest` is the document's: compare it with the event's.
    """

    document_id: UUID
    subject_id: UUID
    kind: str
    digest: str
    name: str
    media_type: str
    size: int
    sha256: str
    _pieces: Pieces | None = field(repr=False)
    _content: bytes = field(default=b"", repr=False)

    @property
    def pieces(self) -> int:
        return count_of(self.size)

    def piece(self, number: int) -> bytes:
        """Give at most 512 KiB. Raises NotFoundError, DamagedError."""
        if self._pieces is None:
            return self._content[number * PIECE : (number + 1) * PIECE]
        return self._pieces.get(number)

    def content(self) -> Iterator[bytes]:
        return map(self.piece, range(self.pieces))


class Files:
    """The files of one service."""

    def __init__(
        self, keys: Database, documents: Database, objects: Objects, vault: Vault
    ) -> None:
        keys.migrate(UPLOAD_KEYS)
        documents.migrate(FILE_TABLES)
        self._keys = keys
        self._objects = objects
        self._vault = vault

    def seal(
        self, uploaded: Uploaded, *, document_id: UUID, subject_id: UUID, kind: str
    ) -> SealedFile:
        """Give an uploaded file to a person; writes nothing. Raises as `Vault.seal`."""
        manifest = {
            "file": str(uploaded.upload_id),
            "key": base64.b64encode(uploaded.key).decode(),
            "name": uploaded.name,
            "media_type": uploaded.media_type,
            "size": uploaded.size,
            "sha256": uploaded.sha256,
            "piece": PIECE,
        }
        sealed = self._vault.seal(
            document_id=document_id,
            subject_id=subject_id,
            kind=kind,
            media_type=MANIFEST,
            plaintext=json.dumps(manifest, ensure_ascii=False).encode(),
        )
        return SealedFile(sealed, uploaded.upload_id, uploaded.size)

    def put(self, tx: Tx, files: Iterable[SealedFile]) -> None:
        """Store manifests and use up their uploads, in the event's transaction.

        Raises `eventsourcing.persistence.IntegrityError` where one was used before.
        """
        given = list(files)
        self._vault.put(tx, [each.manifest for each in given])
        tx.executemany(
            "INSERT INTO vault_file (file_id, document_id, subject_id, size)"
            " VALUES (?, ?, ?, ?)",
            [
                (
                    each.file_id,
                    each.manifest.document_id,
                    each.manifest.subject_id,
                    each.size,
                )
                for each in given
            ],
        )
        used = [(each.file_id,) for each in given]
        tx.executemany("DELETE FROM upload WHERE upload_id = ?", used)
        if used:
            tx.after_commit(partial(self._forget_keys, used))

    def open(self, document_id: UUID) -> File:
        """Open a file, or any other document as one. Raises as `Vault.open`."""
        return self.read(self._vault.open(document_id))

    def read(self, document: Document) -> File:
        """Take an opened document as a file. Raises DamagedError."""
        if document.media_type != MANIFEST:
            return _plain(document)
        try:
            known = json.loads(document.plaintext)
            if known["piece"] != PIECE:
                raise _newer()
            return File(
                document_id=document.document_id,
                subject_id=document.subject_id,
                kind=document.kind,
                digest=document.digest,
                name=known["name"],
                media_type=known["media_type"],
                size=known["size"],
                sha256=known["sha256"],
                _pieces=Pieces(
                    self._objects,
                    file_id=UUID(known["file"]),
                    key=base64.b64decode(known["key"]),
                    size=known["size"],
                ),
            )
        except (ValueError, LookupError, TypeError):
            raise _newer() from None

    def erase(self, tx: Tx, subject_id: UUID) -> None:
        """Forget every file of a person in the caller's transaction.

        Their pieces go after the commit; what a crash leaves of them, which is noise
        once the person's key is destroyed, is swept.
        """
        rows = tx.fetchall(
            "SELECT file_id FROM vault_file WHERE subject_id = ?", (subject_id,)
        )
        tx.execute("DELETE FROM vault_file WHERE subject_id = ?", (subject_id,))
        if rows:
            tx.after_commit(partial(self._remove, rows))

    def _remove(self, files: list[tuple[UUID]]) -> None:
        self._forget_keys(files)
        for (file_id,) in files:
            self._objects.remove(file_id)

    def _forget_keys(self, files: list[tuple[UUID]]) -> None:
        with self._keys.write() as tx:
            tx.executemany("DELETE FROM upload_key WHERE upload_id = ?", files)


def _plain(document: Document) -> File:
    """Take a document that holds its words or bytes itself."""
    content = document.plaintext
    return File(
        document_id=document.document_id,
        subject_id=document.subject_id,
        kind=document.kind,
        digest=document.digest,
        name="",
        media_type=sniff(content[:SNIFFED]),
        size=len(content),
        sha256=sha256(content).hexdigest(),
        _pieces=None,
        _content=content,
    )


def _newer() -> DamagedError:
    return DamagedError(
        "vault.manifest", "This file was kept by a newer amends: upgrade this one."
    )
