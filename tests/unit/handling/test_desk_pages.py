"""The desk without a browser: who sees what, what is offered, what a refusal leaves."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from events.envelope import Actor
from events.vocabulary import Origin, State
from services.handling.pages.desk import Counter, board
from services.kernel.access import ANONYMOUS, Credential
from services.kernel.store.database import Database, open_database
from services.kernel.vault.pieces import PIECE
from tests.support.browsing import hidden
from tests.support.desk import (
    ANN,
    CASE,
    HAN,
    HEDDA,
    RECEIVED,
    STATEMENT,
    DeskHouse,
)
from tests.support.files import upload
from tests.support.given import AGENT, DEFAULT_POLICY, QUALITY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

ACCEPT = {
    "complaint_class": "grievance",
    "category": "product/noise",
    "scope_kind": "1",
    "order_check": "found",
    "shipment_check": "found",
}
PAGE = f"/desk/cases/{CASE}"


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


def accept(house: DeskHouse) -> None:
    house.give(AGENT, "accept", **ACCEPT | {"scope_kind": 1})


def offers(page: str) -> list[str]:
    return re.findall(r'id="do-([a-z-]+)"', page)


def counters(page: str) -> list[tuple[str, str]]:
    """Give each counter's query and its number."""
    found = re.findall(r'href="/desk/cases\?([^"]+)"><strong[^>]*>(\d+)<', page)
    return [(address.replace("&amp;", "&"), number) for address, number in found]


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_strangers_are_led_to_the_login_and_back(house: DeskHouse) -> None:
    answer = house.sit(ANONYMOUS).get(f"{PAGE}?as_of=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/access/login?next={PAGE}%3Fas_of%3D1"


@pytest.mark.parametrize("role", ["admin", "complainant", "channel"])
def test_who_handles_no_complaints_has_no_desk(house: DeskHouse, role: str) -> None:
    browser = house.sit(Credential("somebody", role))
    assert browser.get("/desk").status_code == 403
    assert browser.get("/desk/cases").status_code == 403
    assert browser.get(PAGE).status_code == 404


def test_each_number_opens_a_list_of_exactly_that_many(house: DeskHouse) -> None:
    house.receive(UUID(int=CASE.int + 1), receipt_no="1000000000000000")
    house.receive(UUID(int=CASE.int + 2), receipt_no="2000000000000000")
    accept(house)
    for who in (ANN, HAN):
        browser = house.sit(who)
        numbers = counters(browser.get("/desk").text)
        assert len(numbers) >= 16
        for address, count in numbers:
            rows = browser.get(f"/desk/cases?{address}").text.count("data-row")
            assert rows == int(count), address
    assert {count for _, count in numbers} == {"0", "1"}  # a unit's own alone


def test_a_contributing_department_has_the_case_on_its_desk(house: DeskHouse) -> None:
    accept(house)
    leo = Credential("user-leo", "department_handler", "logistics")
    assert house.sit(leo).get("/desk/cases").text.count("data-row") == 0
    house.give(QUALITY, "assign", department="logistics", role="contributor")
    browser = house.sit(leo)
    assert browser.get("/desk/cases").text.count("data-row") == 1
    assert ("state=open&department=logistics", "1") in counters(
        browser.get("/desk").text
    )
    assert offers(browser.get(PAGE).text)[0] == "sign-for"


def test_imported_cases_stand_apart_until_they_are_asked_for(house: DeskHouse) -> None:
    for number in (1, 2):
        house.receive(
            UUID(int=CASE.int + number),
            origin=Origin.MIGRATION,
            receipt_no=f"{number}" * 16,
        )
    browser = house.sit(ANN)
    for query, expected in (("", 1), ("?origin=imported", 2), ("?origin=all", 3)):
        home = browser.get(f"/desk{query}").text
        assert re.findall(r"<strong>(\d+)</strong> All open cases", home) == [
            str(expected)
        ]
        for address, count in counters(home):
            rows = browser.get(f"/desk/cases?{address}").text.count("data-row")
            assert rows == int(count), address
    missed = browser.get("/desk/cases?q=2222").text
    assert "1 fits among all, live and imported" in missed
    assert 'href="/desk/cases?q=2222&amp;origin=all"' in missed
    assert browser.get("/desk/cases?q=2222&origin=all").text.count("data-row") == 1
    assert browser.get("/desk?origin=nonsense").status_code == 200


def test_made_up_cases_are_the_work_of_the_day_where_they_are(house: DeskHouse) -> None:
    """They lie beside no real ones: a folder holds either (design.md 1.9)."""
    house.receive(UUID(int=CASE.int + 1), origin=Origin.DEMO, receipt_no="1" * 16)
    browser = house.sit(ANN)
    for query, expected in (("", 2), ("?origin=imported", 0)):
        rows = browser.get(f"/desk/cases{query}").text.count("data-row")
        assert rows == expected


def test_what_is_known_to_the_day_is_shown_as_that_day(house: DeskHouse) -> None:
    """The midnight of Shanghai is the day before on a desk in UTC."""
    case = UUID(int=CASE.int + 1)
    house.receive(
        case,
        origin=Origin.MIGRATION,
        receipt_no="1000000000000000",
        day=dt.datetime(2011, 12, 31, 16, tzinfo=dt.UTC),
    )
    house.give(
        Actor(id="migration-1", role="migration"),
        "record-history",
        case_id=case,
        facts=[{"fact": "closed"}],
    )
    browser = house.sit(ANN)
    page = text(browser.get(f"/desk/cases/{case}").text)
    listed = text(browser.get("/desk/cases?origin=imported").text)
    for shown in (page, listed):
        assert "Jan 1, 2012" in shown
        assert "Jan 1, 2012," not in shown
    assert "received Jan 1, 2012 " in page
    assert "stated of Jan 1, 2012 " in page
    assert "stated of \u2265" in page
    assert "To the day" not in page


@pytest.mark.parametrize(
    ("zone", "closed_at", "counted"),
    [
        ("UTC", "2026-03-01T00:00:00+00:00", 1),
        ("UTC", "2026-02-28T23:59:59+00:00", 0),
        ("Asia/Shanghai", "2026-02-28T16:00:00+00:00", 1),
        ("Asia/Shanghai", "2026-02-28T15:59:59+00:00", 0),
    ],
)
def test_closed_this_month_is_the_month_of_the_organisation(
    house: DeskHouse, zone: str, closed_at: str, counted: int
) -> None:
    case = house.handling.history(str(CASE)).case
    closed = dt.datetime.fromisoformat(closed_at)
    with house.database.write() as tx:
        ended = case._replace(state=State.CLOSED, closed_at=closed)
        house.work_list.keep(tx, [ended])
    *_, whole = board(
        house.handling,
        ANN,
        "live",
        policy=DEFAULT_POLICY,
        zone=ZoneInfo(zone),
        now=dt.datetime(2026, 3, 20, tzinfo=dt.UTC),
    )
    assert whole[-1] == Counter(
        "closed", counted, "state=CLOSED&closed_from=2026-03-01"
    )


def test_the_queue_is_filtered_by_the_address_and_says_what_it_cannot_read(
    house: DeskHouse,
) -> None:
    house.receive(UUID(int=CASE.int + 1), receipt_no="1000000000000000")
    browser = house.sit(ANN)

    def rows(query: str) -> int:
        return browser.get(f"/desk/cases?{query}").text.count("data-row")

    assert rows("") == 2
    assert rows("q=1000+0000") == 1
    assert rows("q=no+digits") == 0  # words, which nobody wrote
    assert rows("state=CLOSED") == 0
    assert rows("department=front-office") == 2
    assert rows("department=quality") == 0
    assert rows("received_from=2999-01-01") == 0
    odd = browser.get("/desk/cases?received_from=yesterday").text
    assert odd.count("data-row") == 2
    assert "Write the day as 2026-03-04." in odd
    assert "No case fits these filters." in browser.get("/desk/cases?q=77777777").text


def test_a_partial_update_leaves_a_clean_address(house: DeskHouse) -> None:
    answer = house.sit(ANN).get("/desk/cases?state=open&q=&channel=", hx_request="true")
    assert answer.headers["hx-push-url"] == "/desk/cases?state=open"


def test_the_list_goes_on_behind_the_last_row(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.handling.pages.desk.PAGE", 1)
    house.receive(UUID(int=CASE.int + 1), receipt_no="1000000000000000")
    browser = house.sit(ANN)
    first = browser.get("/desk/cases?state=open").text
    (onward,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = browser.get(onward.replace("&amp;", "&")).text
    seen = [
        re.findall(r'href="/desk/cases/([^"?]+)"', page) for page in (first, second)
    ]
    assert seen[0] != seen[1]
    assert 'rel="next"' not in second
    assert browser.get("/desk/cases?cursor=made-up").status_code == 422


def test_only_what_this_viewer_may_do_now_is_offered(house: DeskHouse) -> None:
    agent = offers(house.sit(ANN).get(PAGE).text)
    assert agent[:2] == ["accept", "acknowledge"]
    assert house.sit(HAN).get(PAGE).status_code == 404
    accept(house)
    assert offers(house.sit(HAN).get(PAGE).text)[0] == "sign-for"
    assert "sign-for" not in offers(house.sit(ANN).get(PAGE).text)


def test_a_command_goes_the_one_way_and_is_done_once(house: DeskHouse) -> None:
    browser = house.sit(ANN)
    page = browser.get(PAGE).text
    form = {name: hidden(page, name) for name in ("version", "key", "csrf")} | ACCEPT
    for _ in range(2):  # a form sent twice
        answer = browser.post(f"{PAGE}/do/accept", form)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"{PAGE}?done=accept"
    assert house.handling.history(str(CASE)).case.version == 3
    assert "Done: Accept the complaint" in text(browser.get(f"{PAGE}?done=accept").text)


def test_who_sends_a_case_away_is_not_led_to_where_they_may_not_look(
    house: DeskHouse,
) -> None:
    accept(house)
    house.sit(HAN)
    answer = house.send("return", reason="not_ours", note="Logistics did this.")
    assert answer.headers["location"] == "/desk?done=return"


def test_a_refusal_stands_where_it_happened_and_keeps_the_words(
    house: DeskHouse,
) -> None:
    house.sit(ANN)
    answer = house.send("accept", **ACCEPT | {"complaint_class": "claim"})
    assert answer.status_code == 409
    assert "A claim rests on a contract. Say what it says." in answer.text
    assert 'href="#accept-contract"' in answer.text
    assert '<option value="claim" selected>' in answer.text
    assert offers(answer.text)[0] == "accept"
    assert house.handling.history(str(CASE)).case.version == 1


def test_a_refusal_speaks_the_reader_s_language(house: DeskHouse) -> None:
    browser = house.sit(ANN)
    browser.get("/desk?lang=zh-CN")
    answer = house.send("accept", **ACCEPT | {"complaint_class": "claim"})
    assert "索赔须以合同为依据" in answer.text


def test_missing_fields_are_told_and_nothing_is_lost(house: DeskHouse) -> None:
    house.sit(ANN)
    answer = house.send("decline", explanation="Because <b>no</b>.")
    assert answer.status_code == 422
    assert "Please fill this in." in answer.text
    assert "Because &lt;b&gt;no&lt;/b&gt;." in answer.text
    assert house.handling.history(str(CASE)).case.version == 1


def test_whoever_was_slower_keeps_their_words(house: DeskHouse) -> None:
    browser = house.sit(ANN)
    page = browser.get(PAGE).text
    form = {name: hidden(page, name) for name in ("version", "key", "csrf")}
    accept(house)
    answer = browser.post(
        f"{PAGE}/do/add-evidence",
        form | {"document": "A long text of mine.", "source": "customer"},
    )
    assert answer.status_code == 412
    assert "Somebody else changed the case" in answer.text
    assert "A long text of mine." in answer.text
    assert hidden(answer.text, "version") == "3"


def test_a_form_of_another_site_does_nothing(house: DeskHouse) -> None:
    browser = house.sit(ANN)
    form = {"version": "1", "key": "k", "csrf": "guessed", **ACCEPT}
    assert browser.post(f"{PAGE}/do/accept", form).status_code == 403
    form["csrf"] = "proof"
    answer = browser.post(f"{PAGE}/do/accept", form, origin="https://evil.example")
    assert answer.status_code == 403
    assert house.handling.history(str(CASE)).case.version == 1


def test_the_past_is_shown_as_it_was_and_offers_nothing(house: DeskHouse) -> None:
    accept(house)
    present = house.sit(ANN).get(PAGE).text
    assert "What you may do now" in present
    assert offers(present)
    page = house.sit(ANN).get(f"{PAGE}?as_of=1").text
    assert "Nothing can be done in the past." in page
    assert offers(page) == []
    assert "What you may do now" not in page
    assert "Registered" in text(page)
    assert '<form method="post" action="/desk' not in page


def test_the_past_is_asked_for_by_position_instant_day_or_local_time(
    house: DeskHouse,
) -> None:
    def status(as_of: str) -> int:
        return house.sit(ANN).get(f"{PAGE}?as_of={as_of}").status_code

    for known in ("1", "2026-03-01T08:00:00Z", "2026-03-01", "2026-03-01T08:00"):
        assert status(known) == 200, known
    for before in ("0", "2026-03-01T07:59:59Z", "2026-02-28", "2026-03-01T07:59"):
        assert status(before) == 404, before
    for odd in ("soon", "2026-02-30", "2026-02-30T08:00", "2026-03-01T08:00+08:00"):
        assert status(odd) == 422, odd


def test_words_come_masked_until_a_purpose_is_given_and_each_look_is_noted(
    house: DeskHouse,
) -> None:
    browser = house.sit(ANN)
    page = browser.get(PAGE).text
    assert STATEMENT in page
    assert "••••5521" in page
    assert "+8613812345521" not in page
    proof = {"csrf": hidden(page, "csrf")}
    aimless = browser.post(f"{PAGE}/particulars", proof | {"purpose": "curiosity"})
    assert aimless.status_code == 422
    assert "+8613812345521" not in aimless.text
    shown = browser.post(f"{PAGE}/particulars", proof | {"purpose": "contact_customer"})
    assert "+8613812345521" in shown.text
    assert "Shown and noted: To reach the customer" in text(shown.text)
    (look,) = (each for each in house.intake.looks if each.purpose)
    assert (look.actor, look.case_id) == (ANN.actor, CASE)


def test_our_own_words_are_read_from_our_vault_and_noted(house: DeskHouse) -> None:
    house.give(AGENT, "add-evidence", document="The seal is torn.", source="customer")
    assert "The seal is torn." in house.sit(ANN).get(PAGE).text
    (reading,) = house.readings.of_case(CASE)
    assert (reading.actor, reading.role, reading.purpose, reading.kind) == (
        ANN.actor,
        "agent",
        "case_work",
        "record",
    )
    assert not reading.masked
    house.sit(Credential("user-ida", "auditor")).get(PAGE)
    assert {each.actor: each.purpose for each in house.readings.of_case(CASE)} == {
        ANN.actor: "case_work",
        "user-ida": "audit",
    }


def test_words_that_were_replaced_are_not_shown(house: DeskHouse) -> None:
    house.give(AGENT, "add-evidence", document="The seal is torn.", source="customer")
    history = house.handling.history(str(CASE))
    ref = history.events[-1].event.data.document
    forged = house.vault.seal(
        document_id=ref.document_id,
        subject_id=history.case.subject_id,
        kind=ref.kind,
        media_type="text/plain",
        plaintext=b"All is well.",
    )
    with house.database.write() as tx:
        tx.execute("DELETE FROM vault_document")
        house.vault.put(tx, [forged])
    page = house.sit(ANN).get(PAGE).text
    assert "All is well." not in page
    assert "This document is not what was sealed." in page
    assert house.readings.of_case(CASE) == []


def test_without_intake_the_page_says_so_and_stays_usable(house: DeskHouse) -> None:
    house.intake.away = True
    page = house.sit(ANN).get(PAGE)
    assert page.status_code == 200
    assert "What was handed in cannot be shown at the moment." in page.text
    assert house.send("accept", **ACCEPT).status_code == 303


def photo() -> UUID:
    found: UUID = RECEIVED.data.attachments[0].document_id
    return found


def acts(house: DeskHouse) -> list[str]:
    """Give what was done with the photo, as intake was told."""
    return [each.act for each in house.intake.looks if each.document_id == photo()]


def test_files_are_listed_as_what_they_are_and_kept_not_shown(house: DeskHouse) -> None:
    """The name is a label, the type that of the bytes; the browser keeps the file."""
    content = b"\x89PNG\r\n\x1a\n" + b"\0" * (PIECE + 9)
    house.intake.files[photo()] = (content, '<b>"漏 水".svg')
    page = house.sit(ANN).get(PAGE).text
    assert "<b>" not in page
    assert "&lt;b&gt;&#34;漏 水&#34;.svg" in page
    assert "image/png" in page
    assert "524.3 kB" in page
    assert hashlib.sha256(content).hexdigest() in page
    assert acts(house) == ["list"]
    house.intake.looks.clear()
    answer = house.sit(ANN).get(f"{PAGE}/documents/{photo()}")
    assert answer.content == content
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert acts(house) == ["download"]  # once, in however many pieces it comes
    assert house.sit(HAN).get(f"{PAGE}/documents/{photo()}").status_code == 404
    assert house.sit(ANN).get(f"{PAGE}/documents/{CASE}").status_code == 404


def test_a_picture_has_a_preview_and_nothing_else_has(house: DeskHouse) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (900, 900), "red").save(drawn, "PNG")
    house.intake.files[photo()] = (drawn.getvalue(), "leak.png")
    address = f"{PAGE}/documents/{photo()}/preview"
    assert f'src="{address}"' in house.sit(ANN).get(PAGE).text
    house.intake.looks.clear()
    answer = house.sit(ANN).get(address)
    assert acts(house) == ["preview"]
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    house.intake.files[photo()] = (b"<svg onload=alert(1)>", "leak.png")
    assert address not in house.sit(ANN).get(PAGE).text
    assert house.sit(ANN).get(address).status_code == 404
    assert house.sit(HAN).get(address).status_code == 404


def test_our_own_files_are_read_from_our_store_and_noted(house: DeskHouse) -> None:
    content = b"GIF89a\0" + b"x" * PIECE
    given = upload(house.uploads, content, name="after.gif", owner=AGENT.id)
    document = {"upload": str(given.upload_id), "kind": "photo"}
    house.give(AGENT, "add-evidence", document=document, source="customer")
    added = house.store.load(CASE)[-1].data.document.document_id
    page = house.sit(ANN).get(PAGE).text
    assert "after.gif" in page
    assert house.sit(ANN).get(f"{PAGE}/documents/{added}").content == content
    looks = [each for each in house.readings.of_case(CASE) if each.document_id == added]
    assert [(each.kind, each.act, each.actor) for each in looks] == [
        ("photo", "list", ANN.actor),
        ("photo", "download", ANN.actor),
    ]


def test_a_file_that_is_away_is_told_so(house: DeskHouse) -> None:
    house.intake.away = True
    assert house.sit(ANN).get(f"{PAGE}/documents/{photo()}").status_code == 503


def test_whose_turn_it_is_but_may_not_is_told_why(house: DeskHouse) -> None:
    accept(house)
    house.give(QUALITY, "sign-for")
    house.give(
        QUALITY,
        "investigate",
        findings=[{"statement": "It is too loud."}],
        facts_match="yes",
        root_cause={"path": "product/design", "confidence": "confirmed"},
        responsible_unit="production",
    )
    house.give(
        QUALITY,
        "propose",
        remedies=[
            {"kind": "refund", "amount": {"amount": "99999.00", "currency": "CNY"}}
        ],
        proposal="All of it.",
        improvement="Quieter ones.",
    )
    page = house.sit(HEDDA).get(PAGE).text
    assert "approve" not in offers(page)
    assert "Your authority does not cover this settlement." in page


def test_people_are_named_and_policies_too(house: DeskHouse) -> None:
    house.sit(ANN)
    assert house.send("accept", **ACCEPT).status_code == 303
    page = text(house.browser.get(PAGE).text)
    assert "Ann Li · Front office agent · Front office" in page
    assert "Policy 2026.1" in page


def test_no_such_case_or_command(house: DeskHouse) -> None:
    browser = house.sit(ANN)
    assert browser.get("/desk/cases/none").status_code == 404
    assert house.send("dance").status_code == 404


@pytest.mark.parametrize("form", ["do/accept", "particulars"])
def test_the_address_of_a_form_leads_to_its_case(house: DeskHouse, form: str) -> None:
    answer = house.sit(ANN).get(f"{PAGE}/{form}")
    assert answer.status_code == 303
    assert answer.headers["location"] == PAGE


def test_an_agent_makes_a_new_access_code_and_nobody_else(house: DeskHouse):
    page = house.sit(ANN).get(PAGE).text
    assert "New access code for the customer" in page
    shut = page[page.index('id="new-access-code"') :]
    sent = {name: hidden(shut, name) for name in ("csrf", "key")}
    assert house.browser.post(f"{PAGE}/access-code", sent).status_code == 409
    assert not house.codes.made  # nobody said how the customer was verified
    sent["verified"] = "called_on_file"
    answer = house.browser.post(f"{PAGE}/access-code", sent)
    assert answer.status_code == 200
    assert "NEWC-ODEN-EWCO" in answer.text
    assert "\u2022\u2022\u2022\u20225521" in answer.text  # of the contact on file
    assert "<dt>Telephone</dt>" in answer.text
    assert house.codes.made == [(CASE, "user-ann", sent["key"], "called_on_file")]
    auditor = house.sit(Credential("user-au", "auditor"))
    page = auditor.get(PAGE).text
    assert "New access code for the customer" not in page
    refused = auditor.post(f"{PAGE}/access-code", {"csrf": "proof"})
    assert refused.status_code == 403
    assert len(house.codes.made) == 1
    assert auditor.get(f"{PAGE}/access-code").headers["location"] == PAGE


def test_the_list_as_it_stood_leads_to_the_cases_as_they_stood(
    house: DeskHouse,
) -> None:
    accept(house)
    browser = house.sit(ANN)
    page = browser.get("/desk/cases?as_of=1").text
    assert "at position 1 of the record" in text(page)
    assert f'href="{PAGE}?as_of=1"' in page
    assert "Registered" in page
    assert 'type="text" autocomplete="off"' in page  # a position fits no calendar
    assert browser.get("/desk/cases?as_of=1&state=ASSIGNED").text.count("data-row") == 0
    assert browser.get("/desk/cases?as_of=9&state=ASSIGNED").text.count("data-row") == 1
    moment = browser.get("/desk/cases?as_of=2026-03-01T08:00").text
    assert f'href="{PAGE}?as_of=3"' in moment
    assert 'value="2026-03-01T08:00" type="datetime-local"' in moment
    early = browser.get("/desk/cases?as_of=2026-02-01").text
    assert "Nothing was known at that time." in early


def test_a_moment_that_is_none_and_a_search_in_the_past_are_told(
    house: DeskHouse,
) -> None:
    browser = house.sit(ANN)
    assert "a position as 4711" in browser.get("/desk/cases?as_of=soon").text
    assert "find the case now" in browser.get("/desk/cases?as_of=1&q=leak").text


def test_a_moment_that_is_none_shows_neither_the_present_list_nor_case(
    house: DeskHouse,
) -> None:
    browser = house.sit(ANN)
    page = browser.get("/desk/cases?as_of=31.12.2025").text
    assert page.count("a position as 4711") == 2  # at the field, and for the list
    assert "data-row" not in page
    case = browser.get(f"{PAGE}?as_of=xx")
    assert case.status_code == 422
    assert "a position as 4711" in case.text
    assert "not one of ours" not in case.text


@pytest.mark.parametrize("name", ["state", "severity", "channel", "origin"])
def test_a_choice_that_there_is_not_is_told_at_its_field(
    house: DeskHouse, name: str
) -> None:
    page = house.sit(ANN).get(f"/desk/cases?{name}=nonsense").text
    assert f'id="{name}-fault"' in page
    assert "There is no such choice" in page


def test_an_origin_that_there_is_not_is_told_above_the_counters(
    house: DeskHouse,
) -> None:
    browser = house.sit(ANN)
    assert "There is no such choice" in browser.get("/desk?origin=nonsense").text
    for good in ("", "?origin=", "?origin=live", "?origin=all"):
        assert "There is no such choice" not in browser.get(f"/desk{good}").text


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "What was confirmed: Statement"), ("zh-CN", "已确认的内容\uff1a 投诉内容")],
)
def test_the_history_links_what_a_customer_confirmed(
    house: DeskHouse, language: str, said: str
) -> None:
    customer = Actor(id=f"receipt-{RECEIVED.data.receipt_no}", role="complainant")
    house.give(customer, "confirm-statement", medium="web")
    page = house.sit(ANN).get(f"{PAGE}?lang={language}").text
    assert said in text(page)
    statement = RECEIVED.data.statement.document_id
    assert page.count(f'href="#d-{statement}"') == 2  # received, and confirmed


@pytest.mark.parametrize(
    ("language", "no"),
    [
        ("en", "It concerns more than this case: no"),
        ("zh-CN", "系统性问题\uff09\uff1a 否"),
    ],
)
def test_the_history_says_no_in_both_languages(
    house: DeskHouse, language: str, no: str
) -> None:
    accept(house)
    house.give(QUALITY, "sign-for")
    house.give(
        QUALITY,
        "investigate",
        findings=[{"statement": "It is too loud."}],
        facts_match="yes",
        root_cause={"path": "product/design", "confidence": "confirmed"},
        responsible_unit="production",
        systemic=False,
    )
    page = text(house.sit(ANN).get(f"{PAGE}?lang={language}").text)
    assert no in page


def test_a_list_that_was_not_looked_through_says_so_and_goes_on(
    house: DeskHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.handling.application.past.LOOKED_AT", 1)
    monkeypatch.setattr("services.handling.application.past._AT_ONCE", 1)
    house.receive(UUID(int=CASE.int + 1), receipt_no="1000000000000000")
    browser = house.sit(ANN)
    page = browser.get("/desk/cases?as_of=2").text
    assert "The longest waiting first" in page
    (further,) = re.findall(r'rel="next" href="([^"]+)"', page)
    second = browser.get(further.replace("&amp;", "&")).text
    assert second.count("data-row") == 1
    assert "1000 0000 0000 0000" in second
    none = browser.get("/desk/cases?as_of=2&state=CLOSED").text
    assert "Look further" in none


def sent_with_files(
    house: DeskHouse, words: str, *files: tuple[str, bytes], **fields: Any
) -> httpx.Response:
    """Send the form of evidence as a browser without scripts does."""
    browser = house.sit(ANN)
    page = browser.get(PAGE).text
    form = page.partition('action="/desk/cases/' + f'{CASE}/do/add-evidence"')[2]
    known = {name: hidden(form, name) for name in ("version", "key", "csrf")}
    given = {"document": words, "document.kind": "photo", "source": "on_site_visit"}
    return browser.ask(
        "POST",
        f"{PAGE}/do/add-evidence",
        data={**known, **given, **fields},
        files=[("add-evidence.files.file", each) for each in files]
        or {"add-evidence.files.file": ("", b"")},
    )


def evidence(house: DeskHouse) -> list[tuple[str, str, bytes]]:
    events = [each.data for each in house.store.load(CASE)[1:]]
    files = [
        (each.document.kind, house.files.open(each.document.document_id))
        for each in events
    ]
    return [(kind, file.name, b"".join(file.content())) for kind, file in files]


def test_staff_put_words_and_files_to_a_case(house: DeskHouse) -> None:
    """Each is a piece of evidence of the same source; files alone will do."""
    photo_ = ("漏水.gif", b"GIF89a\0photo")
    answer = sent_with_files(house, "Seen at home.", photo_, ("b.txt", b"letter"))
    assert answer.status_code == 303
    assert evidence(house) == [
        ("photo", "", b"Seen at home."),
        ("photo", "漏水.gif", b"GIF89a\0photo"),
        ("photo", "b.txt", b"letter"),
    ]
    assert sent_with_files(house, "", photo_).status_code == 303
    events = house.store.load(CASE)[1:]
    assert {each.data.source for each in events} == {"on_site_visit"}
    assert len(events) == 4


@pytest.mark.parametrize(
    ("files", "field", "told"),
    [
        ([], "document", "Please fill this in."),
        ([("a", b"")], "files", "A file is empty."),
        ([("a", b"x")] * 11, "files", "These are too many files."),
    ],
)
def test_what_is_wrong_with_files_is_told_at_their_field(
    house: DeskHouse, files: list[tuple[str, bytes]], field: str, told: str
) -> None:
    answer = sent_with_files(house, "", *files)
    assert answer.status_code == 422
    assert f'id="add-evidence-{field}-fault">{told}' in answer.text
    assert evidence(house) == []


def test_an_upload_of_somebody_else_is_not_put_to_a_case(house: DeskHouse) -> None:
    theirs = upload(house.uploads, b"x", name="a", owner="user-han").upload_id
    answer = sent_with_files(house, "", **{"add-evidence.files": str(theirs)})
    assert answer.status_code == 422
    assert "A file is not here any more." in answer.text
    mine = upload(house.uploads, b"x", name="a", owner=ANN.actor).upload_id
    fields = {"add-evidence.files": str(mine)}
    assert sent_with_files(house, "", **fields).status_code == 303
    assert evidence(house) == [("photo", "a", b"x")]


def test_the_slider_leads_through_what_was_known_when(house: DeskHouse) -> None:
    accept(house)
    browser = house.sit(ANN)
    page = browser.get(PAGE).text
    assert re.search(
        r'type="range" id="step" name="step" min="1" max="3" value="3"', page
    )
    assert page.count("<option value=") >= 3
    led = browser.get(f"{PAGE}?step=2")
    assert (led.status_code, led.headers["location"]) == (303, f"{PAGE}?as_of=2")
    then = browser.get(led.headers["location"]).text
    assert 'max="3" value="2"' in then
    assert f'rel="prev" href="{PAGE}?as_of=1"' in then
    assert offers(then) == []
    assert browser.get(f"{PAGE}?step=3").headers["location"] == PAGE
    assert "Happened" not in page
    assert "happened " in text(page)


def test_a_department_slides_through_what_departments_are_told(
    house: DeskHouse,
) -> None:
    """The acknowledgement is the front office's: no step of a department's slider."""
    house.give(
        AGENT, "acknowledge", expected_at="2026-03-05T08:00:00Z", medium="letter"
    )
    accept(house)
    assert 'name="step" min="1" max="4"' in house.sit(ANN).get(PAGE).text
    own = house.sit(HAN).get(PAGE).text
    assert 'name="step" min="1" max="3"' in own
    assert own.count("As it stood then") == 3
    assert house.sit(HAN).get(f"{PAGE}?step=2").headers["location"].endswith("as_of=3")
