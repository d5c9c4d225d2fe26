"""Pages for people: languages, forms that prove their origin, refusals as pages."""

import datetime as dt
import re
from pathlib import Path
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from services.kernel.access import Credential
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.web.pages import (
    STRANGER,
    FormFault,
    Pages,
    Strangers,
    Viewer,
    Viewers,
)
from services.kernel.web.pages.assets import KERNEL_STATIC, Assets
from tests.support.browsing import Browser, hidden


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "form.html").write_text(
        '{% extends "layout.html" %}{% block title %}T{% endblock %}'
        "{% block content %}<form>{{ csrf_field() }}</form>{{ said }}{% endblock %}"
    )
    (tmp_path / "templates" / "formats.html").write_text(
        "{% from 'macros.html' import faults with context %}{{ faults(found) }}"
        "{{ at|when }}|{{ at|when('short') }}|{{ at|when('exact') }}|{{ at.date()|day }}"
        "|{{ 12345|number }}|{{ 0.125|percent(1) }}|{{ '12.5'|money('CNY') }}"
        "|{{ 'OPEN'|word('state') }}|{{ 'x'|word('state') }}|{{ address(a=None, b=2) }}"
    )
    return tmp_path


def client_of(
    folder: Path, viewer: Viewer = STRANGER, *, viewers: Viewers | None = None
) -> Browser:
    class One(Strangers):
        async def viewer(self, _request: Request) -> Viewer:
            return viewer

    pages = Pages(
        "probe",
        folder,
        viewers=viewers or One(),
        secret=b"s" * 32,
        time_zone="Asia/Shanghai",
        words={"state": {"OPEN": "Next"}},
    )
    routes = pages.router()

    @routes.get("/formats")
    async def formats(request: Request) -> Response:
        found = [FormFault("a.b", "one"), FormFault("", "two")]
        return pages.render(request, "formats.html", at=AT, found=found)

    @routes.get("/form")
    async def form(request: Request) -> Response:
        return pages.render(request, "form.html", said="<b>")

    @routes.post("/form")
    async def post(request: Request) -> Response:
        got = await pages.form(request)
        return pages.render(request, "form.html", said=repr(got.raw("said")))

    @routes.get("/desk/closed")
    async def closed(request: Request) -> Response:
        pages.require_known(request)
        return pages.render(request, "form.html", said="in")

    @routes.get("/refused")
    async def refused(_request: Request) -> Response:
        raise RefusedError("probe.no", "Do something else.")

    @routes.get("/of/{some_id}")
    async def of(request: Request, some_id: UUID) -> Response:
        return pages.render(request, "form.html", said=some_id)

    @routes.get("/broken")
    async def broken(_request: Request) -> Response:
        raise ZeroDivisionError

    app = FastAPI()
    app.include_router(routes)
    app.include_router(Assets("kernel", KERNEL_STATIC).router())
    return Browser(app)


AT = dt.datetime(2026, 3, 4, 22, 5, 6, tzinfo=dt.UTC)


def token(page: str) -> str:
    return hidden(page, "csrf")


def test_a_page_escapes_and_sets_its_own_policy(folder: Path) -> None:
    answer = client_of(folder).get("/form")
    assert "&lt;b&gt;" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert answer.headers["referrer-policy"] == "same-origin"


def test_a_form_of_ours_is_read_as_it_was_typed(folder: Path) -> None:
    client = client_of(folder)
    sent = {"csrf": token(client.get("/form").text), "said": "a\r\nb "}
    assert "&#39;a\\nb &#39;" in client.post("/form", sent).text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_is_refused(
    folder: Path, headers: dict[str, str]
) -> None:
    client = client_of(folder)
    sent = {"csrf": token(client.get("/form").text)}
    answer = client.post("/form", sent, **headers)
    assert answer.status_code == 403
    assert "form.foreign" in answer.text


def test_a_form_without_the_cookie_or_its_token_is_refused(folder: Path) -> None:
    client = client_of(folder)
    shown = token(client.get("/form").text)
    assert client.post("/form", {"csrf": "x" * 64}).status_code == 403
    assert client.post("/form", {"said": "1"}).status_code == 403
    client.cookies.clear()
    assert client.post("/form", {"csrf": shown}).status_code == 403
    client.cookies.set("amends_form", "")
    assert client.post("/form", {"csrf": shown}).status_code == 403


def test_a_session_brings_its_own_token(folder: Path) -> None:
    client = client_of(folder, Viewer(Credential("wang", "agent"), "Wang", "secret"))
    page = client.get("/form").text
    assert token(page) == "secret"
    assert "Wang" in page
    assert "htmx" in page
    assert client.post("/form", {"csrf": "secret"}).status_code == 200
    assert client.post("/form", {"csrf": "other"}).status_code == 403


@pytest.mark.parametrize("body", [b"a=%ff", b"a=%00", b"\xff=1", b"a"])
def test_an_unreadable_form_is_refused(folder: Path, body: bytes) -> None:
    answer = client_of(folder).ask(
        "POST",
        "/form",
        content=body,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 400
    assert "form.unreadable" in answer.text


def test_a_stranger_is_led_to_the_login_and_back(folder: Path) -> None:
    client = client_of(folder)
    answer = client.get("/desk/closed?a=1&b=2")
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "/access/login?next=/desk/closed%3Fa%3D1%26b%3D2"
    )
    again = client.get("/desk/closed", HX_Request="true")
    assert again.headers["hx-redirect"] == "/access/login?next=/desk/closed"


def test_a_refusal_is_a_page_with_its_remedy(folder: Path) -> None:
    answer = client_of(folder).get("/refused")
    assert answer.status_code == 409
    assert "Do something else." in answer.text
    assert "If it happens again" not in answer.text  # it will, and nothing is broken


def test_an_address_with_no_id_in_the_place_of_one_leads_nowhere(folder: Path) -> None:
    answer = client_of(folder).get("/of/somebody")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_the_staff_see_the_sections_that_they_may_open(folder: Path) -> None:
    who = Credential("ann", "admin")
    page = client_of(folder, Viewer(who, sections=("/access",))).get("/form").text
    assert sections_of(page) == ["/access", "/", "/status"]
    assert 'class="mark" href="/access"' in page
    assert "China Time" in page  # whose hours are meant
    stranger = client_of(folder).get("/form").text
    assert sections_of(stranger) == ["/", "/status"]
    assert "China Time" not in stranger


def sections_of(page: str) -> list[str]:
    inside = page.partition('class="sections"')[2].partition("</nav>")[0]
    return re.findall(r'<a href="([^"]*)"', inside)


def test_what_fails_unexpectedly_is_a_page_as_well(folder: Path) -> None:
    answer = client_of(folder).get("/broken")
    assert answer.status_code == 500
    assert "Something failed here" in answer.text
    assert "If it happens again" in answer.text
    assert "ZeroDivision" not in answer.text


def test_a_viewer_who_cannot_be_told_now_is_a_refusal(folder: Path) -> None:
    class Away(Strangers):
        async def viewer(self, _request: Request) -> Viewer:
            raise UnavailableError("probe.away", "Ask again.", retry_after=7)

    answer = client_of(folder, viewers=Away()).get("/form")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "7"
    assert "Ask again." in answer.text


def test_the_reader_chooses_the_language_and_keeps_it(folder: Path) -> None:
    client = client_of(folder)
    assert '<html lang="en">' in client.get("/form").text
    wanted = {"Accept_Language": "fr;q=0.9, zh-TW;q=0.8, en;q=0.5"}
    assert '<html lang="zh-CN">' in client.get("/form", **wanted).text
    assert '<html lang="zh-CN">' in client.get("/form?lang=zh-CN").text
    assert '<html lang="zh-CN">' in client.get("/form").text
    assert '<html lang="en">' in client.get("/form?lang=en", **wanted).text


def test_an_asset_is_cached_for_ever_under_its_hash_alone(folder: Path) -> None:
    client = client_of(folder)
    found = re.search(
        r'href="(/static/kernel/amends.css\?v=\w+)"', client.get("/form").text
    )
    assert found is not None
    fresh = client.get(found[1])
    assert fresh.headers["content-type"].startswith("text/css")
    assert "immutable" in fresh.headers["cache-control"]
    stale = client.get("/static/kernel/amends.css?v=old")
    assert stale.headers["cache-control"] == "no-cache"
    assert client.get("/static/kernel/htmx.LICENSE").status_code != 200


def test_dates_and_numbers_are_written_as_the_reader_does(folder: Path) -> None:
    client = client_of(folder)
    english = plain(client.get("/formats?a=1&c=3").text)
    assert "2 things are to be corrected" in english
    assert english.endswith(
        "Mar 5, 2026, 6:05 AM GMT+08:00|Mar 5, 2026, 6:05 AM"
        "|Mar 5, 2026, 6:05:06 AM GMT+08:00|Mar 4, 2026|12,345|12.5%|CN¥12.50|Next|x|/formats?c=3&amp;b=2"
    )
    chinese = plain(client.get("/formats?lang=zh-CN").text)
    assert "有 2 处需要更正" in chinese
    assert (
        "2026年3月5日 06:05 GMT+08:00|2026年3月5日 06:05|2026年3月5日 06:05:06"
        in chinese
    )
    assert "|¥12.50|下一页|x|" in chinese


def plain(page: str) -> str:
    without = re.sub(r"<[^>]+>", "", page)
    return without.replace("\u202f", " ").strip()
