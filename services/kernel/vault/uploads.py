"""Uploads: files on their way in, resumable at any byte, that belong to nobody yet.

Their pieces are sealed under a key of each upload, which lies with the other keys. The
offset that is told has been committed after the bytes before it were durable. What is
not used in time is removed, its key first.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.clock import from_micros, micros
from services.kernel.errors import (
    FieldError,
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)
from services.kernel.vault.documents import KEY_SIZE, NONCE_SIZE, DamagedError
from services.kernel.vault.files import FILE_TABLES, UPLOAD_KEYS, Uploaded
from services.kernel.vault.labels import UNKNOWN, clean_name, sniff
from services.kernel.vault.pieces import PIECE, Pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.kernel.clock import Clock
    from services.kernel.store.database import Database, Tx
    from services.kernel.vault.objects import Objects

KEPT: Final = dt.timedelta(hours=24)
"""How long an upload waits to be finished and used, where nothing else is set."""
HELD: Final = dt.timedelta(seconds=20)
"""How long a sender of whom nothing is kept keeps others out."""
RESERVE: Final = 1024**3
"""Bytes of the object store that uploads leave free."""


_log = structlog.get_logger(__name__)


class Scanner(Protocol):
    def scan(self, content: Iterable[bytes]) -> None:
        """Look through a file. Raises MalformedError, UnavailableError for unknown."""


class NoScanner:
    """Lets every file through: what there is where no scanner is set."""

    def scan(self, content: Iterable[bytes]) -> None:
        """Look at nothing."""


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload is; `fingerprint` (SHA-256) once it is whole and looked at."""

    upload_id: UUID
    size: int
    received: int
    name: str
    media_type: str
    fingerprint: str
    expires_at: dt.datetime

    @property
    def whole(self) -> bool:
        return self.received == self.size


@dataclass(frozen=True, slots=True)
class _Row:
    owner: str
    size: int
    received: int
    facts: dict[str, str]
    clean: bool
    expires_at: int
    key: bytes


class Uploads:
    """The uploads of one service. `owner` is who may go on with one and use it."""

    def __init__(
        self,
        keys: Database,
        documents: Database,
        objects: Objects,
        *,
        limit: int,
        now: Clock,
        scanner: Scanner | None = None,
        kept: dt.timedelta = KEPT,
    ) -> None:
        """`limit` is the most bytes of one file; `kept` how long one waits for its use."""
        keys.migrate(UPLOAD_KEYS)
        documents.migrate(FILE_TABLES)
        self.limit = limit
        self._keys = keys
        self._documents = documents
        self._objects = objects
        self._now = now
        self._scanner = scanner or NoScanner()
        self._kept = kept

    def create(self, *, owner: str, size: int, name: str) -> Upload:
        """Begin an upload of `size` bytes, which somebody calls `name`.

        Raises TooLargeError, UnavailableError where there is no room.
        """
        if size > self.limit:
            raise TooLargeError(
                "upload.too_large", f"Send a file of at most {self.limit} bytes."
            )
        if self._objects.room() < size + RESERVE:
            raise _no_room()
        now = self._now()
        # Random: whoever knows the id of a stranger's upload may use it.
        upload_id = UUID(bytes=os.urandom(16), version=4)
        key = os.urandom(KEY_SIZE)
        facts = {"name": clean_name(name)}
        expires_at = micros(now + self._kept)
        with self._keys.write() as tx:
            tx.execute(
                "INSERT INTO upload_key (upload_id, secret, made_at) VALUES (?, ?, ?)",
                (upload_id, key, micros(now)),
            )
        with self._documents.write() as tx:
            tx.execute(
                "INSERT INTO upload (upload_id, owner, size, received, facts, clean,"
                " expires_at, held_until) VALUES (?, ?, ?, 0, ?, ?, ?, 0)",
                (
                    upload_id,
                    owner,
                    size,
                    _sealed(upload_id, key, facts),
                    False,
                    expires_at,
                ),
            )
        row = _Row(owner, size, 0, facts, False, expires_at, key)
        return _told(upload_id, row)

    def keep(self, *, owner: str, name: str, content: bytes) -> Upload:
        """Take a small file whole. Raises as `create` and `inspect`."""
        made = self.create(owner=owner, size=len(content), name=name)
        receiving = self.hold(made.upload_id, owner=owner, offset=0)
        try:
            receiving.take(content)
        finally:
            receiving.release()
        return self.inspect(made.upload_id, owner=owner)

    def find(self, upload_id: UUID, *, owner: str) -> Upload:
        """Say how far an upload is.

        Raises NotFoundError for one that was never there, is not theirs, is used,
        expired or removed.
        """
        return _told(upload_id, self._row(upload_id, owner))

    def hold(self, upload_id: UUID, *, owner: str, offset: int) -> Receiving:
        """Begin to take bytes from `offset` on, keeping others out meanwhile.

        Raises NotFoundError, RefusedError for another offset or a second sender.
        """
        row = self._row(upload_id, owner)
        now = self._now()
        holder = UUID(bytes=os.urandom(16), version=4)
        with self._documents.write() as tx:
            held = tx.fetchall(
                "UPDATE upload SET holder = ?, held_until = ? WHERE upload_id = ?"
                " AND held_until < ? RETURNING received",
                (holder, micros(now + HELD), upload_id, micros(now)),
            )
        if not held:
            raise RefusedError(
                "upload.held",
                "Somebody is sending this file: ask for its offset in a moment.",
            )
        receiving = Receiving(
            self._documents,
            self._pieces(upload_id, row),
            upload_id=upload_id,
            holder=holder,
            received=held[0][0],
            size=row.size,
            now=self._now,
        )
        if held[0][0] != offset:
            receiving.release()
            raise RefusedError(
                "upload.offset", f"Go on from byte {held[0][0]}, as HEAD says."
            )
        return receiving

    def inspect(self, upload_id: UUID, *, owner: str) -> Upload:
        """Look through a whole file once: its type, its fingerprint, the scanner.

        Raises MalformedError for a file that the scanner refuses, which is removed,
        UnavailableError where the scanner cannot say, NotFoundError.
        """
        row = self._row(upload_id, owner)
        if row.received < row.size or row.clean:
            return _told(upload_id, row)
        pieces = self._pieces(upload_id, row)
        whole, media_type = sha256(), UNKNOWN
        for number, content in enumerate(pieces.all()):
            whole.update(content)
            if number == 0:
                media_type = sniff(content)
        try:
            self._scanner.scan(pieces.all())
        except MalformedError:
            self.remove(upload_id, owner=owner)
            raise
        facts = {
            **row.facts,
            "media_type": media_type,
            "sha256": whole.hexdigest(),
        }
        with self._documents.write() as tx:
            tx.execute(
                "UPDATE upload SET facts = ?, clean = ? WHERE upload_id = ?",
                (_sealed(upload_id, row.key, facts), True, upload_id),
            )
        return self.find(upload_id, owner=owner)

    def ready(self, upload_id: UUID, *, owner: str, field: str) -> Uploaded:
        """Give a whole file that was looked at, to be used.

        Raises MalformedError that names `field` where there is none.
        """
        try:
            row = self._row(upload_id, owner)
        except NotFoundError:
            raise _unfit(
                field,
                "is no upload of yours",
                "Upload the file again; each upload can be used once, until it expires.",
            ) from None
        if not row.clean:
            raise _unfit(
                field, "is not wholly uploaded", "Send the rest of it, then use it."
            )
        return Uploaded(
            upload_id,
            name=row.facts["name"],
            media_type=row.facts["media_type"],
            size=row.size,
            sha256=row.facts["sha256"],
            key=row.key,
        )

    def remove(self, upload_id: UUID, *, owner: str) -> None:
        """Remove an upload. Raises NotFoundError."""
        self._row(upload_id, owner)
        self._remove([upload_id])

    def release_all(self) -> None:
        """Let everybody go on; for the one process of a service, when it starts."""
        with self._documents.write() as tx:
            tx.execute("UPDATE upload SET holder = NULL, held_until = 0")

    def sweep(self) -> int:
        """Remove what was not used in time, and what a crash left; say how many."""
        now = self._now()
        with self._documents.read() as tx:
            expired = tx.fetchall(
                "SELECT upload_id FROM upload WHERE expires_at < ?", (micros(now),)
            )
        left = [upload_id for (upload_id,) in expired]
        self._remove(left)
        long_ago = now - self._kept
        with self._keys.read() as tx:
            keys = tx.fetchall(
                "SELECT upload_id FROM upload_key WHERE made_at < ?",
                (micros(long_ago),),
            )
        objects = {name for name, at in self._objects.files() if at < long_ago}
        with self._documents.read() as tx:
            waiting = _ids(tx, "SELECT upload_id FROM upload")
            used = _ids(tx, "SELECT file_id FROM vault_file")
        # A key whose file is used is in its manifest by now.
        self._forget({name for (name,) in keys} - waiting)
        for name in objects - waiting - used:
            self._objects.remove(name)
            left.append(name)
        self._keys.scrub(whole=("upload_key",))  # of those that were refused, too
        return len(left)

    def _remove(self, upload_ids: Sequence[UUID]) -> None:
        with self._documents.write() as tx:
            gone = [
                upload_id
                for upload_id in upload_ids
                # One that was used meanwhile is not there any more.
                if tx.fetchall(
                    "DELETE FROM upload WHERE upload_id = ? RETURNING upload_id",
                    (upload_id,),
                )
            ]
            tx.after_commit(partial(self._removed, gone))

    def _removed(self, upload_ids: Sequence[UUID]) -> None:
        self._forget(upload_ids)
        for upload_id in upload_ids:
            self._objects.remove(upload_id)

    def _forget(self, upload_ids: Iterable[UUID]) -> None:
        rows = [(upload_id,) for upload_id in upload_ids]
        if rows:
            with self._keys.write() as tx:
                tx.executemany("DELETE FROM upload_key WHERE upload_id = ?", rows)

    def _row(self, upload_id: UUID, owner: str) -> _Row:
        with self._keys.read() as tx:
            key = tx.fetchone(
                "SELECT secret FROM upload_key WHERE upload_id = ?", (upload_id,)
            )
        with self._documents.read() as tx:
            found = tx.fetchone(
                "SELECT owner, size, received, facts, clean, expires_at FROM upload"
                " WHERE upload_id = ?",
                (upload_id,),
            )
        if (
            key is None
            or found is None
            or found[0] != owner
            or found[5] < micros(self._now())
        ):
            raise unknown()
        held_by, size, received, facts, clean, expires_at = found
        secret = bytes(key[0])
        opened = _opened(upload_id, secret, facts)
        return _Row(held_by, size, received, opened, bool(clean), expires_at, secret)

    def _pieces(self, upload_id: UUID, row: _Row) -> Pieces:
        return Pieces(self._objects, file_id=upload_id, key=row.key, size=row.size)


class Receiving:
    """An upload in the hands of one sender; `release` it at the end, whatever ended it."""

    def __init__(
        self,
        documents: Database,
        pieces: Pieces,
        *,
        upload_id: UUID,
        holder: UUID,
        received: int,
        size: int,
        now: Clock,
    ) -> None:
        self._documents = documents
        self._pieces = pieces
        self._upload_id = upload_id
        self._holder = holder
        self._size = size
        self._now = now
        self.received = received
        piece, there = divmod(received, PIECE)
        self._piece = piece
        self._grown = pieces.get(piece, length=there) if there else b""

    @property
    def gap(self) -> int:
        """How many bytes fill the piece that is growing: best taken together."""
        return min(PIECE - len(self._grown), self._size - self.received)

    def take(self, content: bytes) -> None:
        """Keep more bytes, and commit that they are here once they are durable.

        Raises TooLargeError for more than was announced, RefusedError for a sender
        who was too slow and was overtaken.
        """
        if len(content) > self._size - self.received:
            raise TooLargeError(
                "upload.longer", "Send no more bytes than Upload-Length announced."
            )
        view = memoryview(content)
        while view:
            some = view[: PIECE - len(self._grown)]
            view = view[len(some) :]
            grown = self._grown + bytes(some)
            try:
                self._pieces.put(self._piece, grown)
            except OSError as error:
                _log.warning("files.not_kept", reason=error.strerror)
                raise _no_room() from None
            self._commit(self.received + len(some))
            whole = len(grown) == PIECE
            self._grown, self._piece = (
                (b"", self._piece + 1) if whole else (grown, self._piece)
            )

    def release(self) -> None:
        """Let others go on."""
        with self._documents.write() as tx:
            tx.execute(
                "UPDATE upload SET holder = NULL, held_until = 0"
                " WHERE upload_id = ? AND holder = ?",
                (self._upload_id, self._holder),
            )

    def _commit(self, received: int) -> None:
        with self._documents.write() as tx:
            still = tx.fetchall(
                "UPDATE upload SET received = ?, held_until = ? WHERE upload_id = ?"
                " AND holder = ? AND received = ? RETURNING received",
                (
                    received,
                    micros(self._now() + HELD),
                    self._upload_id,
                    self._holder,
                    self.received,
                ),
            )
        if not still:
            raise RefusedError(
                "upload.held",
                "Somebody else goes on with this upload: ask where it is.",
            )
        self.received = received


def unknown() -> NotFoundError:
    return NotFoundError("upload.unknown", "There is no such upload: begin a new one.")


def _ids(tx: Tx, sql: str) -> set[UUID]:
    return {name for (name,) in tx.fetchall(sql)}


def _told(upload_id: UUID, row: _Row) -> Upload:
    return Upload(
        upload_id,
        size=row.size,
        received=row.received,
        name=row.facts["name"],
        media_type=row.facts.get("media_type", ""),
        fingerprint=row.facts.get("sha256", ""),
        expires_at=from_micros(row.expires_at),
    )


def _sealed(upload_id: UUID, key: bytes, facts: dict[str, str]) -> bytes:
    nonce = os.urandom(NONCE_SIZE)
    plain = json.dumps(facts, ensure_ascii=False).encode()
    return nonce + AESGCM(key).encrypt(nonce, plain, b"facts" + upload_id.bytes)


def _opened(upload_id: UUID, key: bytes, sealed: Any) -> dict[str, str]:
    content = bytes(sealed)
    try:
        plain = AESGCM(key).decrypt(
            content[:NONCE_SIZE], content[NONCE_SIZE:], b"facts" + upload_id.bytes
        )
    except (InvalidTag, ValueError):
        raise DamagedError(
            "vault.tampered", "This upload is not what was sealed: begin a new one."
        ) from None
    facts: dict[str, str] = json.loads(plain)
    return facts


def _no_room() -> UnavailableError:
    return UnavailableError(
        "upload.no_room",
        "There is no room for files at the moment; words can be sent.",
        retry_after=60,
    )


def used_twice(field: str) -> MalformedError:
    return _unfit(field, "is named twice", "Upload the file again to give it twice.")


def _unfit(field: str, message: str, remedy: str) -> MalformedError:
    return MalformedError(
        "upload.unfit",
        "Correct the named fields; nothing was stored.",
        errors=[FieldError(field, message, remedy)],
    )
