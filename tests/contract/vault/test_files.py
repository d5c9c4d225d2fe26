"""Files are sealed in pieces that cannot be moved, cut or read after their person."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from eventsourcing.persistence import IntegrityError

from services.kernel.vault import DamagedError, ErasedError
from services.kernel.vault.pieces import PIECE
from tests.support.files import NOW, Shelf, shelf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.kernel.store.database import Database

ANN, BEN = UUID(int=1), UUID(int=2)
MARK = b"PLANTED-MARK-IN-A-FILE"
LONG = MARK + os.urandom(2 * PIECE) + MARK


@pytest.fixture
def room(make_database: Callable[..., Database], tmp_path: Path) -> Shelf:
    return shelf(make_database, tmp_path / "objects")


def pieces_of(room: Shelf, document_id: UUID) -> list[tuple[UUID, int]]:
    file = room.files.open(document_id)
    with room.store.read() as tx:
        (file_id,) = tx.fetchall(
            "SELECT file_id FROM vault_file WHERE document_id = ?", (document_id,)
        )[0]
    return [(file_id, number) for number in range(file.pieces)]


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_a_file_comes_back_as_it_was(room: Shelf, size: int) -> None:
    content = os.urandom(size)
    document_id = room.given(content, subject=ANN, name="../王女士/leak.bin")
    file = room.files.open(document_id)
    assert b"".join(file.content()) == content
    assert (file.name, file.size, file.subject_id) == ("leak.bin", size, ANN)
    assert file.sha256 == sha256(content).hexdigest()
    assert file.kind == "photo"


def test_the_document_is_one_like_any_other(room: Shelf) -> None:
    """An event holds its id and digest: the digest covers name, size and fingerprint."""
    upload = room.uploaded(LONG)
    sealed = room.sealed(upload, subject=ANN)
    with room.store.write() as tx:
        room.files.put(tx, [sealed])
    assert room.files.open(UUID(int=101)).digest == sealed.manifest.digest


def test_nothing_of_a_file_lies_open(room: Shelf, tmp_path: Path) -> None:
    room.given(LONG, subject=ANN, name="PLANTED-MARK-IN-A-NAME.jpg")
    room.uploaded(LONG, name="PLANTED-MARK-IN-A-NAME.jpg")  # used by nobody yet
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert b"PLANTED-MARK" not in path.read_bytes(), path


def test_a_piece_put_in_anothers_place_does_not_open(room: Shelf) -> None:
    one = room.given(LONG, number=1, subject=ANN)
    two = room.given(LONG, number=2, subject=ANN)
    (first, second, *_), (other, *_) = pieces_of(room, one), pieces_of(room, two)
    for mine, theirs in ((first, second), (first, other)):
        room.objects.put(*mine, room.objects.get(*theirs))
        with pytest.raises(DamagedError):
            room.files.open(one).piece(0)


def test_a_piece_that_was_changed_does_not_open(room: Shelf) -> None:
    document_id = room.given(b"x" * 100, subject=ANN)
    (place,) = pieces_of(room, document_id)
    sealed = bytearray(room.objects.get(*place))
    sealed[-1] ^= 1
    room.objects.put(*place, bytes(sealed))
    with pytest.raises(DamagedError):
        room.files.open(document_id).piece(0)


def test_an_older_and_shorter_state_of_a_piece_does_not_open(room: Shelf) -> None:
    """Whoever kept the object of an upload half-way cannot cut the file with it."""
    content = b"x" * 100
    upload = room.uploads.create(owner="ann", size=100, name="a")
    receiving = room.uploads.hold(upload.upload_id, owner="ann", offset=0)
    receiving.take(content[:50])
    half = room.objects.get(upload.upload_id, 0)
    receiving.take(content[50:])
    receiving.release()
    whole = room.uploads.inspect(upload.upload_id, owner="ann")
    sealed = room.sealed(whole, subject=ANN)
    with room.store.write() as tx:
        room.files.put(tx, [sealed])
    room.objects.put(upload.upload_id, 0, half)
    with pytest.raises(DamagedError):
        room.files.open(UUID(int=101)).piece(0)


def test_one_upload_is_used_once(room: Shelf) -> None:
    upload = room.uploaded(b"x")
    one = room.sealed(upload, number=1, subject=ANN)
    two = room.sealed(upload, number=2, subject=BEN)
    with room.store.write() as tx:
        room.files.put(tx, [one])
    with pytest.raises(IntegrityError), room.store.write() as tx:
        room.files.put(tx, [two])


def test_the_key_lies_with_the_person_alone_once_a_file_is_used(room: Shelf) -> None:
    room.given(b"x", subject=ANN)
    with room.keys.read() as tx:
        assert tx.fetchall("SELECT upload_id FROM upload_key") == []


def test_who_is_erased_takes_their_files_with_them(room: Shelf) -> None:
    mine = room.given(LONG, number=1, subject=ANN)
    others = room.given(LONG, number=2, subject=BEN)
    kept = {place: room.objects.get(*place) for place in pieces_of(room, mine)}
    room.vault.destroy_key(ANN, NOW)
    with pytest.raises(ErasedError):
        room.files.open(mine)
    with room.store.write() as tx:
        room.files.erase(tx, ANN)
    left = {file_id for file_id, _ in room.objects.files()}
    assert left == {file_id for file_id, _ in pieces_of(room, others)}
    assert b"".join(room.files.open(others).content()) == LONG
    for place, sealed in kept.items():  # a copy of the pieces, as a backup has it
        room.objects.put(*place, sealed)
    with pytest.raises(ErasedError):
        room.files.open(mine)
    with room.store.write() as tx:
        room.files.erase(tx, ANN)  # again changes nothing


def test_an_erasure_that_is_rolled_back_removes_nothing(room: Shelf) -> None:
    document_id = room.given(LONG, subject=ANN)

    def fail() -> None:
        with room.store.write() as tx:
            room.files.erase(tx, ANN)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert b"".join(room.files.open(document_id).content()) == LONG


def test_words_can_be_taken_as_a_file(room: Shelf) -> None:
    """Attachments that came inside a submission are documents, not manifests."""
    room.vault.ensure_keys([ANN])
    sealed = room.vault.seal(
        document_id=UUID(int=7),
        subject_id=ANN,
        kind="file",
        media_type="image/svg+xml",
        plaintext=b"<svg onload=alert(1)>",
    )
    with room.store.write() as tx:
        room.vault.put(tx, [sealed])
    file = room.files.open(UUID(int=7))
    assert b"".join(file.content()) == b"<svg onload=alert(1)>"
    assert (file.media_type, file.name) == ("text/plain", "")  # by its bytes
