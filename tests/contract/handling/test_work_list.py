"""The work list counts and finds the same rows, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from events.vocabulary import Origin, State
from services.handling.domain.clocks import next_due
from services.handling.persistence import WorkList
from services.handling.ports import QueueFilter, Tallied
from tests.support.desk import CASE, NOW, DeskHouse
from tests.support.given import AGENT, LOGISTICS, QUALITY
from tests.support.timing import CLOCKWORK, clocks_by, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.kernel.store.database import Database

LATER = (NOW + timedelta(days=9)).isoformat()
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


def found(house: DeskHouse, **wanted: Any) -> list[str]:
    page = house.handling.queue(QueueFilter(**wanted), limit=10)
    assert page.total == len(page.rows)
    return sorted(row.receipt_no for row in page.rows)


def test_every_case_is_counted_once(house: DeskHouse) -> None:
    def tally(**wanted: Any) -> list[Tallied]:
        return sorted(house.handling.tally(QueueFilter(**wanted)), key=str)

    assigned, received = Tallied("ASSIGNED", "minor", 1), Tallied("RECEIVED", None, 2)
    assert tally() == [assigned, received]
    assert tally(department="quality") == [assigned]
    assert tally(department="nobody") == []
    assert tally(department="nobody", unassigned=True) == [received]


def test_every_department_concerned_finds_the_case_until_it_is_no_more(
    house: DeskHouse,
) -> None:
    """Leading, asked, contributing; gone once it returns the case or it is transferred."""
    ask = {"department": "logistics", "role": "contributor"}
    assert found(house, department="logistics") == []
    house.give(QUALITY, "assign", **ask)
    assert found(house, department="logistics") == [NUMBERS[0]]
    assert found(house, department="quality") == [NUMBERS[0]]
    house.give(LOGISTICS, "return", reason="not_ours")
    assert found(house, department="logistics") == []
    house.give(QUALITY, "sign-for")
    house.give(QUALITY, "assign", **ask)
    house.give(LOGISTICS, "sign-for")
    assert found(house, department="logistics") == [NUMBERS[0]]
    house.give(QUALITY, "assign", department="production")
    assert found(house, department="quality") == []
    assert found(house, department="production") == [NUMBERS[0]]
    assert found(house, department="logistics") == [NUMBERS[0]]


def test_rows_that_cannot_be_written_let_no_event_through(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ArithmeticError

    monkeypatch.setattr(WorkList, "keep", fail)
    with pytest.raises(ArithmeticError):
        house.give(QUALITY, "sign-for")
    assert house.handling.history(str(CASE)).case.state == "ASSIGNED"


def test_what_was_closed_when_is_found_until_it_lives_again(house: DeskHouse) -> None:
    def closed(**wanted: Any) -> list[str]:
        return found(house, state="CLOSED", **wanted)

    case = house.handling.history(str(CASE)).case
    ended = case._replace(state=State.CLOSED, closed_at=NOW)
    with house.database.write() as tx:
        house.work_list.keep(tx, [ended])
    later = NOW + timedelta(microseconds=1)
    assert closed(closed_from=NOW, closed_before=later) == [NUMBERS[0]]
    assert closed(closed_before=NOW) == []
    assert closed(closed_from=later) == []
    with house.database.write() as tx:
        house.work_list.keep(tx, [case])
    assert found(house, closed_from=NOW) == []


def test_rows_of_another_shape_are_made_anew_from_the_log(house: DeskHouse) -> None:
    """A folder of an older amends opens, and nothing is missing in its queue."""
    house.give(
        QUALITY, "assign", department="logistics", role="contributor"
    )  # versions beyond the first
    whole = house.handling.queue(QueueFilter(), limit=10)
    with house.database.write() as tx:
        tx.execute("DROP TABLE work_list_department")
        tx.execute("DROP TABLE work_list")
        tx.execute("DROP TABLE work_list_shape")
        tx.execute("CREATE TABLE work_list (case_id UUID PRIMARY KEY, state TEXT)")
        tx.execute(
            "INSERT INTO work_list (case_id, state) VALUES (?, ?)", (CASE, "CLOSED")
        )
    WorkList(house.database, CLOCKWORK)
    assert house.handling.queue(QueueFilter(), limit=10) == whole
    assert found(house, department="logistics") == [NUMBERS[0]]
    with house.database.write() as tx:  # nothing is made anew where the shape is right
        tx.execute("DELETE FROM work_list")
    WorkList(house.database, CLOCKWORK)
    assert found(house) == []


def test_a_log_of_many_pages_is_folded_whole(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.handling.persistence.work_list._AT_ONCE", 2)
    whole = house.handling.queue(QueueFilter(), limit=10)
    with house.database.write() as tx:
        tx.execute("UPDATE work_list_shape SET shape = 'another'")
    WorkList(house.database, CLOCKWORK)
    assert house.handling.queue(QueueFilter(), limit=10) == whole


def test_what_is_due_next_is_first(house: DeskHouse) -> None:
    """Two are not acknowledged, one was accepted and is to be signed for; a page each."""

    def page(**wanted: Any) -> list[str]:
        rows = house.handling.queue(QueueFilter(by_due=True, **wanted), limit=1).rows
        return [row.receipt_no for row in rows]

    house.give(AGENT, "acknowledge", expected_at=LATER, medium="phone")
    whole = house.handling.queue(QueueFilter(by_due=True), limit=10)
    assert whole.total == 3
    assert [row.next_clock for row in whole.rows] == ["ack", "ack", "written_reply"]
    places = [(row.next_due, row.case_id) for row in whole.rows]
    assert places == sorted(places)  # type: ignore[type-var]
    seen, after = list[str](), None
    while rows := house.handling.queue(
        QueueFilter(by_due=True, after=after), limit=1
    ).rows:
        seen += [row.receipt_no for row in rows]
        after = QueueFilter(by_due=True).place(rows[0])
    assert seen == [row.receipt_no for row in whole.rows]
    first = whole.rows[0].next_due
    assert first is not None
    assert page(due_before=first) == []
    assert page(due_before=first + timedelta(microseconds=1)) == seen[:1]
    assert page(due_from=first + timedelta(microseconds=1)) == seen[2:]


def test_what_is_due_is_what_the_events_give(house: DeskHouse) -> None:
    """Kept for the order of the queue alone: derived again it is the same."""
    house.give(QUALITY, "sign-for")
    for row in house.handling.queue(QueueFilter(), limit=10).rows:
        case = house.handling.history(str(row.case_id)).case
        assert next_due(case, CLOCKWORK) == (row.next_due, row.next_clock)


def test_nothing_is_due_of_what_has_ended_or_was_imported(house: DeskHouse) -> None:
    imported = UUID(int=CASE.int + 9)
    house.receive(imported, origin=Origin.MIGRATION, receipt_no="4000000000000000")
    case = house.handling.history(str(CASE)).case
    with house.database.write() as tx:
        house.work_list.keep(tx, [case._replace(state=State.CLOSED)])
    assert found(house, by_due=True) == list(NUMBERS[1:])


def test_other_rules_derive_what_is_due_anew_when_the_record_is_opened(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.handling.persistence.work_list._AT_ONCE", 2)
    before = house.handling.queue(QueueFilter(), limit=10).rows
    other = clocks_by(reply(within={"days": 30}))
    WorkList(house.database, other)
    after = house.handling.queue(QueueFilter(), limit=10).rows
    for was, row in zip(before, after, strict=True):
        case = house.handling.history(str(row.case_id)).case
        assert next_due(case, other) == (row.next_due, "written_reply")
        assert row.next_due != was.next_due
    with house.database.write() as tx:  # the same rules again change nothing
        tx.execute("UPDATE work_list SET next_clock = 'touched'")
    WorkList(house.database, other)
    rows = house.handling.queue(QueueFilter(), limit=10).rows
    assert {row.next_clock for row in rows} == {"touched"}
    WorkList(house.database, CLOCKWORK)
    assert house.handling.queue(QueueFilter(), limit=10).rows == before


def test_a_part_of_the_number_finds_it(house: DeskHouse) -> None:
    def numbers(digits: str) -> list[str]:
        cases = house.work_list.having_digits(digits)
        rows = house.work_list.among(cases, QueueFilter())
        return [row.receipt_no for row in rows]

    assert numbers("1234") == list(NUMBERS[1:])
    assert numbers(NUMBERS[0]) == [NUMBERS[0]]
    assert numbers("98765") == []


def test_what_has_ended_is_left_out_where_only_open_ones_are_wanted(
    house: DeskHouse,
) -> None:
    assert found(house, unended=True) == list(NUMBERS)
    with house.database.write() as tx:
        tx.execute("UPDATE work_list SET state = 'CLOSED' WHERE department IS NULL")
    assert found(house, unended=True) == [NUMBERS[0]]
    assert found(house, state="CLOSED") == list(NUMBERS[1:])
