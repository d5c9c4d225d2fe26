"""Clocks over HTTP: what is due, why, at any time, and who is told what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from events import codec
from events.vocabulary import Origin
from services.handling.api import clocks
from services.kernel.access import Credential
from services.kernel.store.database import Database, open_database
from services.kernel.web.problems import install
from tests.support.browsing import Browser
from tests.support.desk import ANN, CASE, HAN, NOW, DeskHouse
from tests.support.given import AGENT, START
from tests.support.histories import happened
from tests.support.timing import CLOCKWORK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCEPTED = {
    "complaint_class": "grievance",
    "category": "product/noise",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
IMPORTED = UUID(int=CASE.int + 1)


class Sitting:
    who: Credential = ANN

    def authenticate(self, _header: str | None) -> Credential:
        return self.who


@pytest.fixture
def house(tmp_path: Path) -> Iterator[DeskHouse]:
    opened: list[Database] = []

    def make(name: str) -> Database:
        database = open_database(f"sqlite:///{tmp_path / name}.sqlite", schema=name)
        opened.append(database)
        return database

    house = DeskHouse(make)
    house.receive()
    yield house
    house.close()
    for database in opened:
        database.close()


@pytest.fixture
def door() -> Sitting:
    return Sitting()


@pytest.fixture
def api(house: DeskHouse, door: Sitting) -> Browser:
    app = FastAPI()
    app.include_router(clocks.router(house.handling, door, CLOCKWORK, now=lambda: NOW))
    install(app)
    return Browser(app)


def asked(api: Browser, case: UUID = CASE, query: str = "") -> dict[str, Any]:
    found = api.get(f"/api/handling/cases/{case}/clocks{query}")
    assert found.status_code == 200, found.text
    told: dict[str, Any] = found.json()
    return told


def states(told: dict[str, Any]) -> dict[str, str]:
    return {clock["clock"]: clock["state"] for clock in told["clocks"]}


def test_a_case_tells_what_is_due_and_until_when(api: Browser) -> None:
    told = asked(api)
    assert states(told).keys() == {
        "ack",
        "first_response",
        "written_reply",
        "statutory",
    }
    assert [clock["due_at"] for clock in told["clocks"]] == sorted(
        clock["due_at"] for clock in told["clocks"]
    )
    assert told["policy"] == {"handling": "2026.1"}
    assert told["time_zone"] == "Asia/Shanghai"
    assert (told["stated"], told["what_if"], told["position"]) == ([], [], 1)
    assert "why" not in told["clocks"][0]


def test_every_due_date_explains_itself(api: Browser) -> None:
    for query in ("?explain", "?explain="):
        told = asked(api, query=query)
        for clock in told["clocks"]:
            why = clock["why"]
            assert why["started_by"]["type"] in why["rule"]["starts"]
            assert why["started_by"]["occurred_at"] == clock["started_at"]
            assert why["stopped_by"] is None
        (reply,) = [c for c in told["clocks"] if c["clock"] == "written_reply"]
        assert reply["why"]["rule"]["basis"] == "S63"
        assert reply["why"]["rule"]["within"] == {"days": 7}
        assert reply["why"]["skipped"] == []


def test_the_past_is_told_as_it_was_seen_then(house: DeskHouse, api: Browser) -> None:
    house.give(AGENT, "accept", **ACCEPTED)
    assert states(asked(api))["dispatch"] == "met"
    then = asked(api, query="?as_of=1")
    assert "dispatch" not in states(then)
    assert then["position"] == 1


def test_a_unit_is_told_of_no_event_that_is_the_staffs(
    house: DeskHouse, api: Browser, door: Sitting
) -> None:
    house.give(AGENT, "accept", **ACCEPTED)
    promised = "2026-03-05T08:00:00Z"
    house.give(AGENT, "acknowledge", expected_at=promised, medium="phone")
    staffs = {"ack", "first_response", "promise"}
    assert states(asked(api)).keys() >= staffs
    door.who = HAN
    told = states(asked(api, query="?explain"))
    assert told["sign_for"] == "running"
    assert staffs.isdisjoint(told)


def test_who_may_not_see_a_case_sees_no_clock_of_it(
    api: Browser, door: Sitting
) -> None:
    door.who = Credential("user-lo", "department_handler", "logistics")
    assert api.get(f"/api/handling/cases/{CASE}/clocks").status_code == 404


def test_an_imported_case_has_what_its_source_states_and_what_ours_would_say(
    house: DeskHouse, api: Browser
) -> None:
    """Beside each other, and nobody is held to either."""
    house.receive(
        IMPORTED, origin=Origin.MIGRATION, receipt_no="1000000000000000", day=START
    )
    stated = happened("DeadlineStated", version=2, at=START, due_at=START, overdue=True)
    event = stated.model_copy(update={"case_id": IMPORTED, "origin": Origin.MIGRATION})
    with house.database.write() as tx:
        house.store.put_bodies(tx, [(IMPORTED, 2, event.type, codec.encode(event))])
    told = asked(api, IMPORTED, "?explain")
    assert told["clocks"] == []
    (due,) = told["stated"]
    assert (due["due_at"], due["overdue"]) == ("2025-09-01T08:30:00.000250Z", True)
    assert due["event_id"] == str(event.event_id)
    assert {clock["clock"]: clock["state"] for clock in told["what_if"]} == {
        "written_reply": "breached",
        "statutory": "breached",
    }


def test_nothing_of_it_is_written_down(house: DeskHouse, api: Browser) -> None:
    """Looking at what is late records nothing: no event, no other version."""
    before = house.store.last_position()
    assert set(states(asked(api)).values()) == {"breached"}
    assert house.store.last_position() == before
