"""A file in pieces: each sealed with AES-256-GCM under the file's own key.

File, number and whether it is the last are bound to each piece: none can be put into
another file or another place, and the end cannot be cut off.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kernel.vault.documents import NONCE_SIZE, DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from services.kernel.vault.objects import Objects

PIECE: Final = 512 * 1024
"""Bytes of a file in each of its pieces but the last, which may have fewer."""


def count_of(size: int) -> int:
    """Say how many pieces a file of so many bytes has; an empty one has none."""
    return -(-size // PIECE)


def size_of(piece: int, size: int) -> int:
    """Say how many bytes a piece of a file of so many bytes has."""
    return min(PIECE, size - piece * PIECE)


class Pieces:
    """The pieces of one file of `size` bytes, under its key."""

    def __init__(
        self, objects: Objects, *, file_id: UUID, key: bytes, size: int
    ) -> None:
        self._objects = objects
        self._file_id = file_id
        self._cipher = AESGCM(key)
        self._size = size

    def put(self, piece: int, plaintext: bytes) -> None:
        """Seal a piece, or as much of it as there is yet; durable when this returns.

        Nothing but the key is used twice: sealed again, it gets another nonce.
        """
        nonce = os.urandom(NONCE_SIZE)
        sealed = self._cipher.encrypt(nonce, plaintext, self._bound(piece))
        self._objects.put(self._file_id, piece, nonce + sealed)

    def get(self, piece: int, *, length: int | None = None) -> bytes:
        """Open a piece; of one that was still growing, its first `length` bytes.

        Raises NotFoundError for a missing object, DamagedError for one that is not
        what was sealed as this piece.
        """
        content = self._objects.get(self._file_id, piece)
        expected = size_of(piece, self._size) if length is None else length
        try:
            plaintext = self._cipher.decrypt(
                content[:NONCE_SIZE], content[NONCE_SIZE:], self._bound(piece)
            )
        except (InvalidTag, ValueError):
            raise _damaged() from None
        if len(plaintext) < expected or (length is None and len(plaintext) > expected):
            raise _damaged()
        return plaintext[:expected]

    def all(self) -> Iterator[bytes]:
        """Open one piece after the other."""
        return map(self.get, range(count_of(self._size)))

    def _bound(self, piece: int) -> bytes:
        last = piece == count_of(self._size) - 1
        return self._file_id.bytes + piece.to_bytes(8) + bytes([last])


def _damaged() -> DamagedError:
    return DamagedError(
        "vault.tampered",
        "A piece of this file is not what was sealed: look for it in a backup.",
    )
