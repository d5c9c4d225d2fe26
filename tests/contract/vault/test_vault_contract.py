"""Words are sealed per person, tampering shows, and who is erased stays erased."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError

from services.kernel.errors import NotFoundError, UnavailableError
from services.kernel.store.database import open_database
from services.kernel.vault import (
    BlindIndex,
    DamagedError,
    ErasedError,
    Sealed,
    Vault,
)
from services.kernel.vault import documents as documents_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.kernel.store.database import Database

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
ANN, BEN = UUID(int=1), UUID(int=2)
WORDS = "The kettle leaks, and so does 王女士's. \U0001f4a7".encode()


@pytest.fixture
def keys(make_database: Callable[..., Database]) -> Database:
    return make_database("keys", secure_delete=True)


@pytest.fixture
def store(make_database: Callable[..., Database]) -> Database:
    return make_database("store")


@pytest.fixture
def vault(keys: Database, store: Database) -> Vault:
    return Vault(keys, store)


def test_keys_that_cannot_be_written_are_away_and_no_fault(
    vault: Vault, keys: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hands a complaint in then hears 503 and sends it again, not 500."""

    def full() -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(keys, "write", full)
    with pytest.raises(UnavailableError, match="send it again"):
        vault.ensure_keys([ANN])
    monkeypatch.undo()
    vault.ensure_keys([ANN])


def sealed(vault: Vault, number: int = 1, subject: UUID = ANN, **more: Any) -> Sealed:
    vault.ensure_keys([subject])
    return vault.seal(
        document_id=UUID(int=100 + number),
        subject_id=subject,
        kind=more.get("kind", "statement"),
        media_type="text/plain; charset=utf-8",
        plaintext=more.get("plaintext", WORDS),
    )


def kept(vault: Vault, store: Database, *documents: Sealed) -> None:
    with store.write() as tx:
        vault.put(tx, documents)


# Sealing and opening.


@pytest.mark.parametrize("plaintext", [WORDS, b"", b"\0" * 100_000])
def test_a_document_comes_back_as_it_was(
    vault: Vault, store: Database, plaintext: bytes
) -> None:
    document = sealed(vault, plaintext=plaintext)
    kept(vault, store, document)
    opened = vault.open(document.document_id)
    assert (opened.plaintext, opened.kind) == (plaintext, "statement")
    assert opened.media_type == "text/plain; charset=utf-8"
    assert opened.subject_id == ANN
    assert document.size == len(plaintext)
    assert plaintext == b"" or plaintext not in document.ciphertext


def test_the_digest_is_salted_and_can_be_checked_by_whoever_may_read(
    vault: Vault, store: Database
) -> None:
    one, two = sealed(vault, 1), sealed(vault, 2)
    kept(vault, store, one, two)
    assert one.digest != two.digest
    opened = vault.open(one.document_id)
    assert opened.digest == one.digest
    assert one.digest == sha256(opened.salt + WORDS).hexdigest()
    assert opened.salt not in one.ciphertext  # it dies with the key


def test_nothing_random_is_used_twice(keys: Database, store: Database) -> None:
    drawn = iter(range(1, 1_000))
    vault = Vault(keys, store, randbytes=lambda size: next(drawn).to_bytes(size, "big"))
    first, second = sealed(vault, 1), sealed(vault, 2)
    assert first.nonce != second.nonce
    assert first.ciphertext != second.ciphertext


def test_a_kind_that_is_an_enum_is_stored_by_its_value(
    vault: Vault, store: Database
) -> None:
    from enum import StrEnum  # noqa: PLC0415 only here

    class Kind(StrEnum):
        LETTER = "letter"

    document = sealed(vault, kind=Kind.LETTER)
    kept(vault, store, document)
    assert vault.open(document.document_id).kind == "letter"


def test_another_start_of_the_program_reads_the_same(
    make_database: Callable[..., Database], vault: Vault, store: Database
) -> None:
    document = sealed(vault)
    kept(vault, store, document)
    again = Vault(make_database("keys"), make_database("store"))
    assert again.open(document.document_id).plaintext == WORDS
    again.ensure_keys([ANN])  # the same key, not a new one
    assert vault.open(document.document_id).plaintext == WORDS


def test_a_key_of_another_process_counts(
    make_database: Callable[..., Database], vault: Vault, store: Database
) -> None:
    other = Vault(make_database("keys"), make_database("store"))
    one, two = sealed(vault, 1), sealed(other, 2)
    kept(vault, store, one, two)
    assert vault.open(two.document_id).plaintext == WORDS
    assert other.open(one.document_id).plaintext == WORDS


def test_documents_and_what_stands_beside_them_commit_together(
    vault: Vault, store: Database
) -> None:
    document = sealed(vault)
    kept(vault, store, document)
    with pytest.raises(IntegrityError):
        kept(vault, store, sealed(vault, 2), document)
    with pytest.raises(NotFoundError):
        vault.open(UUID(int=102))


def test_a_document_that_never_was_is_not_an_erased_one(vault: Vault) -> None:
    with pytest.raises(NotFoundError) as refusal:
        vault.open(UUID(int=9))
    assert not isinstance(refusal.value, ErasedError)
    assert refusal.value.code == "vault.unknown"


def test_many_people_at_once(vault: Vault, store: Database) -> None:
    people = [UUID(int=number) for number in range(1, 1_202)]
    vault.ensure_keys([*people, *people])
    documents = [
        sealed(vault, number, person) for number, person in enumerate(people[:3])
    ]
    kept(vault, store, *documents)
    assert vault.open(documents[2].document_id).subject_id == people[2]


def test_keys_pushed_out_of_memory_are_read_again(
    vault: Vault, store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_module, "CIPHERS_KEPT", 1)
    vault.ensure_keys([ANN, BEN])
    document = vault.seal(
        document_id=UUID(int=5),
        subject_id=ANN,
        kind="statement",
        media_type="text/plain",
        plaintext=WORDS,
    )
    kept(vault, store, document)
    assert vault.open(UUID(int=5)).plaintext == WORDS


def test_sealing_without_a_key_is_refused(vault: Vault) -> None:
    with pytest.raises(NotFoundError, match="ensure_keys"):
        vault.seal(
            document_id=UUID(int=5),
            subject_id=ANN,
            kind="statement",
            media_type="text/plain",
            plaintext=WORDS,
        )


# Tampering.


def _flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: replace(d, ciphertext=_flipped(d.ciphertext)),
        lambda d: replace(d, ciphertext=d.ciphertext[:-1]),
        lambda d: replace(d, ciphertext=b""),
        lambda d: replace(d, nonce=_flipped(d.nonce)),
        lambda d: replace(d, nonce=b""),
        lambda d: replace(d, subject_id=BEN),
        lambda d: replace(d, document_id=UUID(int=999)),
    ],
    ids=["bit", "cut", "empty", "nonce", "no nonce", "other person", "other document"],
)
def test_a_changed_row_does_not_open(
    vault: Vault, store: Database, change: Callable[[Sealed], Sealed]
) -> None:
    vault.ensure_keys([BEN])
    changed = change(sealed(vault))
    kept(vault, store, changed)
    with pytest.raises(DamagedError) as refusal:
        vault.open(changed.document_id)
    assert refusal.value.code == "vault.tampered"


def test_a_key_that_vanished_without_a_tombstone_is_no_erasure(
    vault: Vault, store: Database, keys: Database
) -> None:
    document = sealed(vault)
    kept(vault, store, document)
    with keys.write() as tx:
        tx.execute("DELETE FROM vault_key")
    with pytest.raises(DamagedError) as refusal:
        vault.open(document.document_id)
    assert refusal.value.code == "vault.key_missing"


def test_of_many_documents_those_that_can_be_read_are_opened(
    vault: Vault, store: Database
) -> None:
    """Not the unknown, the damaged, the overwritten one, nor those without a key."""
    whole = [sealed(vault, number, BEN) for number in (1, 2)]
    damaged = replace(sealed(vault, 3, BEN), nonce=b"")
    gone, blank = sealed(vault, 4, ANN), sealed(vault, 5, UUID(int=3))
    kept(vault, store, *whole, damaged, gone, blank)
    vault.destroy_key(ANN, NOW)
    with store.write() as tx:
        vault.blank(tx, blank.subject_id)
    ids = [UUID(int=number) for number in range(100, 107)]
    found = vault.readable(ids)
    assert found == {each.document_id: vault.open(each.document_id) for each in whole}
    assert vault.readable([]) == {}


# Erasing.


def test_an_erased_person_stays_erased_and_others_do_not_notice(
    vault: Vault, store: Database
) -> None:
    anns, bens = sealed(vault, 1, ANN), sealed(vault, 2, BEN)
    kept(vault, store, anns, bens)
    tombstone = vault.destroy_key(ANN, NOW)
    assert (tombstone.subject_id, tombstone.destroyed_at) == (ANN, NOW)
    with pytest.raises(ErasedError) as refusal:
        vault.open(anns.document_id)
    assert (refusal.value.code, refusal.value.subject_id) == ("vault.erased", ANN)
    assert vault.open(bens.document_id).plaintext == WORDS
    for again in range(2):
        with pytest.raises(ErasedError):
            vault.ensure_keys([BEN, ANN])
        with pytest.raises(ErasedError):
            sealed(vault, 10 + again, ANN)
    later = vault.destroy_key(ANN, NOW + dt.timedelta(days=1))
    assert later == tombstone


def test_who_never_had_a_key_gets_none_after_the_erasure(vault: Vault) -> None:
    vault.destroy_key(ANN, NOW)
    with pytest.raises(ErasedError):
        vault.ensure_keys([ANN])


def test_an_erasure_by_another_process_is_obeyed_at_the_next_batch(
    make_database: Callable[..., Database], vault: Vault, store: Database
) -> None:
    document = sealed(vault)
    kept(vault, store, document)
    Vault(make_database("keys"), make_database("store")).destroy_key(ANN, NOW)
    with pytest.raises(ErasedError):
        vault.open(document.document_id)
    with pytest.raises(ErasedError):
        vault.ensure_keys([ANN])
    with pytest.raises(ErasedError):  # its key is not in memory any more either
        vault.seal(
            document_id=UUID(int=7),
            subject_id=ANN,
            kind="statement",
            media_type="text/plain",
            plaintext=WORDS,
        )


def test_errors_survive_the_way_back_from_a_child_process() -> None:
    error = pickle.loads(pickle.dumps(ErasedError(ANN)))  # noqa: S301 our own bytes
    assert error.subject_id == ANN


def test_nothing_of_an_erased_person_is_left_in_any_file(tmp_path: Path) -> None:
    """200 people, 100 erased; then every byte of every file is searched."""
    keys = open_database(
        f"sqlite:///{tmp_path / 'keys.sqlite'}", schema="keys", secure_delete=True
    )
    store = open_database(f"sqlite:///{tmp_path / 'store.sqlite'}", schema="store")
    vault = Vault(keys, store)
    people = [UUID(int=number) for number in range(1, 201)]
    for person in people:
        words = f"secret words of {person.hex}".encode()
        kept(vault, store, sealed(vault, person.int, person, plaintext=words))
    with keys.read() as tx:
        secrets = dict(tx.fetchall("SELECT subject_id, secret FROM vault_key"))
    for person in people[::2]:
        vault.destroy_key(person, NOW)
    keys.close()
    store.close()

    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret words" not in written
    assert not [p for p in people[::2] if secrets[p] in written]
    # The search is able to find: the keys of those who stay are there.
    assert all(secrets[p] in written for p in people[1::2])


# The blind index.


@pytest.fixture
def index(keys: Database, store: Database) -> BlindIndex:
    return BlindIndex(keys, store, region="CN")


def enter(
    store: Database, index: BlindIndex, *marks: tuple[str, str, int, int]
) -> None:
    with store.write() as tx:
        index.put(tx, [(k, v, UUID(int=s), UUID(int=c)) for k, v, s, c in marks])


def who(store: Database, index: BlindIndex, **marks: str | None) -> int | None:
    with store.read() as tx:
        subject = index.find_subject(tx, marks)
    return None if subject is None else subject.int


def cases(store: Database, index: BlindIndex, kind: str, value: str) -> list[int]:
    with store.read() as tx:
        return [case.int for case in index.find_cases(tx, kind, value)]


def test_a_person_is_found_by_any_spelling_of_a_mark(
    store: Database, index: BlindIndex
) -> None:
    enter(
        store,
        index,
        ("phone", "138 1234 5678", 1, 11),
        ("email", "Ann@Example.com", 1, 11),
        ("customer_no", "k-77", 1, 11),
    )
    assert who(store, index, phone="+8613812345678") == 1
    assert who(store, index, email="ann@example.com", phone=None) == 1
    assert who(store, index, customer_no="K 77") == 1
    assert who(store, index, phone="138 1234 5679", email="ben@example.com") is None
    assert who(store, index) is None


def test_the_surest_mark_decides_and_then_the_older_person(
    store: Database, index: BlindIndex
) -> None:
    enter(
        store,
        index,
        ("phone", "13812345678", 2, 11),
        ("phone", "13812345678", 1, 12),
        ("email", "ben@example.com", 3, 13),
    )
    assert who(store, index, phone="13812345678") == 1
    assert who(store, index, phone="13812345678", email="ben@example.com") == 3


def test_a_number_given_as_something_else_tells_nobody(
    store: Database, index: BlindIndex
) -> None:
    enter(store, index, ("order_no", "4711", 1, 11))
    assert who(store, index, customer_no="4711") is None
    assert cases(store, index, "order_no", "47-11") == [11]
    assert cases(store, index, "serial", "4711") == []


def test_all_cases_of_a_lot_are_found_and_entering_twice_is_once(
    store: Database, index: BlindIndex
) -> None:
    for _ in range(2):
        enter(store, index, *(("lot", "L-9", n, 100 + n) for n in range(3)))
    assert cases(store, index, "lot", "l9") == [100, 101, 102]


def test_unfit_marks_are_passed_over(store: Database, index: BlindIndex) -> None:
    enter(store, index, ("phone", "none", 1, 11), ("order_no", "-", 1, 11))
    assert who(store, index, phone="none") is None
    assert cases(store, index, "order_no", "-") == []
    assert index.digest("phone", "none") is None


def test_a_number_without_its_country_finds_cases_and_tells_no_person(keys, store):
    index = BlindIndex(keys, store)
    enter(
        store,
        index,
        ("phone", "138 0013 8000", 1, 11),
        ("phone", "+86 138-0013-8000", 2, 12),
        ("phone", "0086 13800138000", 3, 13),
        ("phone", "010 1234 5678", 4, 14),
        ("phone", "+49 30 12345678", 5, 15),
    )

    def found(value: str) -> list[int]:
        with store.read() as tx:
            return [case.int for case in index.find_cases(tx, "phone", value)]

    assert found("13800138000") == [11, 12, 13]
    assert found("+8613800138000") == found("0086 138 0013 8000") == [11, 12, 13]
    assert found("(010) 1234-5678") == [14]
    assert found("030 12345678") == found("+493012345678") == [15]
    assert found("+1 213 800 1380") == found("1234") == []
    assert who(store, index, phone="13800138000") is None
    assert who(store, index, phone="+8613800138000") == 2
    with store.write() as tx:
        for subject in range(1, 6):
            index.erase(tx, UUID(int=subject))
    assert found("13800138000") == found("+493012345678") == []


def test_marks_go_with_the_person(store: Database, index: BlindIndex) -> None:
    enter(store, index, ("serial", "S1", 1, 11), ("serial", "S1", 2, 12))
    with store.write() as tx:
        index.erase(tx, UUID(int=1))
    assert cases(store, index, "serial", "S1") == [12]


def test_a_batch_of_owners_is_asked_for_at_once(
    store: Database, index: BlindIndex
) -> None:
    marks = [("customer_no", f"K{n}", n, 1_000 + n) for n in range(1, 701)]
    enter(store, index, *marks)
    digests = [index.digest("customer_no", value) or b"" for _, value, _, _ in marks]
    with store.read() as tx:
        owners = index.owners(tx, [*digests, b"unknown"])
        assert index.owners(tx, []) == {}
    assert [owners[digest].int for digest in digests] == list(range(1, 701))
    assert len(owners) == 700


def test_the_secret_stays_and_another_secret_gives_other_digests(
    make_database: Callable[..., Database], keys: Database, store: Database
) -> None:
    first = BlindIndex(keys, store, region="CN")
    again = BlindIndex(keys, store, region="CN")
    other = BlindIndex(make_database("other"), store, region="CN")
    assert first.digest("lot", "L9") == again.digest("lot", "L9")
    assert first.digest("lot", "L9") != other.digest("lot", "L9")
    assert len(first.digest("lot", "L9") or b"") == 32


def test_no_mark_lies_in_the_store(tmp_path: Path) -> None:
    keys = open_database(f"sqlite:///{tmp_path / 'keys.sqlite'}", schema="keys")
    store = open_database(f"sqlite:///{tmp_path / 'store.sqlite'}", schema="store")
    enter(
        store, BlindIndex(keys, store, region="CN"), ("phone", "138 1234 5678", 1, 11)
    )
    keys.close()
    store.close()
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"12345678" not in written
