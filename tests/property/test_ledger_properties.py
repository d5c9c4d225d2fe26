"""However history is cut into batches the tree is one; no single bit of it can change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.ledger.checkpoint import Checkpoint, Signer
from services.kernel.ledger.merkle import (
    ProofError,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from services.kernel.ledger.tree import Ledger, checkpoint, sealed
from services.kernel.store.database import open_database
from services.kernel.store.leaf import leaf_hash
from tests.support.records import Record
from tests.support.trees import grown, root_by_definition

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.kernel.store.database import Database

SIGNER = Signer("amends/test/store", bytes(range(32)))
SIZE = 37  # leaves of the tree that is tampered with: 32 + 4 + 1

leaves = st.lists(st.binary(max_size=8).map(leaf_hash), max_size=70)


class _UndoError(Exception):
    """Raised to leave a database as it was."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("ledger") / "store.sqlite"
    opened = open_database(f"sqlite:///{path}", schema="store")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    path: Path = tmp_path_factory.mktemp("record") / "store.sqlite"
    opened = open_database(f"sqlite:///{path}", schema="store")
    record = Record(opened)
    record.write(1, 5, 31)
    yield record
    opened.close()


@given(
    batches=st.lists(st.lists(st.binary(max_size=8), max_size=20), max_size=8),
    holes=st.lists(st.integers(1, 5), min_size=1, max_size=9),
)
def test_the_stored_tree_is_that_of_all_leaves_whatever_the_batches(
    database: Database, batches: list[list[bytes]], holes: list[int]
) -> None:
    ledger = Ledger(database, SIGNER)
    added: list[bytes] = []
    position = 0
    with pytest.raises(_UndoError), database.write() as tx:  # noqa: PT012 one transaction, undone
        for batch in batches:
            rows = []
            for body in batch:
                position += holes[len(added) % len(holes)]
                added.append(leaf_hash(body))
                rows.append((position, added[-1]))
            ledger.extend(tx, rows)
        assert sealed(tx) == (len(added), position)
        note = checkpoint(tx)
        if added:
            head = Checkpoint.open(note or "", SIGNER.verifier)
            assert head.root == root_by_definition(added)
        raise _UndoError


@given(leaves=leaves.filter(bool), data=st.data())
def test_every_proof_verifies_and_no_flipped_bit_of_it_does(
    leaves: list[bytes], data: st.DataObject
) -> None:
    frontier, nodes = grown(leaves)
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(1, size))

    def node(level: int, idx: int) -> bytes:
        return nodes[level, idx]

    path = inclusion_proof(index, size, node)
    verify_inclusion(
        index=index, size=size, leaf=leaves[index], proof=path, root=frontier.root()
    )
    growth = consistency_proof(first, size, node)
    old = root_by_definition(leaves[:first])
    verify_consistency(
        first=first,
        second=size,
        first_root=old,
        second_root=frontier.root(),
        proof=growth,
    )
    if path:
        wrong = _with_a_flipped_bit(path, data)
        with pytest.raises(ProofError):
            verify_inclusion(
                index=index,
                size=size,
                leaf=leaves[index],
                proof=wrong,
                root=frontier.root(),
            )
    if growth:
        wrong = _with_a_flipped_bit(growth, data)
        with pytest.raises(ProofError):
            verify_consistency(
                first=first,
                second=size,
                first_root=old,
                second_root=frontier.root(),
                proof=wrong,
            )


@given(
    number=st.integers(0, SIZE - 1),
    column=st.sampled_from(["body", "leaf"]),
    bit=st.integers(0, 10_000),
)
def test_one_bit_of_any_row_is_found_and_its_position_named(
    record: Record, number: int, column: str, bit: int
) -> None:
    position = record.positions()[number]
    update = f"UPDATE stored_events SET {column} = ? WHERE position = ?"  # noqa: S608 fixed words
    value = record.value(
        f"SELECT {column} FROM stored_events WHERE position = ?",  # noqa: S608 fixed words
        [position],
    )
    record.edit(update, [_flipped(value, bit), position])
    try:
        faults = record.verify().faults
    finally:
        record.edit(update, [value, position])
    assert [(f.position, f.what) for f in faults] == [(position, f"{column}_altered")]
    assert record.verify().ok


@given(data=st.data(), bit=st.integers(0, 255))
def test_one_bit_of_any_node_is_found_and_named_by_what_it_covers(
    record: Record, data: st.DataObject, bit: int
) -> None:
    with record.database.read() as tx:
        rows = tx.fetchall("SELECT level, idx, hash FROM ledger_node")
    level, idx, value = data.draw(st.sampled_from(rows))
    update = "UPDATE ledger_node SET hash = ? WHERE level = ? AND idx = ?"
    record.edit(update, [_flipped(value, bit), level, idx])
    try:
        faults = record.verify().faults
    finally:
        record.edit(update, [value, level, idx])
    assert faults[0].position == record.positions()[idx << level]


def _flipped(value: bytes, bit: int) -> bytes:
    at, bit = divmod(bit % (8 * len(value)), 8)
    return value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :]


def _with_a_flipped_bit(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    place = data.draw(st.integers(0, len(proof) - 1))
    wrong = list(proof)
    wrong[place] = _flipped(wrong[place], data.draw(st.integers(0, 255)))
    return wrong
