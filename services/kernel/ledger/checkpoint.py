"""Checkpoints: the tree's size and root as a signed note (C2SP tlog-checkpoint, Ed25519).

Whoever keeps a checkpoint outside can later show that history before it was changed.
The signing key lies beside the data, not in the database: an administrator who has both
can sign a changed history, and only a checkpoint that has left the house refutes it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from services.kernel.errors import AmendsError
from services.kernel.ledger.merkle import HASH_SIZE
from services.kernel.private import kept_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ED25519 = b"\x01"  # signature type of C2SP signed-note
_KEY_SIZE = 32
_KEY_ID_SIZE = 4
_PRIVATE_PREFIX = "PRIVATE+KEY+"
_NOTE_LIMIT = 64 * 1024  # characters; ours have about 200, each witness adds 150
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


class NoteError(AmendsError):
    """A signed note, or one of its keys, is not what it must be."""

    def __init__(self, detail: str) -> None:
        super().__init__("ledger.note", detail)

    def __reduce__(self) -> tuple[type[NoteError], tuple[str]]:
        return type(self), (self.detail,)


@dataclass(frozen=True)
class Verifier:
    """The public half of a note key; its text form is what an auditor is given."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NoteError("A key's name is not empty and has no space and no plus.")
        if len(self.public_key) != _KEY_SIZE:
            raise NoteError("An Ed25519 public key has 32 bytes.")

    @cached_property
    def key_id(self) -> bytes:
        return _key_id(self.name, self.public_key)

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Read `<name>+<key id>+<key>`; raises NoteError."""
        name, key_id, key = _key_fields(text.strip())
        verifier = cls(name, key)
        if verifier.key_id.hex() != key_id:
            raise NoteError("The verifier key was cut or mistyped: its id differs.")
        return verifier

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_encode(_ED25519 + self.public_key)}"

    def open(self, note: str) -> str:
        """Give the text of a note that this key signed; raises NoteError.

        Signatures of other keys (witnesses) are ignored.
        """
        text, signatures = _split_note(note)
        signed = [s for name, key_id, s in signatures if (name, key_id) == self._id]
        if not signed:
            raise NoteError(f"The note is not signed by {self.name}.")
        public_key = Ed25519PublicKey.from_public_bytes(self.public_key)
        try:
            for signature in signed:
                public_key.verify(signature, text.encode())
        except InvalidSignature:
            raise NoteError(
                f"The signature of {self.name} does not fit the note's text."
            ) from None
        return text

    @property
    def _id(self) -> tuple[str, bytes]:
        return self.name, self.key_id


class Signer:
    """The private half of a note key."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(name, self._key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        return self.verifier.name

    def sign(self, text: str) -> str:
        """Make a signed note of a text, which ends in a newline."""
        if not text.endswith("\n"):
            raise NoteError("A note's text ends in a newline.")
        signature = self.verifier.key_id + self._key.sign(text.encode())
        return f"{text}\n— {self.name} {_encode(signature)}\n"

    def private_text(self) -> str:
        """Give `PRIVATE+KEY+<name>+<key id>+<seed>`, as other signed-note tools do."""
        key_id = self.verifier.key_id.hex()
        return f"{_PRIVATE_PREFIX}{self.name}+{key_id}+{_encode(_ED25519 + self._seed)}"

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Read what `private_text` wrote; raises NoteError."""
        name, key_id, seed = _key_fields(text.strip().removeprefix(_PRIVATE_PREFIX))
        signer = cls(name, seed)
        if signer.verifier.key_id.hex() != key_id:
            raise NoteError("The signing key was damaged: its id differs.")
        return signer


def load_signer(
    path: Path, name: str, *, randbytes: Callable[[int], bytes] = os.urandom
) -> Signer:
    """Read a store's signing key, or make it (mode 0600) where there is none.

    Raises NoteError where the file holds the key of another name.
    """
    kept = kept_private(path, lambda: Signer(name, randbytes(_KEY_SIZE)).private_text())
    signer = Signer.parse(kept)
    if signer.name != name:
        raise NoteError(f"{path.name} is the key of {signer.name}, not of {name}.")
    return signer


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of one log: who issued it, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"

    def sign(self, signer: Signer) -> str:
        return signer.sign(str(self))

    @classmethod
    def open(cls, note: str, verifier: Verifier) -> Checkpoint:
        """Verify and read a signed checkpoint; raises NoteError.

        Extension lines, which the format allows, are covered by the signature and
        otherwise ignored.
        """
        lines = verifier.open(note).split("\n")[:-1]
        if len(lines) < 3 or not all(lines):  # noqa: PLR2004 origin, size, root
            raise NoteError("A checkpoint has an origin, a size and a root.")
        origin, size, root = lines[0], lines[1], _decode(lines[2])
        if origin != verifier.name:
            raise NoteError(f"The checkpoint is of {origin}, not of {verifier.name}.")
        if not _SIZE.fullmatch(size) or len(root) != HASH_SIZE:
            raise NoteError("The checkpoint's size or root is malformed.")
        return cls(origin, int(size), root)


def _key_id(name: str, public_key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_SIZE]


def _key_fields(text: str) -> tuple[str, str, bytes]:
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    key = _decode(encoded)
    if key[:1] != _ED25519 or len(key) != 1 + _KEY_SIZE:
        raise NoteError("This is not an Ed25519 note key: <name>+<key id>+<key>.")
    return name, key_id, key[1:]


def _split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Part a note into its text and its signatures (name, key id, signature)."""
    if len(note) > _NOTE_LIMIT:
        raise NoteError("The note is larger than 64 KiB.")
    if re.search(r"[\x00-\x09\x0b-\x1f]", note):
        raise NoteError("A note holds no control characters but newlines.")
    head, blank, tail = note.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise NoteError("A note is a text, an empty line and lines of signatures.")
    signatures = []
    for line in tail[:-1].split("\n"):
        dash, name, encoded = (*line.split(" "), "", "")[:3]
        raw = _decode(encoded)
        if dash != "—" or line.count(" ") != 2 or len(raw) <= _KEY_ID_SIZE:  # noqa: PLR2004 three fields
            raise NoteError("A line of signature is malformed.")
        signatures.append((name, raw[:_KEY_ID_SIZE], raw[_KEY_ID_SIZE:]))
    return head + "\n", signatures


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raw = b""
    if not raw or _encode(raw) != text:  # one value has one spelling
        raise NoteError("A field is not base64.")
    return raw
