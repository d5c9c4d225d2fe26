"""The work list counts and finds the same rows, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.handling.ports import QueueFilter, Tallied
from tests.support.desk import CASE, DeskHouse
from tests.support.given import AGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.kernel.store.database import Database

NUMBERS = ("1000000000000000", "2000123400000000", "3000000000001234")


@pytest.fixture
def house(make_database: Callable[..., Database]) -> Iterator[DeskHouse]:
    house = DeskHouse(make_database)
    for number, receipt_no in enumerate(NUMBERS):
        house.receive(UUID(int=CASE.int + number), receipt_no=receipt_no)
    house.give(
        AGENT,
        "accept",
        complaint_class="grievance",
        category="product/noise",
        scope_kind=1,
        order_check="found",
        shipment_check="found",
    )
    yield house
    house.close()


def found(house: DeskHouse, **wanted: object) -> list[str]:
    page = house.handling.queue(QueueFilter(**wanted), limit=10)  # type: ignore[arg-type] # the test's own
    assert page.total == len(page.rows)
    return sorted(row.receipt_no for row in page.rows)


def test_every_case_is_counted_once(house: DeskHouse) -> None:
    assert sorted(house.handling.tally(), key=str) == [
        Tallied("ASSIGNED", "quality", "minor", 1),
        Tallied("RECEIVED", None, None, 2),
    ]
    assert house.handling.tally("quality") == [
        Tallied("ASSIGNED", "quality", "minor", 1)
    ]
    assert house.handling.tally("nobody") == []


def test_a_part_of_the_number_finds_it(house: DeskHouse) -> None:
    assert found(house, digits="1234") == list(NUMBERS[1:])
    assert found(house, digits=NUMBERS[0]) == [NUMBERS[0]]
    assert found(house, digits="98765") == []


def test_what_has_ended_is_left_out_where_only_open_ones_are_wanted(
    house: DeskHouse,
) -> None:
    assert found(house, unended=True) == list(NUMBERS)
    with house.database.write() as tx:
        tx.execute("UPDATE work_list SET state = 'CLOSED' WHERE department IS NULL")
    assert found(house, unended=True) == [NUMBERS[0]]
    assert found(house, state="CLOSED") == list(NUMBERS[1:])
