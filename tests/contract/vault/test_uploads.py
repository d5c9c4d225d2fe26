"""Uploads go on at any byte, belong to one sender, and leave nothing behind."""

from __future__ import annotations

import datetime as dt
import errno
import os
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.errors import (
    MalformedError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)
from services.kernel.store.database import open_database
from services.kernel.vault import FolderObjects, Uploads
from services.kernel.vault.pieces import PIECE
from services.kernel.vault.uploads import HELD, KEPT
from tests.support.files import LIMIT, NOW, MemoryObjects, Shelf, shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from services.kernel.store.database import Database

ANN = UUID(int=1)


@pytest.fixture
def room(make_database: Callable[..., Database], tmp_path: Path) -> Shelf:
    return shelf(make_database, tmp_path / "objects")


@pytest.mark.parametrize(
    "cuts", [(), (1,), (PIECE,), (PIECE - 1, PIECE + 1), (10, 20, PIECE + 7)]
)
def test_an_upload_goes_on_wherever_it_stopped(room: Shelf, cuts: tuple[int]) -> None:
    content = os.urandom(2 * PIECE + 9)
    whole = room.uploaded(content, cuts=cuts)
    assert whole.whole
    sealed = room.sealed(whole, subject=ANN)
    with room.store.write() as tx:
        room.files.put(tx, [sealed])
    assert b"".join(room.files.open(UUID(int=101)).content()) == content


def test_another_start_of_the_program_goes_on(
    room: Shelf, make_database: Callable[..., Database], tmp_path: Path
) -> None:
    content = os.urandom(PIECE + 9)
    made = room.uploads.create(owner="ann", size=len(content), name="a")
    receiving = room.uploads.hold(made.upload_id, owner="ann", offset=0)
    receiving.take(content[: PIECE + 3])
    receiving.release()
    next_start = shelf(make_database, tmp_path / "objects")
    found = next_start.uploads.find(made.upload_id, owner="ann")
    assert (found.received, found.whole) == (PIECE + 3, False)
    receiving = next_start.uploads.hold(
        made.upload_id, owner="ann", offset=found.received
    )
    receiving.take(content[PIECE + 3 :])
    receiving.release()
    assert next_start.uploads.inspect(made.upload_id, owner="ann").fingerprint


def test_bytes_that_were_durable_but_not_committed_are_sent_again(room: Shelf) -> None:
    """A crash between the piece and its offset: the offset counts."""
    made = room.uploads.create(owner="ann", size=20, name="a")
    receiving = room.uploads.hold(made.upload_id, owner="ann", offset=0)
    receiving.take(b"0123456789")
    receiving._pieces.put(0, b"0123456789LOST!")  # the crash
    receiving.release()
    receiving = room.uploads.hold(made.upload_id, owner="ann", offset=10)
    receiving.take(b"abcdefghij")
    receiving.release()
    whole = room.uploads.inspect(made.upload_id, owner="ann")
    sealed = room.sealed(whole, subject=ANN)
    with room.store.write() as tx:
        room.files.put(tx, [sealed])
    assert b"".join(room.files.open(UUID(int=101)).content()) == b"0123456789abcdefghij"


def test_another_offset_is_refused_and_the_upload_stays_free(room: Shelf) -> None:
    made = room.uploads.create(owner="ann", size=20, name="a")
    with pytest.raises(RefusedError) as told:
        room.uploads.hold(made.upload_id, owner="ann", offset=5)
    assert told.value.code == "upload.offset"
    room.uploads.hold(made.upload_id, owner="ann", offset=0)


def test_two_senders_at_once_are_kept_apart(room: Shelf) -> None:
    made = room.uploads.create(owner="ann", size=20, name="a")
    slow = room.uploads.hold(made.upload_id, owner="ann", offset=0)
    with pytest.raises(RefusedError) as told:
        room.uploads.hold(made.upload_id, owner="ann", offset=0)
    assert told.value.code == "upload.held"
    room.moments.append(NOW + HELD + dt.timedelta(seconds=1))
    quick = room.uploads.hold(made.upload_id, owner="ann", offset=0)
    quick.take(b"quick")
    with pytest.raises(RefusedError):
        slow.take(b"slow")
    slow.release()  # changes nothing: it is not theirs any more
    quick.take(b"er")
    assert room.uploads.find(made.upload_id, owner="ann").received == 7


def test_no_more_bytes_than_announced(room: Shelf) -> None:
    made = room.uploads.create(owner="ann", size=3, name="a")
    receiving = room.uploads.hold(made.upload_id, owner="ann", offset=0)
    with pytest.raises(TooLargeError):
        receiving.take(b"four")
    with pytest.raises(TooLargeError):
        room.uploads.create(owner="ann", size=LIMIT + 1, name="a")


def test_nobody_elses_upload_can_be_seen_or_used(room: Shelf) -> None:
    theirs = room.uploaded(b"x", owner="ben").upload_id
    for act in (
        lambda: room.uploads.find(theirs, owner="ann"),
        lambda: room.uploads.hold(theirs, owner="ann", offset=1),
        lambda: room.uploads.inspect(theirs, owner="ann"),
        lambda: room.uploads.remove(theirs, owner="ann"),
    ):
        with pytest.raises(NotFoundError):
            act()


@pytest.mark.parametrize("which", ["unknown", "foreign", "unfinished", "used", "old"])
def test_what_cannot_be_used_names_its_field(room: Shelf, which: str) -> None:
    if which == "unfinished":
        upload_id = room.uploads.create(owner="ann", size=9, name="a").upload_id
    elif which == "unknown":
        upload_id = UUID(int=9)
    else:
        owner = "ben" if which == "foreign" else "ann"
        upload = room.uploaded(b"x", owner=owner)
        upload_id = upload.upload_id
        if which == "used":
            sealed = room.sealed(upload, subject=ANN)
            with room.store.write() as tx:
                room.files.put(tx, [sealed])
        if which == "old":
            room.moments.append(NOW + KEPT + dt.timedelta(seconds=1))
    with pytest.raises(MalformedError) as told:
        room.uploads.ready(upload_id, owner="ann", field="attachments[0].upload")
    assert [each.field for each in told.value.errors] == ["attachments[0].upload"]


class _Scanner:
    def __init__(self, verdict: Exception | None) -> None:
        self.verdict = verdict
        self.seen: list[bytes] = []

    def scan(self, content: Iterable[bytes]) -> None:
        self.seen.append(b"".join(content))
        if self.verdict:
            raise self.verdict


def test_a_file_is_looked_through_once_before_it_can_be_used(
    make_database: Callable[..., Database], tmp_path: Path
) -> None:
    scanner = _Scanner(None)
    room = shelf(make_database, tmp_path / "objects", scanner=scanner)
    content = os.urandom(PIECE + 1)
    upload = room.uploaded(content)
    room.uploads.inspect(upload.upload_id, owner="ann")
    assert scanner.seen == [content]


def test_a_file_that_is_refused_is_gone(
    make_database: Callable[..., Database], tmp_path: Path
) -> None:
    scanner = _Scanner(MalformedError("upload.refused", "no"))
    room = shelf(make_database, tmp_path / "objects", scanner=scanner)
    with pytest.raises(MalformedError):
        room.uploaded(b"virus")
    assert list(room.objects.files()) == []


def test_a_scanner_that_cannot_say_leaves_the_file_unused(
    make_database: Callable[..., Database], tmp_path: Path
) -> None:
    scanner = _Scanner(UnavailableError("upload.unscanned", "again"))
    room = shelf(make_database, tmp_path / "objects", scanner=scanner)
    made = room.uploads.create(owner="ann", size=1, name="a")
    receiving = room.uploads.hold(made.upload_id, owner="ann", offset=0)
    receiving.take(b"x")
    receiving.release()
    with pytest.raises(UnavailableError):
        room.uploads.inspect(made.upload_id, owner="ann")
    with pytest.raises(MalformedError):
        room.uploads.ready(made.upload_id, owner="ann", field="file")
    scanner.verdict = None  # it is back
    assert room.uploads.inspect(made.upload_id, owner="ann").fingerprint


def test_what_nobody_used_within_a_day_is_swept(room: Shelf) -> None:
    used = room.given(b"kept", subject=ANN)
    room.uploaded(b"never used")
    room.uploads.create(owner="ann", size=9, name="never sent")
    assert room.uploads.sweep() == 0
    room.moments.append(NOW + KEPT + dt.timedelta(seconds=1))
    fresh = room.uploaded(b"fresh")
    assert room.uploads.sweep() == 2
    assert b"".join(room.files.open(used).content()) == b"kept"
    assert room.uploads.find(fresh.upload_id, owner="ann").whole
    with room.keys.read() as tx:
        assert tx.fetchall("SELECT upload_id FROM upload_key") == [(fresh.upload_id,)]


def test_how_long_an_upload_waits_is_the_operators_to_say(room: Shelf) -> None:
    """One that was begun is told when it expires, and is removed after that."""
    hour = dt.timedelta(hours=1)
    uploads = Uploads(
        room.keys,
        room.store,
        room.objects,
        limit=LIMIT,
        now=lambda: room.moments[-1],
        kept=hour,
    )
    made = uploads.create(owner="ann", size=9, name="never sent")
    assert made.expires_at == NOW + hour
    room.moments.append(NOW + hour)
    assert uploads.sweep() == 0
    room.moments.append(NOW + hour + dt.timedelta(seconds=1))
    assert uploads.sweep() == 1
    with pytest.raises(NotFoundError):
        uploads.find(made.upload_id, owner="ann")


def test_keys_of_what_was_refused_or_not_used_leave_the_files(tmp_path: Path) -> None:
    """Every byte of the key database is looked at, with its write-ahead log."""
    keys, store = (
        open_database(f"sqlite://{tmp_path / name}", schema=name, secure_delete=True)
        for name in ("keys", "store")
    )
    moments = [NOW]
    uploads = Uploads(
        keys,
        store,
        MemoryObjects(),
        limit=LIMIT,
        now=lambda: moments[-1],
        scanner=_Scanner(MalformedError("upload.refused", "Do not send it.")),
    )
    uploads.create(owner="ann", size=9, name="never sent")
    held = uploads.create(owner="ann", size=3, name="bad")
    with keys.read() as tx:
        secrets = [row[0] for row in tx.fetchall("SELECT secret FROM upload_key")]
    receiving = uploads.hold(held.upload_id, owner="ann", offset=0)
    receiving.take(b"bad")
    receiving.release()
    with pytest.raises(MalformedError):
        uploads.inspect(held.upload_id, owner="ann")
    moments.append(NOW + KEPT + dt.timedelta(seconds=1))
    uploads.sweep()
    files = b"".join(each.read_bytes() for each in tmp_path.glob("keys*"))
    assert len(secrets) == 2
    assert [secret in files for secret in secrets] == [False, False]
    keys.close()
    store.close()


def test_what_a_crash_left_is_swept(room: Shelf) -> None:
    """Pieces without an upload, and a key whose file is used, are nobody's."""
    lost = UUID(int=77)
    room.objects.put(lost, 0, b"noise")
    with room.keys.write() as tx:
        tx.execute(
            "INSERT INTO upload_key (upload_id, secret, made_at) VALUES (?, ?, 0)",
            (lost, b"k" * 32),
        )
    room.uploads.sweep()
    assert lost in {file_id for file_id, _ in room.objects.files()}  # it is young
    room.moments.append(dt.datetime.fromtimestamp(2**32, dt.UTC))
    room.uploads.sweep()
    assert list(room.objects.files()) == []
    with room.keys.read() as tx:
        assert tx.fetchall("SELECT upload_id FROM upload_key") == []


def test_a_disk_that_is_full_keeps_what_was_told(
    make_database: Callable[..., Database], tmp_path: Path
) -> None:
    class Filling(FolderObjects):
        full = False

        def put(self, file_id: UUID, piece: int, content: bytes) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            super().put(file_id, piece, content)

    objects = Filling(tmp_path / "objects")
    uploads = Uploads(
        make_database("keys", secure_delete=True),
        make_database("store"),
        objects,
        limit=LIMIT,
        now=lambda: NOW,
    )
    made = uploads.create(owner="ann", size=20, name="a")
    receiving = uploads.hold(made.upload_id, owner="ann", offset=0)
    receiving.take(b"0123456789")
    objects.full = True
    with pytest.raises(UnavailableError) as told:
        receiving.take(b"abcdefghij")
    assert told.value.code == "upload.no_room"
    receiving.release()
    assert uploads.find(made.upload_id, owner="ann").received == 10
    objects.full = False
    receiving = uploads.hold(made.upload_id, owner="ann", offset=10)
    receiving.take(b"abcdefghij")
    receiving.release()
    assert uploads.inspect(made.upload_id, owner="ann").fingerprint


def test_without_room_an_upload_is_put_off(
    make_database: Callable[..., Database], tmp_path: Path
) -> None:
    class Full(FolderObjects):
        def room(self) -> int:
            return 10

    uploads = Uploads(
        make_database("keys", secure_delete=True),
        make_database("store"),
        Full(tmp_path / "objects"),
        limit=LIMIT,
        now=lambda: NOW,
    )
    with pytest.raises(UnavailableError) as told:
        uploads.create(owner="ann", size=1, name="a")
    assert told.value.code == "upload.no_room"
