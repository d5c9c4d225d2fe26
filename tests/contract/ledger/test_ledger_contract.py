"""The ledger grows with the log and finds every change of it, on both databases."""

from __future__ import annotations

import pickle
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.kernel.ledger.checkpoint import Checkpoint, Signer
from services.kernel.ledger.merkle import (
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from services.kernel.ledger.tree import (
    LedgerError,
    checkpoint,
    prove_consistency,
    prove_inclusion,
    sealed,
)
from services.kernel.store.leaf import leaf_hash
from tests.support.records import FactCodec, Record
from tests.support.trees import root_by_definition

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.ledger.sealer import Sealer
    from services.kernel.store.database import Database

BATCHES = 1, 7, 2, 13, 1, 4  # 28 facts: three complete subtrees


@pytest.fixture
def record(make_database: Callable[..., Database]) -> Record:
    return Record(make_database("store"))


def found(record: Record, **options: object) -> list[tuple[int | None, str]]:
    report = record.verify(**options)
    assert report.ok == (not report.faults)
    return [(fault.position, fault.what) for fault in report.faults]


# Growing.


def test_an_empty_store_is_sound(record: Record) -> None:
    report = record.verify()
    assert report.ok
    assert (report.events, report.size, report.sealed_to) == (0, 0, 0)
    assert report.root == root_by_definition([])
    with record.database.read() as tx:
        assert checkpoint(tx) is None


def test_the_seal_reaches_the_last_position_and_is_signed(record: Record) -> None:
    record.write(*BATCHES)
    report = record.verify()
    leaves = [entry.leaf for entry in record.store.log(0, 100)]
    assert (report.ok, report.events, report.size) == (True, 28, 28)
    assert report.sealed_to == report.last_position == record.store.last_position()
    assert report.unsealed == 0
    assert report.root == root_by_definition(leaves)
    with record.database.read() as tx:
        head = Checkpoint.open(checkpoint(tx) or "", record.signer.verifier)
    assert (head.size, head.root) == (28, report.root)


def test_a_restart_goes_on_with_the_same_tree(
    make_database: Callable[..., Database],
) -> None:
    Record(make_database("store")).write(5, 6)
    again = Record(make_database("store"))
    again._versions.__next__()
    again._versions.__next__()
    again.write(3)
    assert again.verify().ok
    assert again.verify().size == 14


def test_a_transaction_that_fails_leaves_no_trace_in_the_ledger(record: Record) -> None:
    record.write(3)
    with suppress(ZeroDivisionError), record.database.write() as tx:
        record.store.put(tx, [(_case(1), 1, "Noted")])
        raise ZeroDivisionError
    record.write(2)  # on PostgreSQL behind a hole in the positions
    report = record.verify()
    assert (report.ok, report.size) == (True, 5)


def test_what_is_sealed_cannot_be_sealed_again(record: Record) -> None:
    record.write(3)
    with pytest.raises(LedgerError, match="sealed"), record.database.write() as tx:
        record.ledger.extend(tx, [(record.store.last_position(), b"x" * 32)])


def test_a_tree_without_its_right_edge_does_not_grow(record: Record) -> None:
    record.write(3)
    record.edit("DELETE FROM ledger_node WHERE level = 1")
    with pytest.raises(LedgerError, match="missing"):
        record.write(1)


def test_extending_by_nothing_changes_nothing(record: Record) -> None:
    with record.database.write() as tx:
        record.ledger.extend(tx, [])
        assert checkpoint(tx) is None


def test_every_event_has_a_proof_under_the_signed_root(record: Record) -> None:
    record.write(*BATCHES)
    with record.database.read() as tx:
        head = Checkpoint.open(checkpoint(tx) or "", record.signer.verifier)
        for entry in record.store.log(0, 100):
            shown = prove_inclusion(tx, entry.position)
            assert shown is not None
            verify_inclusion(
                index=shown.idx,
                size=head.size,
                leaf=leaf_hash(entry.body),
                proof=shown.proof,
                root=head.root,
            )
        assert prove_inclusion(tx, 0) is None
        assert prove_inclusion(tx, record.store.last_position() + 1) is None


def test_an_older_checkpoint_is_shown_to_be_the_beginning(record: Record) -> None:
    kept = []
    for size in BATCHES:
        record.write(size)
        with record.database.read() as tx:
            kept.append(checkpoint(tx) or "")
    heads = [Checkpoint.open(note, record.signer.verifier) for note in kept]
    with record.database.read() as tx:
        for head in heads:
            verify_consistency(
                first=head.size,
                second=heads[-1].size,
                first_root=head.root,
                second_root=heads[-1].root,
                proof=prove_consistency(tx, head.size),
            )
    assert found(record, against={str(n): note for n, note in enumerate(kept)}) == []


# Changing history. The fourth of 28 events is altered, in all but the named cases.


@pytest.fixture
def written(record: Record) -> Record:
    record.write(*BATCHES)
    return record


def fourth(record: Record) -> int:
    return record.positions()[3]


def flip(record: Record, table: str, column: str, where: str, *params: object) -> None:
    """Turn the lowest bit of the first byte of one value."""
    value = record.value(f"SELECT {column} FROM {table} WHERE {where}", params)  # noqa: S608 fixed words
    changed = bytes([value[0] ^ 1]) + value[1:]
    sql = f"UPDATE {table} SET {column} = ? WHERE {where}"  # noqa: S608 fixed words
    record.edit(sql, [changed, *params])


def test_an_edited_body_is_named(written: Record) -> None:
    flip(written, "stored_events", "body", "position = ?", fourth(written))
    assert found(written) == [(fourth(written), "body_altered")]


def test_an_edited_body_with_a_fitting_leaf_is_named(written: Record) -> None:
    forged = b"what should have been"
    written.edit(
        "UPDATE stored_events SET body = ?, leaf = ? WHERE position = ?",
        [forged, leaf_hash(forged), fourth(written)],
    )
    assert found(written) == [(fourth(written), "body_altered")]


@pytest.mark.parametrize(
    "value", ["CAST(body AS TEXT)", "replace(CAST(body AS TEXT), 'N', 'n')", "7", "x''"]
)
def test_a_body_that_a_database_shell_left_as_something_else_is_named(
    written: Record, value: str
) -> None:
    if written.database.dialect != "sqlite":
        pytest.skip("PostgreSQL keeps bytes in a column of bytes")
    where = fourth(written)
    written.edit(f"UPDATE stored_events SET body = {value} WHERE position = {where}")  # noqa: S608 our own
    assert found(written) == [(where, "body_altered")]


def test_an_edited_leaf_is_named(written: Record) -> None:
    flip(written, "stored_events", "leaf", "position = ?", fourth(written))
    assert found(written) == [(fourth(written), "leaf_altered")]


def test_an_edited_leaf_of_the_ledger_is_named(written: Record) -> None:
    flip(written, "ledger_node", "hash", "level = 0 AND idx = 3")
    assert found(written) == [(fourth(written), "ledger_altered")]


def test_an_edited_leaf_that_no_node_covers_yet_is_named(record: Record) -> None:
    record.write(5)
    flip(record, "ledger_node", "hash", "level = 0 AND idx = 4")
    assert found(record) == [  # which of the two was edited, only the root could tell
        (record.store.last_position(), "body_altered"),
        (None, "checkpoint_contradicts"),
    ]


def test_a_leaf_of_nobody_at_no_position_is_found(written: Record) -> None:
    flip(written, "ledger_node", "hash", "level = 0 AND idx = 3")
    written.edit("UPDATE ledger_node SET position = 1 WHERE level = 0 AND idx = 3")
    faults = found(written)
    assert (None, "ledger_altered") in faults
    assert (fourth(written), "row_inserted") in faults


def test_a_leaf_without_a_number_is_found(written: Record) -> None:
    if written.database.dialect != "sqlite":
        pytest.skip("PostgreSQL keeps numbers in a column of numbers")
    written.edit("INSERT INTO ledger_node VALUES (0, 'x', x'00', 'y')")
    assert found(written) == [(None, "ledger_altered")]


def test_proofs_from_a_damaged_tree_are_refused_not_wrong(written: Record) -> None:
    first = written.positions()[0]
    written.edit("DELETE FROM ledger_node WHERE level = 1 AND idx = 1")
    with (
        written.database.read() as tx,
        pytest.raises(LedgerError, match=r"Node \(1, 1\) is missing"),
    ):
        prove_inclusion(tx, first)
    written.edit("DELETE FROM ledger_node WHERE level = 0 AND idx = 14")
    with (
        written.database.read() as tx,
        pytest.raises(LedgerError, match="Leaf 14 is missing"),
    ):
        prove_inclusion(tx, first)


def test_errors_survive_the_way_back_from_a_child_process() -> None:
    error = pickle.loads(pickle.dumps(LedgerError("why")))  # noqa: S301 our own bytes
    assert (error.code, error.detail) == ("ledger.damaged", "why")


def test_an_edited_node_is_named_once_with_what_it_covers(written: Record) -> None:
    flip(written, "ledger_node", "hash", "level = 2 AND idx = 1")
    report = written.verify()
    first, last = written.positions()[4], written.positions()[7]
    assert [(f.position, f.what) for f in report.faults] == [(first, "ledger_altered")]
    assert f"positions {first} to {last}" in report.faults[0].detail


def test_a_forgery_of_body_leaf_and_ledger_is_found_by_the_tree(
    written: Record,
) -> None:
    forged = b"what should have been"
    written.edit(
        "UPDATE stored_events SET body = ?, leaf = ? WHERE position = ?",
        [forged, leaf_hash(forged), fourth(written)],
    )
    written.edit(
        "UPDATE ledger_node SET hash = ? WHERE level = 0 AND idx = 3",
        [leaf_hash(forged)],
    )
    assert found(written) == [
        (written.positions()[2], "ledger_altered"),  # the node over the third and it
        (None, "checkpoint_contradicts"),
    ]


def _rewrite_with_another_key(record: Record, *, signer: Signer) -> None:
    """Forge the fourth event and everything above it, as far as the key allows."""
    forged = b"what should have been"
    record.edit(
        "UPDATE stored_events SET body = ?, leaf = ? WHERE position = ?",
        [forged, leaf_hash(forged), fourth(record)],
    )
    leaves = [leaf_hash(entry.body) for entry in record.store.log(0, 100)]
    level = 0
    while leaves:
        for idx, value in enumerate(leaves):
            record.edit(
                "UPDATE ledger_node SET hash = ? WHERE level = ? AND idx = ?",
                [value, level, idx],
            )
        level += 1
        pairs = zip(leaves[::2], leaves[1::2], strict=False)
        leaves = [node_hash(*pair) for pair in pairs]
    root = root_by_definition([e.leaf for e in record.store.log(0, 100)])
    note = Checkpoint(signer.name, 28, root).sign(signer)
    record.edit("UPDATE ledger_checkpoint SET note = ?", [note])


def test_a_whole_history_rewritten_without_the_key_is_found(written: Record) -> None:
    thief = Signer(written.signer.name, b"t" * 32)
    _rewrite_with_another_key(written, signer=thief)
    assert found(written) == [(None, "checkpoint_invalid")]


def test_a_whole_history_rewritten_with_the_key_is_refuted_by_a_kept_checkpoint(
    written: Record,
) -> None:
    with written.database.read() as tx:
        kept = checkpoint(tx) or ""
    _rewrite_with_another_key(written, signer=written.signer)
    assert found(written) == []  # as the module says: nothing inside can show it
    assert found(written, against={"the notary's": kept}) == [
        (None, "checkpoint_contradicts")
    ]


def test_a_deleted_row_is_named(written: Record) -> None:
    position = fourth(written)
    written.edit("DELETE FROM stored_events WHERE position = ?", [position])
    assert found(written) == [(position, "row_deleted")]


def test_rows_in_another_order_are_named(written: Record) -> None:
    one, two = written.positions()[3], written.positions()[8]
    swap = [
        written.value("SELECT body FROM stored_events WHERE position = ?", [place])
        for place in (two, one)
    ]
    for place, body in zip((one, two), swap, strict=True):
        written.edit(
            "UPDATE stored_events SET body = ?, leaf = ? WHERE position = ?",
            [body, leaf_hash(body), place],
        )
    assert found(written) == [(one, "body_altered"), (two, "body_altered")]


def test_an_inserted_row_is_named(
    record: Record,
) -> None:
    record.write(3)
    hole = record.store.last_position() + 1
    with record.database.write() as tx:  # a position is used up, its row is gone
        record.store.put(tx, [(record.store.log(0, 1)[0].case_id, 9, "Noted")])
        row = tx.fetchone("SELECT * FROM stored_events WHERE position = ?", (hole,))
        tx.execute("DELETE FROM stored_events WHERE position = ?", (hole,))
        tx.execute("DELETE FROM ledger_node WHERE position = ?", (hole,))
        if tx.dialect == "sqlite":  # its writer sealed it: undo that too
            tx.execute("DELETE FROM ledger_node WHERE level > 1 OR idx > 2")
            tx.execute("DELETE FROM ledger_node WHERE level = 1 AND idx = 1")
    record.write(3)
    assert found(record) == []
    values = "VALUES (?, ?, ?, ?, ?, ?, ?)"
    if record.database.dialect == "postgres":
        values = f"OVERRIDING SYSTEM VALUE {values}"
    record.edit(f"INSERT INTO stored_events {values}", row or ())
    assert found(record) == [(hole, "row_inserted")]


def test_an_appended_row_is_unsealed(written: Record) -> None:
    last = written.store.last_position()
    body = FactCodec().encode((_case(1), 1, "Noted"))
    written.edit(
        "INSERT INTO stored_events (committed_at, case_id, version, type, body, leaf)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [2**60, _case(1), 1, "Noted", body, leaf_hash(body)],
    )
    report = written.verify()
    assert report.unsealed == 1
    assert report.sealed_to == last
    if written.database.dialect == "sqlite":
        assert [f.what for f in report.faults] == ["row_unsealed"]
        assert report.faults[0].position == report.last_position
    else:  # the sealer may be a moment late
        assert report.ok


@pytest.mark.parametrize(
    ("column", "value"),
    [("case_id", UUID(int=77)), ("version", 77), ("type", "Resolved")],
)
def test_a_row_that_was_given_to_another_case_is_named(
    written: Record, column: str, value: object
) -> None:
    written.edit(
        f"UPDATE stored_events SET {column} = ? WHERE position = ?",  # noqa: S608 fixed words
        [value, fourth(written)],
    )
    assert found(written) == [(fourth(written), "columns_altered")]
    assert found(written, peek=None) == []


def _case(number: int) -> UUID:
    return UUID(int=number)


def test_a_row_dated_before_its_predecessor_is_named(written: Record) -> None:
    written.edit(
        "UPDATE stored_events SET committed_at = 5 WHERE position = ?",
        [fourth(written)],
    )
    assert found(written) == [(fourth(written), "time_altered")]


def test_a_tail_that_was_cut_off_is_found_by_the_checkpoint(written: Record) -> None:
    keep = written.positions()[19]
    written.edit("DELETE FROM stored_events WHERE position > ?", [keep])
    assert found(written) == [
        (position, "row_deleted") for position in range(keep + 1, keep + 9)
    ]
    # 20 leaves: 16 and 4
    written.edit("DELETE FROM ledger_node WHERE level = 0 AND idx >= 20")
    written.edit("DELETE FROM ledger_node WHERE level = 1 AND idx >= 10")
    written.edit("DELETE FROM ledger_node WHERE level = 2 AND idx >= 5")
    written.edit("DELETE FROM ledger_node WHERE level = 3 AND idx >= 2")
    assert found(written) == [(None, "checkpoint_contradicts")]


def test_an_older_copy_of_the_database_is_refuted_by_a_kept_checkpoint(
    record: Record,
) -> None:
    record.write(*BATCHES)
    with record.database.read() as tx:
        note = checkpoint(tx) or ""
    head = Checkpoint.open(note, record.signer.verifier)
    later = Checkpoint(head.origin, 40, leaf_hash(b"later")).sign(record.signer)
    assert found(record, against={"kept": later}) == [(None, "checkpoint_contradicts")]


def test_a_checkpoint_that_is_gone_or_of_another_store_is_found(
    written: Record,
) -> None:
    other = Checkpoint("amends/test/other", 1, b"r" * 32)
    note = other.sign(Signer("amends/test/other", bytes(32)))
    assert found(written, against={"a stranger's": note}) == [
        (None, "checkpoint_invalid")
    ]
    written.edit("DELETE FROM ledger_checkpoint")
    assert found(written) == [(None, "checkpoint_missing")]


def test_a_checkpoint_put_back_to_an_older_one_is_found(record: Record) -> None:
    record.write(5)
    old = record.value("SELECT note FROM ledger_checkpoint")
    record.write(5)
    record.edit("UPDATE ledger_checkpoint SET note = ?", [old])
    assert found(record) == [(None, "checkpoint_contradicts")]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DELETE FROM ledger_node WHERE level = 0 AND idx = 3", {3}),
        ("DELETE FROM ledger_node WHERE level = 0 AND idx IN (3, 4, 5)", {3, 4, 5}),
        ("UPDATE ledger_node SET position = -1 WHERE level = 0 AND idx = 3", {3}),
        ("UPDATE ledger_node SET position = NULL WHERE level = 0 AND idx = 3", {3}),
        ("UPDATE ledger_node SET position = 900 WHERE level = 0 AND idx = 3", {3}),
        ("DELETE FROM ledger_node WHERE level = 2 AND idx = 1", {4}),
        ("DELETE FROM ledger_node WHERE level = 4", {0}),
        ("UPDATE ledger_node SET level = 9 WHERE level = 4", {0, None}),
        ("UPDATE ledger_node SET level = -1 WHERE level = 4", {0, None}),
        ("UPDATE ledger_node SET idx = 90 WHERE level = 3 AND idx = 1", {8, None}),
    ],
)
def test_edits_of_the_ledger_itself_are_named(
    written: Record, sql: str, expected: set[int | None]
) -> None:
    written.edit(sql)
    places = {None if n is None else written.positions()[n] for n in expected}
    faults = found(written)
    assert {position for position, _ in faults} == places
    assert {what for _, what in faults} == {"ledger_altered"}


def test_a_ledger_without_its_leaves_is_judged_by_the_log(written: Record) -> None:
    written.edit("DELETE FROM ledger_node WHERE level = 0 AND idx < 27")
    report = written.verify()
    assert report.root == root_by_definition(
        [entry.leaf for entry in written.store.log(0, 100)]
    )
    assert report.fault_count == 27


def test_events_and_leaves_gone_together_break_the_tree_but_not_the_verifier(
    written: Record,
) -> None:
    position = fourth(written)
    written.edit("DELETE FROM stored_events WHERE position = ?", [position])
    written.edit("DELETE FROM ledger_node WHERE level = 0 AND idx = 3")
    flip(written, "stored_events", "body", "position = ?", written.positions()[10])
    report = written.verify()
    assert report.root is None
    assert [fault.what for fault in report.faults] == ["ledger_altered", "body_altered"]


def test_many_faults_are_counted_and_some_told(record: Record) -> None:
    record.write(1_100)
    record.edit("UPDATE stored_events SET leaf = body")
    report = record.verify()
    assert (report.fault_count, len(report.faults)) == (1_100, 1_000)
    assert not report.ok


def test_progress_is_told_page_by_page(record: Record) -> None:
    record.write(1_100)
    told: list[tuple[int, int]] = []
    record.verify(progress=lambda done, total: told.append((done, total)))
    last = record.store.last_position()
    assert told == [(500, last), (1_000, last), (last, last)]


# The sealer of PostgreSQL.


@pytest.fixture
def sealer(record: Record) -> Sealer:
    if record.sealer is None:
        pytest.skip("SQLite seals as it appends")
    return record.sealer


def test_the_sealer_catches_up_in_batches(
    record: Record, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kernel.ledger.sealer.BATCH", 10)
    with record.database.write() as tx:
        record.store.put(tx, [(_case(1), version, "Noted") for version in range(1, 36)])
    assert record.verify().unsealed == 35
    assert sealer.seal() == 35
    assert sealer.seal() == 0
    assert record.verify().ok
    assert record.verify().unsealed == 0


def test_of_two_sealers_one_works(record: Record, sealer: Sealer) -> None:
    with record.database.write() as tx:
        record.store.put(tx, [(_case(1), 1, "Noted")])
    with record.database.write() as held:
        held.execute("SELECT pg_advisory_xact_lock(?)", (sealer._lock,))
        assert sealer.seal() == 0
    assert sealer.seal() == 1


def test_a_running_sealer_follows_commits_survives_faults_and_ends_sealed(
    record: Record, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = iter([ConnectionError("the server is away")])
    seal_batch = sealer._seal_batch

    def faulty() -> int:
        for error in attempts:
            raise error
        return seal_batch()

    monkeypatch.setattr(sealer, "_seal_batch", faulty)
    record.store.on_commit(sealer.wake)
    sealer.start()
    try:
        for number in range(3):
            with record.database.write() as tx:
                record.store.put(tx, [(_case(number), 1, "Noted")])
        deadline = time.monotonic() + 10
        while record.verify().unsealed and time.monotonic() < deadline:
            time.sleep(0.02)
        assert record.verify().unsealed == 0
        with record.database.write() as tx:
            record.store.put(tx, [(_case(9), 1, "Noted")])
    finally:
        sealer.stop()
    with record.database.read() as tx:
        assert sealed(tx).size == 4
