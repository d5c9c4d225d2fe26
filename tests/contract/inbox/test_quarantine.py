"""What cannot be handled lies sealed until it is replayed or discarded, on both databases."""

import sqlite3
from contextlib import closing
from uuid import UUID

import pytest

from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.inbox import Discard
from services.kernel.vault import ErasedError
from tests.support.inbox import Follower, Reader, body_of

HOW = Discard(actor="operator", cause="corrupt")


@pytest.fixture
def database(make_database):
    return make_database("inbox")


def held(follower):
    with follower.database.read() as tx:
        return follower.inbox.quarantine.all(tx)


def discard(follower, message):
    with follower.database.write() as tx:
        return follower.inbox.discard(tx, follower.effect, message.document_id, HOW)


def test_its_bytes_are_sealed_and_its_reason_is_told(database):
    reader = Reader(poison={(1, 2)}, mute={(2, 1)})
    follower = Follower(database, reader)
    follower.take([(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)])
    mute, poison = held(follower)
    assert (poison.case_id, poison.version, poison.behind) == (UUID(int=1), 2, 2)
    assert (poison.reason, mute.reason) == ("test.poison", "test.mute")
    assert (mute.case_id, mute.version, mute.behind) == (None, 5, 0)
    sealed = follower.vault.open(poison.document_id)
    assert sealed.plaintext == body_of(1, 2, 2)
    assert (sealed.digest, len(sealed.plaintext)) == (poison.digest, poison.size)
    with database.read() as tx:
        rows = tx.fetchall(
            "SELECT body FROM inbox_waiting WHERE reason = 'poison' AND consumer = ?",
            (follower.name,),
        )
    assert [bytes(body) for (body,) in rows] == [b"", b""]


def test_no_byte_of_it_is_in_the_files(tmp_path):
    from services.kernel.store.database import open_database  # noqa: PLC0415

    path = tmp_path / "inbox.sqlite"
    database = open_database(f"sqlite:///{path}", schema="inbox")
    reader = Reader(poison={(77123456, 1)})
    follower = Follower(database, reader)
    follower.take([(77123456, 1), (88123456, 2)])
    database.close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    written = path.read_bytes()
    assert b"[88123456" in written, "what waits for its turn is there: codes only"
    assert b"[77123456" not in written


def test_replayed_it_leaves_and_its_key_is_destroyed(database):
    reader = Reader(poison={(1, 1)})
    follower = Follower(database, reader)
    follower.take([(1, 1), (1, 2)])
    (message,) = held(follower)
    with database.read() as tx:
        (key,) = tx.fetchone("SELECT key_id FROM quarantine")
    assert follower.replay().applied == 0
    assert held(follower) == [message], "still unreadable: it stays as it was"
    reader.poison.clear()
    assert follower.replay().applied == 2
    assert held(follower) == []
    with pytest.raises(NotFoundError, match=r"vault\.unknown"):
        follower.vault.open(message.document_id)
    with pytest.raises(ErasedError):
        follower.vault.ensure_keys([key])


def test_a_readable_copy_takes_its_place(database):
    reader = Reader(poison={(1, 1)})
    follower = Follower(database, reader)
    follower.take([(1, 1)])
    reader.poison.clear()
    assert follower.take([(1, 1)]).applied == 1
    assert held(follower) == []


def test_discarded_it_is_passed_over_and_the_rest_goes_on(database):
    follower = Follower(database, Reader(poison={(1, 2)}))
    follower.take([(1, 1), (1, 2), (1, 3), (2, 1)])
    (message,) = held(follower)
    assert discard(follower, message).applied == 1
    assert follower.by_case() == {1: [1, 3], 2: [1]}
    assert follower.waiting() == {}
    assert held(follower) == []
    assert follower.take([(1, 2)]).duplicates == 1, "for ever"
    with database.read() as tx:
        (row,) = tx.fetchall(
            "SELECT case_id, version, reason, actor, cause FROM quarantine_discarded"
        )
    assert row == (UUID(int=1), 2, "test.poison", "operator", "corrupt")
    with pytest.raises(NotFoundError, match=r"quarantine\.unknown"):
        discard(follower, message)


def test_one_of_no_case_is_discarded_alone(database):
    follower = Follower(database, Reader(mute={(1, 1)}))
    follower.take([(1, 1), (2, 1)])
    (message,) = held(follower)
    discard(follower, message)
    assert follower.waiting() == {}
    assert follower.by_case() == {2: [1]}


def test_while_an_earlier_event_is_missing_it_is_kept(database):
    follower = Follower(database, Reader(poison={(1, 2), (1, 3)}))
    follower.take([(1, 2)])
    (message,) = held(follower)
    with pytest.raises(RefusedError, match=r"quarantine\.not_next"):
        discard(follower, message)
    follower.take([(1, 1), (1, 3)])
    first, second = held(follower)
    with pytest.raises(RefusedError, match=r"quarantine\.not_next"):
        discard(follower, second)
    discard(follower, first)
    discard(follower, second)
    assert follower.by_case() == {1: [1]}


def test_a_batch_that_fails_leaves_nothing_in_quarantine(database):
    follower = Follower(database, Reader(poison={(1, 1)}))

    def full(*_):
        raise OSError("disk")

    follower.effect = full
    with pytest.raises(OSError, match="disk"):
        follower.take([(1, 1), (2, 1)])
    assert held(follower) == []


def test_what_an_earlier_amends_parked_with_its_bytes_is_replayed(database):
    reader = Reader(poison={(1, 1)})
    follower = Follower(database, reader)
    follower.take([(1, 1), (1, 2)])
    with database.write() as tx:
        tx.execute("DELETE FROM quarantine WHERE consumer = ?", (follower.name,))
        tx.execute(
            "UPDATE inbox_waiting SET body = ? WHERE consumer = ? AND version = 1",
            (body_of(1, 1), follower.name),
        )
    reader.poison.clear()
    assert follower.replay().applied == 2
    assert follower.waiting() == {}
