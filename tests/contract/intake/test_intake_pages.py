"""The customer's pages: a form that loses no word, a receipt, where a complaint stands."""

import datetime as dt
import html
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from events.examples import EXAMPLES
from events.vocabulary import State
from services.intake.domain.receipt import spoken
from services.intake.pages import customers as intake_pages
from services.kernel.errors import UnavailableError
from services.kernel.store.database import Database
from services.kernel.web.edge import edge
from services.kernel.web.limiter import Limiter
from services.kernel.web.metrics import HttpMetrics, new_registry
from services.kernel.web.pages import Strangers
from services.kernel.web.problems import install
from tests.support.browsing import Browser, hidden
from tests.support.intake import NOW, Bench, bench

GOOD = {"statement": "The kettle leaks.", "contact.email": "ada@example.org"}
Make = Callable[..., Database]


class Visit(Browser):
    """One customer before intake's pages."""

    def __init__(self, made: Bench, *, per_minute: int = 600) -> None:
        self.bench = made
        self.pages = intake_pages.intake_pages(
            viewers=Strangers(), secret=b"f" * 32, time_zone="Asia/Shanghai"
        )
        app = FastAPI()
        app.include_router(
            intake_pages.router(
                made.intake,
                made.inquiries,
                made.uploads,
                self.pages,
                now=lambda: NOW,
                limiter=Limiter(per_minute, code="intake.too_many_questions"),
            )
        )
        install(app)
        super().__init__(edge(app, HttpMetrics(new_registry())))

    def fill(self, page: str, fields: dict[str, Any]) -> httpx.Response:
        """Send the form that a page shows."""
        given = {"key": hidden(page, "key"), "csrf": hidden(page, "csrf")}
        return self.post("/", {**given, **fields})

    def send(
        self, page: str, fields: dict[str, Any], *files: tuple[str, bytes]
    ) -> httpx.Response:
        """Send the form as a browser without scripts does: with its files in it."""
        given = {"key": hidden(page, "key"), "csrf": hidden(page, "csrf"), **fields}
        parts = [
            ("files.file", (name, content, "text/html")) for name, content in files
        ]
        return self.ask(
            "POST", "/", data=given, files=parts or {"files.file": ("", b"")}
        )


@contextmanager
def visit(make_database: Make, **options: int) -> Iterator[Visit]:
    made = bench(make_database)
    made.writer.start()
    try:
        yield Visit(made, **options)
    finally:
        made.writer.stop()


def receipt_of(answer: httpx.Response) -> str:
    found = re.search(r"<output>([0-9 ]{19})</output>", answer.text)
    assert found is not None, answer.text
    return found[1]


def typed(page: str, name: str) -> str:
    """Give what a field of the page holds."""
    area = re.search(
        rf'<textarea [^>]*name="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL
    )
    line = re.search(rf'name="{name}" value="([^"]*)"', page)
    found = area or line
    assert found is not None, name
    return found[1]


def test_a_filled_form_is_a_complaint_with_a_number(make_database: Make) -> None:
    with visit(make_database) as customer:
        answer = customer.fill(
            customer.get("/").text,
            {
                **GOOD,
                "statement": "It leaks.\r\nAt the handle. ",
                "contact.name": "Ada",
                "contact.phone": "+86 10 1234 5678",
                "product.model": "K-2",
                "product.serial": "S 77",
                "product.lot": "2509B",
                "product.price": " 1,299.00 ",
                "currency": "CNY",
                "order_no": "A-1",
                "purchase_date": "2026-03-01",
                "event_on": "2026-03-02",
                "demand": ["repair", "compensation"],
                "desired_outcome": "A new one",
                "dealer": "d-7",
            },
        )
        assert answer.status_code == 201
        (event,) = customer.bench.events()
        data = event.data
        assert spoken(data.receipt_no) == receipt_of(answer)
        assert event.channel == "web"
        assert event.actor.id == "anonymous"
        words = customer.bench.words
        assert words(data.statement.document_id) == "It leaks.\nAt the handle. "
        assert words(data.desired_outcome.document_id) == "A new one"
        assert '"serial":"S 77"' in words(data.particulars.document_id)
        assert (data.product.model, data.product.lot) == ("K-2", "2509B")
        assert str(data.product.price.amount) == "1299.00"
        assert data.demand == ("repair", "compensation")
        assert data.purchase_date == dt.date(2026, 3, 1)
        assert data.event_at == dt.datetime(2026, 3, 1, 16, tzinfo=dt.UTC)
        assert (data.reported_via, data.dealer) == ("dealer", "d-7")


def test_sent_twice_it_is_one_complaint(make_database: Make) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        first, second = customer.fill(form, GOOD), customer.fill(form, GOOD)
        assert (first.status_code, second.status_code) == (201, 200)
        assert receipt_of(first) == receipt_of(second)
        assert len(customer.bench.events()) == 1


def test_every_form_has_a_key_of_its_own(make_database: Make) -> None:
    with visit(make_database) as customer:
        keys = {hidden(customer.get("/").text, "key") for _ in range(3)}
        assert len(keys) == 3


def test_the_receipt_shows_the_access_code_and_nothing_keeps_it(
    make_database: Make,
) -> None:
    with visit(make_database) as customer:
        answer = customer.fill(customer.get("/").text, GOOD)
        assert re.search(r"<output>(\w{4}-){2}\w{4}</output>", answer.text)
        assert answer.headers["cache-control"] == "no-store"


def test_faults_are_told_at_their_fields_and_no_word_is_lost(
    make_database: Make,
) -> None:
    with visit(make_database) as customer:
        form = customer.get("/?lang=en").text
        sent = {
            "statement": " ",
            "contact.name": "<b>Ada & co</b>",
            "contact.email": "nowhere",
            "contact.phone": "none",
            "product.price": "12 euros",
            "currency": "EUR",
            "purchase_date": "yesterday",
            "event_on": "last week",
            "dealer": "two words",
            "demand": ["repair"],
            "desired_outcome": "\r\n A\r\nB",
        }
        answer = customer.fill(form, sent)
        assert answer.status_code == 422
        page = answer.text
        told = dict(re.findall(r'<li><a href="#([\w-]+)">([^<]+)</a>', page))
        assert told == {
            "statement": "Please say what happened.",
            "contact-email": "Write the e-mail address as name@example.org.",
            "contact-phone": "Write the telephone number in digits, best as"
            " +86 10 1234 5678.",
            "product-price": "Write the price as 1299.00.",
            "purchase_date": "Write the day as 2026-03-04.",
            "event_on": "Write the day as 2026-03-04.",
            "dealer": "Write the dealer&#39;s code in letters and digits,"
            " without spaces.",
        }
        for field in told:
            assert f'id="{field}"' in page
            assert f'id="{field}-fault"' in page
        assert typed(page, "contact.name") == "&lt;b&gt;Ada &amp; co&lt;/b&gt;"
        assert typed(page, "product.price") == "12 euros"
        assert typed(page, "desired_outcome") == "\n A\nB"
        assert 'value="repair" checked' in page
        assert '<option value="EUR" selected>' in page
        assert hidden(page, "key") == hidden(form, "key")
        assert customer.bench.events() == []


def test_faults_are_told_in_the_reader_s_language(make_database: Make) -> None:
    with visit(make_database) as customer:
        answer = customer.fill(customer.get("/?lang=zh-CN").text, {})
        assert "请说明发生了什么。" in answer.text
        assert "有 2 处需要更正" in answer.text


@pytest.mark.parametrize("length", [20_000, 20_001])
def test_words_have_the_limit_that_the_page_states(
    make_database: Make, length: int
) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        assert 'data-limit="20000"' in form
        words = "漏" * length
        answer = customer.fill(form, {**GOOD, "statement": words})
        assert answer.status_code == (201 if length == 20_000 else 422)
        if length > 20_000:
            assert "This is too long." in answer.text
            assert typed(answer.text, "statement") == words


@pytest.mark.parametrize("field", ["event_on", "purchase_date"])
def test_a_day_to_come_is_refused(make_database: Make, field: str) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        answer = customer.fill(form, {**GOOD, field: "2026-03-07"})
        assert answer.status_code == 422
        assert f'<a href="#{field}">This day lies in the future.</a>' in answer.text


def test_a_day_that_began_further_east_is_not_in_the_future(
    make_database: Make,
) -> None:
    with visit(make_database) as customer:
        customer.fill(customer.get("/").text, {**GOOD, "event_on": "2026-03-05"})
        (event,) = customer.bench.events()
        assert event.data.event_at == NOW


def test_a_used_key_is_replaced_and_the_text_stays(make_database: Make) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        customer.fill(form, GOOD)
        again = customer.fill(form, {**GOOD, "statement": "Another one."})
        assert again.status_code == 409
        assert "already sent a complaint" in again.text
        assert typed(again.text, "statement") == "Another one."
        assert hidden(again.text, "key") != hidden(form, "key")
        sent = {**GOOD, "statement": "Another one."}
        assert customer.fill(again.text, sent).status_code == 201
        assert len(customer.bench.events()) == 2


def test_a_lost_cookie_costs_one_more_click_and_no_word(make_database: Make) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        customer.cookies.clear()
        answer = customer.fill(form, GOOD)
        assert answer.status_code == 403
        assert typed(answer.text, "statement") == GOOD["statement"]
        assert customer.fill(answer.text, GOOD).status_code == 201


def test_another_site_cannot_send_it(make_database: Make) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        sent = {**GOOD, "key": hidden(form, "key"), "csrf": hidden(form, "csrf")}
        answer = customer.post("/", sent, Sec_Fetch_Site="cross-site")
        assert answer.status_code == 403
        assert "kettle" not in answer.text
        assert customer.bench.events() == []


@pytest.mark.parametrize("key", ["", "not-a-uuid"])
def test_a_form_without_its_key_is_no_complaint(make_database: Make, key: str) -> None:
    with visit(make_database) as customer:
        form = customer.get("/").text
        answer = customer.fill(form, {**GOOD, "key": key})
        assert answer.status_code == 422
        assert customer.bench.events() == []
        assert customer.fill(answer.text, GOOD).status_code == 201


def test_while_nothing_is_certain_the_same_form_is_shown(
    make_database: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise UnavailableError("intake.store_away", "Again.")

    with visit(make_database) as customer:
        form = customer.get("/").text
        with monkeypatch.context() as patched:
            patched.setattr(customer.bench.intake, "submit", away)
            answer = customer.fill(form, GOOD)
        assert answer.status_code == 503
        assert "will not be counted twice" in answer.text
        assert hidden(answer.text, "key") == hidden(form, "key")
        assert customer.fill(answer.text, GOOD).status_code == 201


def test_a_number_leads_to_where_the_complaint_stands(make_database: Make) -> None:
    with visit(make_database) as customer:
        number = receipt_of(customer.fill(customer.get("/").text, GOOD))
        found = customer.get(f"/status?number={number}")
        assert found.status_code == 303
        assert found.headers["location"] == f"/status/{number.replace(' ', '')}"
        page = customer.get(found.headers["location"]).text
        assert number in page
        assert "Registered" in page
        assert "Complaint received" in page
        assert "Mar 4, 2026" in page  # Shanghai's day
        assert "kettle" not in page
        assert "ada@example.org" not in page
        chinese = customer.get(found.headers["location"] + "?lang=zh-CN").text
        assert "已登记" in chinese
        assert "投诉已登记" in chinese


@pytest.mark.parametrize(
    ("code", "english", "chinese"),
    [("logistics", "Logistics", "物流"), ("atelier-9", "atelier-9", "atelier-9")],
)
def test_the_department_is_called_by_its_name(
    make_database: Make, code: str, english: str, chinese: str
) -> None:
    """A department of another policy, for which nobody has words, by its code."""
    with visit(make_database) as customer:
        number = receipt_of(customer.fill(customer.get("/").text, GOOD))
        address = f"/status/{number.replace(' ', '')}"
        [received] = customer.bench.events()
        assigned = EXAMPLES["DepartmentAssigned"]
        event = assigned.model_copy(
            update={
                "case_id": received.case_id,
                "version": 2,
                "data": assigned.data.model_copy(update={"department": code}),
            }
        )
        with customer.bench.record._database.write() as tx:
            customer.bench.record.follow(tx, [event])
        assert f"<dd>{english}</dd>" in customer.get(address).text
        assert chinese in customer.get(f"{address}?lang=zh-CN").text


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        ("4837 2915 0062 7713", "A digit is wrong, missing or swapped."),
        ("4837", "A digit is wrong, missing or swapped."),
        ("../../etc", "A digit is wrong, missing or swapped."),
        ("0000 0000 0000 0000", "No complaint has this number."),
    ],
)
def test_a_wrong_number_is_shown_again_with_a_hint(
    make_database: Make, number: str, hint: str
) -> None:
    with visit(make_database) as customer:
        answer = customer.get(f"/status?number={number}")
        assert answer.status_code == 404
        assert hint in answer.text
        assert typed(answer.text, "number") == number


def test_the_status_is_told_only_so_often(make_database: Make) -> None:
    with visit(make_database, per_minute=2) as customer:
        statuses = [customer.get("/status/1").status_code for _ in range(3)]
        assert statuses == [404, 404, 429]
        assert "Please wait a minute" in customer.get("/status/1").text
        assert customer.get("/status").status_code == 200


@pytest.mark.real_data
def test_hostile_words_are_kept_and_shown_as_they_are(
    make_database: Make, real_data: Path
) -> None:
    nasty = json.loads((real_data / "badinput/blns/blns.json").read_text("utf-8"))
    with visit(make_database) as customer:
        form = customer.get("/").text
        for words in filter(str.strip, nasty):
            shown = customer.fill(form, {"statement": words, "contact.name": words})
            assert shown.status_code == 422
            again = html.unescape(typed(shown.text, "statement"))
            assert again == words.replace("\r\n", "\n")
            assert html.unescape(typed(shown.text, "contact.name")) == words
        kept = [words for words in nasty if re.search(r"[^\W\d_]", words)]
        for words in kept:
            answer = customer.fill(customer.get("/").text, {**GOOD, "statement": words})
            assert answer.status_code == 201
        assert [
            customer.bench.words(event.data.statement.document_id)
            for event in customer.bench.events()
        ] == [words.replace("\r\n", "\n") for words in kept]


def test_every_state_has_its_sentence() -> None:
    assert set(intake_pages._MEANINGS) == set(State)


def attached(customer: Visit) -> list[tuple[str, str, bytes]]:
    (event,) = customer.bench.events()
    files = [customer.bench.files.open(r.document_id) for r in event.data.attachments]
    return [(f.name, f.media_type, b"".join(f.content())) for f in files]


def kept(page: str) -> list[str]:
    return re.findall(r'name="files" value="([^"]*)" checked', page)


def test_files_come_in_the_form_where_no_script_runs(make_database: Make) -> None:
    with visit(make_database) as customer:
        page = customer.get("/").text
        photo = ("投诉 1.gif", b"GIF89a\0photo")
        answer = customer.send(page, GOOD, photo, ("letter.txt", b"Dear"))
        assert answer.status_code == 201, answer.text
        assert attached(customer) == [
            ("投诉 1.gif", "image/gif", b"GIF89a\0photo"),
            ("letter.txt", "text/plain", b"Dear"),
        ]


def test_a_form_without_files_is_sent_as_well(make_database: Make) -> None:
    with visit(make_database) as customer:
        assert customer.send(customer.get("/").text, GOOD).status_code == 201
        assert attached(customer) == []


def test_a_form_at_fault_keeps_its_files(make_database: Make) -> None:
    """They are not sent twice: the form names them, and one may be taken away."""
    with visit(make_database) as customer:
        page = customer.get("/").text
        refused = customer.send(page, {}, ("a.txt", b"one"), ("<b>.txt", b"two"))
        assert refused.status_code == 422
        assert len(kept(refused.text)) == 2
        assert "&lt;b&gt;.txt" in refused.text
        first, _ = kept(refused.text)
        answer = customer.fill(refused.text, {**GOOD, "files": [first]})
        assert answer.status_code == 201
        assert "<dt>Files received with it</dt>\n    <dd>1</dd>" in answer.text
        assert attached(customer) == [("a.txt", "text/plain", b"one")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("a", b"x" * 10_000_001)], "A file is too large."),
        ([("a", b"x"), ("b", b"")], "A file is empty. Please choose it again."),
        ([(f"{n}.txt", b"x") for n in range(11)], "These are too many files."),
    ],
)
def test_too_much_at_once_is_told_beside_the_field(
    make_database: Make, files: list[tuple[str, bytes]], words: str
) -> None:
    with visit(make_database) as customer:
        answer = customer.send(customer.get("/").text, GOOD, *files)
        assert answer.status_code == 422
        assert f'id="files-fault">{words}<' in answer.text
        assert customer.bench.events() == []


@pytest.mark.parametrize("named", ["", "../../etc/passwd", str(UUID(int=1))])
def test_an_upload_that_is_none_is_told_and_named_no_more(
    make_database: Make, named: str
) -> None:
    with visit(make_database) as customer:
        answer = customer.fill(customer.get("/").text, {**GOOD, "files": [named]})
        assert answer.status_code == 422
        assert 'id="files-fault"' in answer.text
        assert kept(answer.text) == []


def test_a_form_of_another_site_brings_no_files(make_database: Make) -> None:
    with visit(make_database) as customer:
        page = customer.get("/").text
        forged = re.sub(r'name="csrf" value="[^"]*"', 'name="csrf" value="x"', page)
        answer = customer.send(forged, GOOD, ("a.txt", b"one"))
        assert answer.status_code == 403
        assert kept(answer.text) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x\r\n",
        b"no part at all",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\0\r\n--x--\r\n',
        b"--x\r\nA: b\r\n\r\n\r\n" * 2_000,
        b"--x\r\n" + b"A" * 100_000,
    ],
)
def test_a_body_that_is_no_form_is_refused(make_database: Make, body: bytes) -> None:
    with visit(make_database) as customer:
        for boundary in ("; boundary=x", "", "; boundary=" + "x" * 300):
            answer = customer.ask(
                "POST",
                "/",
                content=body,
                headers={"Content-Type": f"multipart/form-data{boundary}"},
            )
            assert answer.status_code in {400, 403}, answer.text
        assert customer.bench.events() == []
