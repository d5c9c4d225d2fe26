"""The desk shows what is due: tabs of the queue, urgency, a case's clocks and why."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from events import codec
from events.vocabulary import Origin
from services.handling.pages.desk_clocks import due_filter, urgency
from services.kernel.clock import new_uuid7
from services.kernel.store.database import Database, open_database
from tests.support.desk import ANN, CASE, HAN, NOW, RECEIVED, DeskHouse
from tests.support.given import AGENT
from tests.support.histories import happened
from tests.support.timing import SHANGHAI

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRESH, IMPORTED = UUID(int=CASE.int + 1), UUID(int=CASE.int + 2)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[DeskHouse]:
    """One case of half a year ago, and one of three days, neither answered."""
    opened: list[Database] = []

    def make(name: str) -> Database:
        database = open_database(f"sqlite:///{tmp_path / name}.sqlite", schema=name)
        opened.append(database)
        return database

    house = DeskHouse(make)
    house.receive()
    received(house, FRESH, "1000000000000000", NOW - dt.timedelta(days=3))
    house.give(
        AGENT, "acknowledge", case_id=FRESH, expected_at=PROMISED, medium="phone"
    )
    yield house
    house.close()
    for database in opened:
        database.close()


PROMISED = (NOW + dt.timedelta(hours=3)).isoformat()


def received(house: DeskHouse, case: UUID, number: str, at: dt.datetime) -> None:
    event = RECEIVED.model_copy(
        update={
            "case_id": case,
            "event_id": new_uuid7(NOW),
            "occurred_at": at,
            "recorded_at": at,
            "data": RECEIVED.data.model_copy(update={"receipt_no": number}),
        }
    )
    with house.database.write() as tx:
        house.handling.take_over(tx, [(event, codec.encode(event))])


def test_each_tab_lists_what_it_says_the_next_due_first(house: DeskHouse) -> None:
    browser = house.sit(ANN)

    def listed(query: str) -> list[str]:
        page = browser.get(f"/desk/cases?{query}").text
        return re.findall(r'<th scope="row"><a href="/desk/cases/([\w-]+)', page)

    assert listed("due=next") == [str(CASE), str(FRESH)]
    assert listed("due=overdue") == [str(CASE)]
    assert listed("due=today") == [str(FRESH)]
    assert listed("due=today&state=CLOSED") == []
    assert "There is no such choice" in browser.get("/desk/cases?due=soon").text
    late, soon = browser.get("/desk/cases?due=next").text.split("data-row")[1:]
    assert 'class="due bad"' in late
    assert 'class="due warn"' in soon
    assert "Promise to the customer" in soon
    assert "in 3 hours" in soon


def test_what_is_due_next_says_how_many_open_cases_it_leaves_out(
    house: DeskHouse,
) -> None:
    """Imported ones, and under a policy that leaves clocks out others too."""
    browser = house.sit(ANN)
    left_out = "open case has no due date and is not listed here."
    assert left_out not in browser.get("/desk/cases?due=next").text
    house.receive(IMPORTED, origin=Origin.MIGRATION, receipt_no="2000000000000000")
    assert left_out not in browser.get("/desk/cases?due=next").text
    page = browser.get("/desk/cases?due=next&origin=all").text
    assert f"1 {left_out}" in page
    (link,) = re.findall(r'<a href="([^"]+)">Show all open cases', page)
    assert str(IMPORTED) in browser.get(link.replace("&amp;", "&")).text
    for query in ("due=overdue", "due=today", "due=next&state=CLOSED", "state=open"):
        listed = browser.get(f"/desk/cases?origin=all&{query}").text
        assert left_out not in listed, query


def test_the_counters_of_the_desk_open_the_tabs(house: DeskHouse) -> None:
    page = house.sit(ANN).get("/desk").text
    for due, count in (("overdue", 1), ("today", 1)):
        (counted,) = re.findall(
            rf'<a href="/desk/cases\?due={due}"><strong>(\d+)</strong>', page
        )
        assert int(counted) == count


def test_what_was_due_then_is_not_listed_instead_of_what_is_due_now(
    house: DeskHouse,
) -> None:
    page = house.sit(ANN).get("/desk/cases?due=overdue&as_of=1").text
    assert "data-row" not in page
    assert "open a case as of then" in page


def test_a_case_tells_its_clocks_and_why(house: DeskHouse) -> None:
    page = house.sit(ANN).get(f"/desk/cases/{CASE}").text
    assert "What is due" in page
    assert page.count('chip bad">late') == 4
    (reply,) = (part for part in page.split("<li>") if "Written reply" in part)
    for said in ("Front office", "due", "Why", "7 days", "2026.1", "S63", "%"):
        assert said in reply, said
    chinese = house.sit(ANN).get(f"/desk/cases/{CASE}?lang=zh-CN").text
    for said in ("书面答复", "逾期", "7 天"):
        assert said in chinese, said


def test_a_case_as_of_then_has_the_clocks_of_then(house: DeskHouse) -> None:
    """The record knew it at an instant at which nothing was late yet."""
    browser = house.sit(ANN)
    then = browser.get(f"/desk/cases/{FRESH}?as_of=2").text
    assert "1 clock that stopped" not in then
    assert "Promise to the customer" not in then
    now = browser.get(f"/desk/cases/{FRESH}").text
    assert "2 clocks that stopped" in now  # acknowledged, and answered first
    assert "Promise to the customer" in now


def test_an_imported_case_shows_both_sides_and_runs_none(house: DeskHouse) -> None:
    house.receive(IMPORTED, origin=Origin.MIGRATION, receipt_no="2000000000000000")
    stated = happened("DeadlineStated", version=2, due_at=NOW, overdue=False)
    event = stated.model_copy(update={"case_id": IMPORTED, "origin": Origin.MIGRATION})
    with house.database.write() as tx:
        house.store.put_bodies(tx, [(IMPORTED, 2, event.type, codec.encode(event))])
    page = house.sit(ANN).get(f"/desk/cases/{IMPORTED}").text
    assert "As its source states" in page
    assert 'chip good">in time' in page
    assert "What our clocks would say" in page
    assert (
        "Nothing at the moment." not in page.split("What is due")[1].split("</ul>")[0]
    )


def test_a_department_sees_when_it_must_sign(house: DeskHouse) -> None:
    house.give(
        AGENT,
        "accept",
        complaint_class="grievance",
        category="product/noise",
        scope_kind=1,
        order_check="found",
        shipment_check="found",
    )
    page = house.sit(HAN).get(f"/desk/cases/{CASE}").text
    assert "Signing for the case" in page
    assert "Acknowledgement" not in page
    (row,) = house.sit(HAN).get("/desk/cases?due=next").text.split("data-row")[1:]
    assert "Written reply" in row  # due since September; who signs has hours to go
    (row,) = house.sit(ANN).get("/desk/cases?due=overdue").text.split("data-row")[1:]
    assert "Acknowledgement" in row


def test_what_is_late_soon_or_later_looks_so() -> None:
    hours = {-1: "bad", 0: "warn", 23: "warn", 24: "calm", 100: "calm"}
    for ahead, tone in hours.items():
        assert urgency(NOW + dt.timedelta(hours=ahead), NOW) == tone


def test_today_ends_where_the_organisation_is() -> None:
    """16:00 in Shanghai, eight hours before its midnight."""
    today = due_filter("today", NOW, SHANGHAI)
    assert today["due_before"] - NOW == dt.timedelta(hours=8)
    assert due_filter("", NOW, SHANGHAI) == due_filter("soon", NOW, SHANGHAI) == {}
