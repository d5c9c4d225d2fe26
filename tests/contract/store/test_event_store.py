"""The event store keeps order, versions, time and rows beside, on both databases."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from eventsourcing.persistence import IntegrityError, ProgrammingError

from services.kernel.errors import RefusedError
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database
from services.kernel.store.leaf import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database

START = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
CASE = UUID("018f0000-0000-8000-8000-000000000001")
OTHER = UUID("018f0000-0000-8000-8000-000000000002")

Fact = tuple[UUID, int, str, str]


class FactCodec:
    """The smallest codec: a fact is its words, key and all."""

    def encode(self, event: Fact) -> bytes:
        return "|".join(map(str, event)).encode()

    def decode(self, body: bytes) -> Fact:
        case, version, name, words = body.decode().split("|")
        return UUID(case), int(version), name, words

    def key(self, event: Fact) -> tuple[UUID, int, str]:
        return event[:3]


class Hand:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> dt.datetime:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    return make_database("store")


@pytest.fixture
def store(database: Database, clock: Hand) -> EventStore[Fact]:
    database.migrate(
        ("CREATE TABLE IF NOT EXISTS beside (id UUID PRIMARY KEY, words TEXT)",)
    )
    return open_store(database, name="handling", codec=FactCodec(), now=clock)


def fact(version: int, case: UUID = CASE, words: str = "x") -> Fact:
    return case, version, "Tried", words


def put(store: EventStore[Fact], *facts: Fact) -> list[Any]:
    with store.database.write() as tx:
        return store.put(tx, facts)


def test_what_was_put_is_read_back_in_order(store: EventStore[Fact]) -> None:
    put(store, fact(1), fact(1, OTHER), fact(2))
    assert store.load(CASE) == [fact(1), fact(2)]
    assert store.load(CASE, upto_version=1) == [fact(1)]
    assert store.load(UUID(int=0)) == []
    assert [entry.version for entry in store.log(0, 10)] == [1, 1, 2]


def test_the_log_pages_by_position_and_by_case(store: EventStore[Fact]) -> None:
    entries = put(store, *(fact(n) for n in range(1, 6)), fact(1, OTHER))
    positions = [entry.position for entry in entries]
    assert positions == sorted(set(positions))
    assert store.log(positions[1], 2) == entries[2:4]
    assert store.log(0, 10, case_id=OTHER) == entries[5:]
    assert store.log(0, 10, upto=positions[2]) == entries[:3]
    assert store.last_position() == positions[-1]


def test_every_row_keeps_the_leaf_hash_of_its_bytes(store: EventStore[Fact]) -> None:
    (entry,) = put(store, fact(1, words="水漏れ 漏水"))
    assert entry.leaf == leaf_hash(entry.body)
    assert store.log(0, 1) == [entry]


def test_a_version_is_taken_once_and_takes_the_rows_beside_with_it(
    store: EventStore[Fact],
) -> None:
    put(store, fact(1))
    with pytest.raises(IntegrityError), store.database.write() as tx:  # noqa: PT012 one act
        tx.execute("INSERT INTO beside VALUES (?, ?)", (OTHER, "lost"))
        store.put(tx, [fact(1, OTHER), fact(1)])
    with store.database.read() as tx:
        assert tx.fetchall("SELECT * FROM beside") == []
    assert store.load(OTHER) == []


def test_rows_beside_commit_with_the_events(store: EventStore[Fact]) -> None:
    with store.database.write() as tx:
        store.put(tx, [fact(1)])
        tx.executemany("INSERT INTO beside VALUES (?, ?)", [(CASE, "a"), (OTHER, "b")])
    with store.database.read() as tx:
        rows = tx.fetchall("SELECT id, words FROM beside ORDER BY words")
    assert rows == [(CASE, "a"), (OTHER, "b")]


def test_knowledge_time_never_goes_back(store: EventStore[Fact], clock: Hand) -> None:
    put(store, fact(1))
    clock.now = START - dt.timedelta(hours=1)  # somebody sets the clock back
    put(store, fact(2))
    clock.now = START + dt.timedelta(hours=1)
    put(store, fact(3))
    stamps = [entry.committed_at for entry in store.log(0, 10)]
    assert stamps == sorted(stamps)
    assert stamps[0] == stamps[1] < stamps[2]


def test_an_instant_is_the_last_position_known_by_then(
    store: EventStore[Fact], clock: Hand
) -> None:
    first = put(store, fact(1), fact(2))[-1].position
    clock.now = START + dt.timedelta(seconds=2)
    second = put(store, fact(3))[-1].position
    assert store.position_at(START - dt.timedelta(microseconds=1)) == 0
    assert store.position_at(START) == first
    assert store.position_at(START + dt.timedelta(seconds=1)) == first
    assert store.position_at(clock.now) == second


def test_the_position_of_a_deleted_last_row_is_not_given_again(
    store: EventStore[Fact],
) -> None:
    put(store, fact(1))
    last = put(store, fact(2))[-1].position
    with store.database.write() as tx:
        tx.execute("DELETE FROM stored_events WHERE position = ?", (last,))
    assert put(store, fact(2))[-1].position > last


def test_bodies_of_another_store_are_kept_byte_for_byte(
    store: EventStore[Fact],
) -> None:
    body = FactCodec().encode(fact(1, words="as it came"))
    with store.database.write() as tx:
        store.put_bodies(tx, [(CASE, 1, "Tried", body)])
    assert store.log(0, 1)[0].body == body


def test_listeners_wake_after_the_commit_only(store: EventStore[Fact]) -> None:
    seen: list[int] = []
    store.on_commit(lambda: seen.append(store.last_position()))
    with pytest.raises(ZeroDivisionError), store.database.write() as tx:  # noqa: PT012 one act
        store.put(tx, [fact(1)])
        raise ZeroDivisionError
    assert seen == []
    with store.database.write() as tx:
        store.put(tx, [fact(1)])
        store.put(tx, [fact(2)])
        assert seen == []
    assert seen == [store.last_position()]


def test_the_epoch_stays_and_the_database_keeps_its_owner(
    store: EventStore[Fact], clock: Hand
) -> None:
    again = open_store(store.database, name="handling", codec=FactCodec(), now=clock)
    assert again.epoch == store.epoch
    with pytest.raises(RefusedError, match="belongs to handling"):
        open_store(store.database, name="intake", codec=FactCodec(), now=clock)


def test_a_newer_format_is_refused_untouched(
    store: EventStore[Fact], clock: Hand
) -> None:
    with store.database.write() as tx:
        tx.execute("UPDATE store_meta SET value = '99' WHERE name = 'format'")
    with pytest.raises(RefusedError, match="upgrade amends"):
        open_store(store.database, name="handling", codec=FactCodec(), now=clock)


def test_the_environment_cannot_change_the_store(
    database: Database, clock: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSISTENCE_MODULE", "no.such.module")
    monkeypatch.setenv("IS_SNAPSHOTTING_ENABLED", "y")
    monkeypatch.setenv("AGGREGATE_CACHE_MAXSIZE", "1000")
    opened = open_store(database, name="handling", codec=FactCodec(), now=clock)
    put(opened, fact(1))
    assert opened.load(CASE) == [fact(1)]


def test_folding_gives_the_state_at_a_version(store: EventStore[Fact]) -> None:
    put(store, fact(1), fact(2), fact(3))

    def count(state: int | None, _: Fact) -> int:
        return (state or 0) + 1

    assert store.fold(CASE, count) == 3
    assert store.fold(CASE, count, upto_version=2) == 2
    assert store.fold(OTHER, count) is None


def test_many_threads_write_and_readers_never_skip(store: EventStore[Fact]) -> None:
    """Positions appear to a reader in order: nothing is filled in behind it."""
    seen: list[int] = []
    stop = threading.Event()

    def follow() -> None:
        while not stop.is_set() or store.log(seen[-1] if seen else 0, 1):
            entries = store.log(seen[-1] if seen else 0, 100)
            seen.extend(entry.position for entry in entries)

    def write(case: int) -> None:
        for version in range(1, 26):
            put(store, fact(version, UUID(int=case)))

    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(n,)) for n in range(1, 5)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert seen == [entry.position for entry in store.log(0, 1_000)]
    assert len(seen) == 100


def test_a_store_opened_for_reading_reads_and_refuses_to_write(
    store: EventStore[Fact], clock: Hand, database_url: str
) -> None:
    put(store, fact(1))
    if database_url.startswith("sqlite"):
        database_url = f"sqlite://{store.database.path}"  # type: ignore[attr-defined]  # only SQLite has one
        reading = open_database(database_url, schema="", read_only=True)
    else:
        schema = store.database.schema  # type: ignore[attr-defined]  # only PostgreSQL has one
        reading = open_database(database_url, schema=schema, read_only=True)
    opened = open_store(reading, name="handling", codec=FactCodec(), now=clock)
    assert opened.load(CASE) == [fact(1)]
    with pytest.raises(ProgrammingError, match="for reading"):
        put(opened, fact(2))
    reading.close()
