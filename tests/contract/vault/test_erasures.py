"""An erasure overwrites, destroys the key, cleans the files, and is taken up after a crash."""

from __future__ import annotations

import asyncio
import datetime as dt
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.store.database import open_database
from services.kernel.vault import BlindIndex, Cleaner, ErasedError, Erasures, Vault
from services.kernel.vault import erasures as erasures_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.kernel.store.database import Database

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
ANN, BEN = UUID(int=1), UUID(int=2)


class Room:
    """A vault with its erasures over two databases."""

    def __init__(self, keys: Database, store: Database) -> None:
        self.keys, self.store = keys, store
        self.vault = Vault(keys, store)
        self.index = BlindIndex(keys, store)
        self.beside: list[UUID] = []
        self.erasures = Erasures(
            self.vault,
            keys,
            store,
            now=lambda: NOW,
            also=self.beside.append,
            swept=("blind_mark",),
        )

    def keep(self, number: int, subject: UUID, words: bytes = b"It leaks.") -> UUID:
        document_id = UUID(int=100 + number)
        self.vault.ensure_keys([subject])
        sealed = self.vault.seal(
            document_id=document_id,
            subject_id=subject,
            kind="statement",
            media_type="text/plain",
            plaintext=words,
        )
        with self.store.write() as tx:
            self.vault.put(tx, [sealed])
            mark = ("order_no", f"A-{number}", subject, document_id)
            self.index.put(tx, [mark])
        return document_id

    def erase(self, subject: UUID) -> None:
        with self.store.write() as tx:
            self.erasures.erase(tx, subject, at=NOW)
            self.index.erase(tx, subject)

    def cleaned(self, subject: UUID) -> bool:
        with self.store.read() as tx:
            state = self.erasures.of(tx, subject)
        return state is not None and state.cleaned_at is not None

    def secrets(self) -> dict[UUID, bytes | None]:
        with self.keys.read() as tx:
            return dict(tx.fetchall("SELECT subject_id, secret FROM vault_key"))


@pytest.fixture
def room(make_database: Callable[..., Database]) -> Room:
    return Room(
        make_database("keys", secure_delete=True),
        make_database("store", secure_delete=True),
    )


def test_the_words_are_gone_with_the_commit_and_the_key_a_moment_later(
    room: Room,
) -> None:
    anns, bens = room.keep(1, ANN), room.keep(2, BEN)
    room.erase(ANN)
    with room.store.read() as tx:
        assert room.vault.inventory(tx, ANN) == []
        assert room.index.count(tx, ANN) == 0
        assert room.erasures.among(tx, [ANN, BEN]) == {ANN}
        (sealed,) = tx.fetchall(
            "SELECT ciphertext FROM vault_document WHERE document_id = ?", (anns,)
        )
    assert not any(sealed[0])
    with pytest.raises(ErasedError):
        room.vault.open(anns)
    assert room.secrets()[ANN] is not None
    assert not room.cleaned(ANN)
    assert room.erasures.finish()
    assert room.secrets()[ANN] is None
    assert room.cleaned(ANN)
    assert room.beside == [ANN]
    assert room.vault.open(bens).plaintext == b"It leaks."


def test_what_comes_later_of_the_same_person_is_erased_too(room: Room) -> None:
    room.keep(1, ANN)
    late = room.keep(2, ANN)
    room.erase(ANN)
    assert room.erasures.finish()
    room.erase(ANN)  # a complaint that was under way
    assert not room.cleaned(ANN)
    assert room.erasures.finish()
    assert room.cleaned(ANN)
    with pytest.raises(ErasedError):
        room.vault.open(late)


def test_a_rolled_back_erasure_erases_nobody(room: Room) -> None:
    anns = room.keep(1, ANN)
    with suppress(ZeroDivisionError), room.store.write() as tx:
        room.erasures.erase(tx, ANN, at=NOW)
        raise ZeroDivisionError
    assert room.erasures.finish()
    assert room.vault.open(anns).plaintext == b"It leaks."


def test_no_byte_of_an_erased_person_is_left_in_open_files(tmp_path: Path) -> None:
    """600 people, 300 erased in any order; all files are searched, none is closed."""
    with (
        closing(database(tmp_path, "keys")) as keys,
        closing(database(tmp_path, "store")) as store,
    ):
        room = Room(keys, store)
        people = [UUID(int=number) for number in range(1, 601)]
        for person in people:
            size = (60, 300, 3_000, 9_000)[person.int % 4]
            room.keep(person.int, person, b"?" * size)
        secrets = room.secrets()
        with store.read() as tx:
            sealed = dict(
                tx.fetchall("SELECT subject_id, ciphertext FROM vault_document")
            )
            marks = dict(tx.fetchall("SELECT subject_id, digest FROM blind_mark"))
        gone = sorted(people[::2], key=lambda person: person.int * 7_919 % 601)
        for person in gone:
            room.erase(person)
        assert room.erasures.finish()
        found = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    def left(of: list[UUID]) -> int:
        return sum(
            needle in found
            for person in of
            for needle in (secrets[person] or b"", marks[person], sealed[person][:40])
        )

    assert left(gone) == 0
    assert left(people[1::2]) == 3 * len(people[1::2])  # the search is able to find


def database(folder: Path, name: str) -> Database:
    return open_database(
        f"sqlite:///{folder / name}.sqlite", schema=name, secure_delete=True
    )


def test_a_reader_of_the_past_puts_the_cleaning_off(tmp_path: Path) -> None:
    with (
        closing(database(tmp_path, "keys")) as keys,
        closing(database(tmp_path, "store")) as store,
    ):
        room = Room(keys, store)
        room.keep(1, ANN)
        with store.read() as tx:
            tx.fetchall("SELECT * FROM vault_document")
            room.erase(ANN)
            assert not room.erasures.finish()
            assert not room.cleaned(ANN)
        assert room.erasures.finish()
        assert room.cleaned(ANN)


def test_the_cleaner_takes_up_what_was_left_and_what_comes(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.keep(1, ANN)
    room.keep(2, BEN)
    room.erase(ANN)  # before it starts
    monkeypatch.setattr(erasures_module, "AGAIN", 0.0)
    failures = [OSError("a full disk")]
    finish = room.erasures.finish

    def failing() -> bool:
        if failures:
            raise failures.pop()
        return finish()

    monkeypatch.setattr(room.erasures, "finish", failing)

    async def main() -> None:
        cleaner = Cleaner(room.erasures)
        running = asyncio.create_task(cleaner.run())
        async with asyncio.timeout(30):
            await until(lambda: room.cleaned(ANN))
            await asyncio.to_thread(room.erase, BEN)
            await until(lambda: room.cleaned(BEN))
            await cleaner.stop()
            await running

    asyncio.run(main())


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 a row tells, and rows wake nobody
        await asyncio.sleep(0.01)
