"""Finding: only what one may see, every search noted, honest about what was not asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from events.vocabulary import Origin
from services.handling.api import cases
from services.handling.application.finding import LONGEST
from services.kernel.access import Credential, OperatorTokens
from services.kernel.vault import Wanted
from services.kernel.web.problems import install
from tests.support.asgi import ask
from tests.support.desk import ANN, CASE, HAN, NOW, DeskHouse
from tests.support.given import AGENT, DEFAULT_POLICY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.kernel.store.database import Database
    from services.kernel.vault import Reading

PHONE = "+8613800138000"
OTHER, PAST = UUID(int=CASE.int + 1), UUID(int=CASE.int + 2)
NUMBERS = {
    CASE: "4837291500627714",
    OTHER: "1234567890123456",
    PAST: "9876543210987654",
}
LEO = Credential("user-leo", "department_handler", "logistics")
ADMIN = Credential("user-ada", "admin")
TOKENS = OperatorTokens(
    {who.actor: who for who in (ANN, HAN, LEO, ADMIN)}
    | {"op": Credential("operator", "operator", service=True)}
)


class FindingHouse(DeskHouse):
    """Three cases of one telephone number; one is quality's, one is imported."""

    def __init__(self, make_database: Callable[[str], Database]) -> None:
        super().__init__(make_database)
        app = FastAPI()
        zone = ZoneInfo("UTC")
        app.include_router(
            cases.router(
                self.handling,
                self.finding,
                TOKENS,
                policy=DEFAULT_POLICY,
                zone=zone,
                now=lambda: NOW,
            )
        )
        install(app)
        self.app = app
        for case, number in NUMBERS.items():
            origin = Origin.MIGRATION if case == PAST else Origin.LIVE
            self.receive(case, receipt_no=number, origin=origin)
            self.intake.know(case, "phone", PHONE)
            self.intake.know(case, "words", "kettle")
        self.intake.know(CASE, "order_no", "A-1")
        self.give(
            AGENT,
            "accept",
            complaint_class="grievance",
            category="product/noise",
            scope_kind=1,
            order_check="found",
            shipment_check="found",
        )

    def api(self, who: Credential | str, **query: str) -> Any:
        token = who if isinstance(who, str) else who.actor
        return ask(
            self.app,
            "GET",
            "/api/handling/cases",
            params=query,
            headers={"authorization": f"Bearer {token}"},
        )

    def found(self, who: Credential, **query: str) -> list[str]:
        answer = self.api(who, **query)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["total"] == len(told["rows"])
        return sorted(row["case_id"] for row in told["rows"])

    def noted(self) -> list[Reading]:
        return self.readings.page(Wanted(act="search"), limit=99).rows


@pytest.fixture
def house(make_database: Callable[[str], Database]) -> Iterator[FindingHouse]:
    house = FindingHouse(make_database)
    yield house
    house.close()


def ids(*found: UUID) -> list[str]:
    return sorted(map(str, found))


def test_numbers_and_words_find_their_cases_and_all_must_be_true(
    house: FindingHouse,
) -> None:
    assert house.found(ANN, phone=PHONE) == ids(CASE, OTHER, PAST)
    assert house.found(ANN, phone="138 0013 8000", order="a1") == ids(CASE)
    assert house.found(ANN, phone=PHONE, origin="migration") == ids(PAST)
    assert house.found(ANN, order="A-2") == []
    assert house.found(ANN, q="kettle") == ids(CASE, OTHER, PAST)
    assert house.found(ANN, q="2915 0062") == ids(CASE)
    assert house.found(ANN, q="?!") == []


def test_what_colleagues_wrote_is_found_by_its_words(house: FindingHouse) -> None:
    house.give(AGENT, "add-evidence", document="请客服尽快办理退款", source="customer")
    assert house.found(ANN, q="退款") == ids(CASE)
    assert house.found(ANN, q="办理 退款", department="quality") == ids(CASE)
    assert house.found(ANN, q="办理 发票") == []


def test_a_department_finds_its_own_cases_and_learns_of_no_other(
    house: FindingHouse,
) -> None:
    """Neither by rows nor by a total, a cursor, an error or the number noted."""
    assert house.found(HAN, phone=PHONE) == ids(CASE)
    assert house.found(HAN, q="kettle") == ids(CASE)
    assert house.found(HAN, phone=PHONE, department="logistics") == ids(CASE)
    assert house.found(HAN, q="1234567890123456") == []
    foreign = house.api(LEO, phone=PHONE)
    nothing = house.api(LEO, phone="+8613900139000")
    assert foreign.json() == nothing.json()
    assert nothing.json() == {
        "rows": [],
        "total": 0,
        "cursor": None,
        "missing": [],
        "position": None,
        "unsearched_since": None,
    }
    assert [each.hits for each in house.noted() if each.actor == LEO.actor] == [0, 0]
    page = house.api(HAN, phone=PHONE, limit="1").json()
    assert page["cursor"] is None
    shown = house.sit(LEO).get(f"/desk/cases?q={PHONE[1:]}&origin=all").text
    assert "data-row" not in shown


def test_what_is_too_new_to_be_searched_is_told(house: FindingHouse) -> None:
    """By programs and on the page."""
    house.intake.unsearched_since = NOW
    for asked in ({"q": "kettle"}, {"phone": PHONE}):
        found = house.api(HAN, **asked).json()
        assert found["unsearched_since"] == "2026-03-01T08:00:00.000000Z"
    page = house.sit(HAN).get("/desk/cases?q=kettle").text
    assert "was not searched for words yet" in page
    house.intake.unsearched_since = None
    page = house.sit(HAN).get("/desk/cases?q=kettle").text
    assert "was not searched for words yet" not in page


def test_pages_hold_every_case_once(house: FindingHouse) -> None:
    seen, cursor = list[str](), None
    while True:
        query = {"phone": PHONE, "limit": "1"} | ({"cursor": cursor} if cursor else {})
        told = house.api(ANN, **query).json()
        assert told["total"] == 3
        seen += [row["case_id"] for row in told["rows"]]
        if (cursor := told["cursor"]) is None:
            break
    assert sorted(seen) == ids(CASE, OTHER, PAST)


def test_who_may_not_see_cases_may_not_search(house: FindingHouse) -> None:
    assert house.api(ADMIN, phone=PHONE).status_code == 403
    assert house.noted() == []


def test_every_search_is_noted_without_what_was_typed(house: FindingHouse) -> None:
    house.found(ANN, phone=PHONE)
    house.found(ANN, phone="138-0013-8000")
    house.found(ANN, q="kettle", order="A-1")
    notes = house.noted()
    assert [(note.actor, note.role, note.department) for note in notes] == [
        ("user-ann", "agent", "front-office")
    ] * 3
    told = sorted((note.kind, note.hits) for note in notes)
    assert told == [("order_no words", 1), ("phone", 3), ("phone", 3)]
    by_phone = {note.sought for note in notes if note.kind == "phone"}
    assert len(by_phone) == 1  # the same number, however it is written
    assert len({note.sought for note in notes}) == 2
    for note in notes:
        assert note.sought is not None
        assert len(note.sought) == 16


def test_a_search_that_cannot_be_noted_gives_nothing(house: FindingHouse) -> None:
    with house.database.write() as tx:
        tx.execute("DROP TABLE document_reading")
    assert house.api(ANN, phone=PHONE).status_code >= 500


def test_a_mark_that_can_find_nobody_is_refused_with_what_would_do(
    house: FindingHouse,
) -> None:
    for name, value in (
        ("phone", "1 2"),
        ("email", "wangfang"),
        ("order", "lost"),
        ("upstream", "000"),
    ):
        refused = house.api(ANN, **{name: value})
        assert refused.status_code == 422, name
        assert refused.json()["errors"][0]["field"] == name
        assert value not in json.dumps(refused.json()["errors"])
    assert "whole telephone number" in house.api(ANN, phone="12").json()["detail"]
    assert house.api(ANN, q="x" * 201).status_code == 422
    assert house.api(ANN, q="").status_code == 422
    assert house.noted() == []


def test_without_intake_numbers_are_not_known_and_own_words_are(
    house: FindingHouse,
) -> None:
    house.give(AGENT, "add-evidence", document="a cracked lid", source="customer")
    house.intake.away = True
    refused = house.api(ANN, phone=PHONE)
    assert (refused.status_code, refused.json()["code"]) == (
        503,
        "handling.finding_away",
    )
    told = house.api(ANN, q="cracked").json()
    assert [row["case_id"] for row in told["rows"]] == ids(CASE)
    assert told["missing"] == ["intake"]
    assert house.api(ANN, q="1234 5678").json()["total"] == 1
    page = house.sit(ANN).get("/desk/cases?q=cracked").text
    assert page.count("data-row") == 1
    assert "cannot be searched at the moment" in page
    page = house.sit(ANN).get(f"/desk/cases?q={PHONE[1:]}&by=phone")
    assert page.status_code == 200
    assert "cannot be searched at the moment" in page.text
    assert "No case fits" not in page.text


def test_the_desk_takes_anything_in_one_field(house: FindingHouse) -> None:
    browser = house.sit(ANN)

    def rows(query: str) -> int:
        return browser.get(f"/desk/cases?origin=all&{query}").text.count("data-row")

    assert rows("q=13800138000") == 3
    assert rows("q=13800138000&by=phone") == 3
    assert rows("q=13800138000&by=order_no") == 0
    assert rows("q=a1") == 1
    assert rows("q=KETTLE") == 3
    assert rows("q=7714&by=receipt_no") == 1
    live = browser.get("/desk/cases?q=9876543210987654").text
    assert "data-row" not in live
    assert "1 fits among all" in live
    nothing = browser.get("/desk/cases?q=A-2").text
    assert "Searched for: “A-2”" in nothing
    assert "Order number" in nothing
    unfit = browser.get("/desk/cases?q=nobody&by=email").text
    assert "Nothing can be found by this as it is" in unfit
    assert (
        "Nothing can be found by this as it is" in browser.get("/desk/cases?q=?!").text
    )
    assert "No case fits" not in unfit
    assert len(house.noted()) == 8  # once each, and not what cannot be found
    assert all(note.kind for note in house.noted())


def hostile_texts(bad: Path) -> Iterator[str]:
    yield from (each["value"] for each in _json(bad / "own/text_values.json"))
    yield from (each["cell"] for each in _json(bad / "own/csv_formula.json"))
    yield from _json(bad / "blns/blns.json")
    for pump in _json(bad / "own/redos_pumps.json"):
        yield pump["prefix"] + pump["pump"] * 500 + pump["suffix"]
    lines = (bad / "unicode/confusables-17.0.0.txt").read_text("utf-8").splitlines()
    yield from lines[50::100]


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def test_hostile_text_in_the_search_breaks_nothing(
    house: FindingHouse, real_data: Path
) -> None:
    """No 5xx and no markup of theirs, whatever is typed."""
    texts = list(dict.fromkeys(hostile_texts(real_data / "badinput")))
    assert len(texts) > 500
    browser = house.sit(ANN)
    for number, text in enumerate(texts):
        typed = text.encode(errors="replace").decode()[:LONGEST]
        page = browser.ask("GET", "/desk/cases", params={"q": typed})
        assert page.status_code == 200, typed
        shown = page.text.split('id="rows"')[1]
        for name in ("script", "img", "svg", "iframe"):
            assert f"<{name}" not in shown.lower(), typed
        if number % 5 == 0:
            answer = house.api(ANN, q=typed, phone=typed)
            assert answer.status_code in {200, 409, 422}, typed
