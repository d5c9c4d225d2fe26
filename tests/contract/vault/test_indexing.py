"""What an installation held before is found too, on both databases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.intake.ports import Sought
from services.kernel.store.writer import Writer
from services.kernel.vault import Indexing, indexing
from tests.support.intake import NOW, OPERATOR, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.kernel.store.database import Database

LEAK = {
    "channel": "phone",
    "statement": "The kettle whistles. 漏水",
    "desired_outcome": "A new one.",
    "contact": {"name": "Wang", "phone": "138 0013 8000", "customer_no": "C7"},
    "order_no": "A-1",
    "product": {"serial": "SN 9", "lot": "L-7"},
}
PAST = {
    "channel": "web",
    "origin": "migration",
    "occurred_at": "2020-01-01T00:00:00Z",
}
SOUGHT = (
    ("phone", "+8613800138000"),
    ("customer_no", "C7"),
    ("order_no", "A1"),
    ("serial", "SN9"),
    ("lot", "L7"),
)


def emptied(database: Database) -> None:
    """Leave it as an amends that knew no such index left it."""
    with database.write() as tx:
        tx.execute("DELETE FROM blind_mark WHERE 1 = 1")


def found(intake: Bench, kind: str, value: str) -> set[UUID]:
    (cases,) = intake.inquiries.find([[Sought(kind, value)]])
    return cases


def run(intake: Bench, form: str = "1") -> list[int]:
    """Have intake take in what it holds; give how many events each lot had."""
    lots: list[int] = []

    def take(entries: object, also: object) -> None:
        lots.append(len(entries))  # type: ignore[arg-type]
        intake.record.index(entries, also)  # type: ignore[arg-type]

    async def main() -> None:
        writer = Writer("test")
        writer.start()
        try:
            database = intake.store.database
            await Indexing(
                "intake", intake.store, database, writer, form=form, take=take
            ).run()
        finally:
            await asyncio.to_thread(writer.stop)

    asyncio.run(main())
    return lots


@pytest.fixture
def intake(make_database: Callable[..., Database]) -> Bench:
    return bench(make_database)


def test_old_complaints_are_found_by_all_that_they_came_with(
    intake: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "AT_ONCE", 2)
    leak = intake.one(LEAK).case_id
    past = intake.one(PAST, key="cfpb:8729", caller=OPERATOR).case_id
    intake.one()
    emptied(intake.store.database)
    assert found(intake, "order_no", "A1") == set()
    assert run(intake) == [2, 1, 0]
    for kind, value in SOUGHT:
        assert found(intake, kind, value) == {leak}, kind
    assert found(intake, "upstream_no", "8729") == {past}


def test_it_is_done_once_for_each_form(intake: Bench) -> None:
    leak = intake.one(LEAK).case_id
    assert run(intake) == [1, 0]
    intake.one()
    assert run(intake) == []
    emptied(intake.store.database)
    assert run(intake, form="2") == [2, 0]
    assert found(intake, "order_no", "A1") == {leak}


def test_a_new_installation_has_nothing_to_do(intake: Bench) -> None:
    assert run(intake) == [0]
    intake.one(LEAK)
    assert run(intake) == []


def test_it_goes_on_where_it_was_stopped(
    intake: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lot and its mark commit together, or neither."""
    monkeypatch.setattr(indexing, "AT_ONCE", 1)
    cases = [intake.one(LEAK).case_id for _ in range(3)]
    emptied(intake.store.database)
    whole, lots = intake.record.index, list[object]()

    def failing(entries: object, also: Callable[[object], None]) -> None:
        def fail(tx: object) -> None:
            also(tx)
            if len(lots) == 2:
                raise ConnectionError

        lots.append(entries)
        whole(entries, fail)  # type: ignore[arg-type]

    monkeypatch.setattr(intake.record, "index", failing)
    run(intake)
    assert len(found(intake, "order_no", "A1")) == 1
    monkeypatch.setattr(intake.record, "index", whole)
    assert run(intake) == [1, 1, 0]
    assert found(intake, "order_no", "A1") == set(cases)


def test_who_was_erased_is_not_found_again(intake: Bench) -> None:
    leak = intake.one(LEAK)
    other = intake.one(LEAK | {"contact": {"name": "Li", "phone": "+861380013800"}})
    received = intake.record.received(leak.case_id)
    assert received is not None
    with intake.store.database.write() as tx:
        intake.record.erase(tx, received.subject_id, [leak.case_id], at=NOW)
    emptied(intake.store.database)
    assert run(intake) == [2, 0]
    assert found(intake, "order_no", "A1") == {other.case_id}
    assert found(intake, "customer_no", "C7") == set()
