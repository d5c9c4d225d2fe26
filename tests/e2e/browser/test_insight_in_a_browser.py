"""`/insight` in a real browser: a filter changes address, numbers and plots together."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing
LONG = "a-code-as-long-as-codes-may-be-0123456789-0123456789-0123456789x"
RECEIVED = [
    ("phone", "leak"),
    ("phone", "leak"),
    ("web", "leak"),
    ("web", f"noise/{LONG}/{LONG}"),
    ("email", "noise"),
]


@pytest.fixture(scope="module")
def ours(site: RunningAmends) -> str:
    """Give the category below which this module's complaints lie."""
    own = f"insight-{uuid.uuid4().hex[:8]}"  # noqa: TID251 as random as other tests'
    with site.client() as client:
        for channel, category in RECEIVED:
            answer = client.post(
                "/api/intake/complaints",
                json={
                    "channel": channel,
                    "statement": "The washing machine.",
                    "contact": {
                        "email": "wang@example.org",
                        "name": "Wang Fang",
                        "phone": "+86 10 6552 9988",
                    },
                    "category": f"{own}/{category}",
                },
                headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 as above
            )
            assert answer.status_code == 201, answer.text
        site.until(lambda: count(site, own) == len(RECEIVED), "all are counted")
        made = client.post(
            "/api/handling/users",
            json={
                "login": own,
                "name": "Ann Li",
                "role": "agent",
                "password": SECRET,
            },
        )
        assert made.is_success, made.text
    return own


def asked(site: RunningAmends, figure: str, **parameters: str) -> Any:
    with site.client() as client:
        return client.get(f"/api/analytics/{figure}", params=parameters).json()


def count(site: RunningAmends, category: str) -> int:
    total: int = asked(site, "frequency", category=category)["total"]
    return total


def sign_in(page: Page, login: str, address: str) -> None:
    page.goto(address)
    page.fill("#login", login)
    page.fill("#password", SECRET)
    page.click("main form button")
    page.wait_for_selector("#figures")


def total(page: Page) -> int:
    return int(page.locator(".total a").first.inner_text())


def table(page: Page, section: str) -> list[list[str]]:
    rows: list[list[str]] = page.evaluate(
        "key => [...document.querySelector(`#${key}-figure tbody`).rows]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))",
        section,
    )
    return rows


def drawn(page: Page, kind: str) -> Any:
    """Give a plot's numbers, once it is drawn."""
    page.wait_for_selector(f".plot.{kind}[data-drawn] svg path", state="attached")
    return json.loads(page.get_attribute(f".plot.{kind}", "data-plot") or "")


def test_a_filter_changes_address_numbers_and_plots_together(
    visit: Visit, site: RunningAmends, ours: str
) -> None:
    page = visit()
    sign_in(page, ours, f"/insight?category={ours}")
    page.evaluate("window.stayed = true")
    assert total(page) == count(site, ours) == 5
    causes = asked(site, "root-causes", category=ours)["rows"]
    shown = [(row["cause"], str(row["count"])) for row in causes]
    assert [(row[0], row[1]) for row in table(page, "causes")] == shown
    assert drawn(page, "pareto")["counts"] == [row["count"] for row in causes]

    with page.expect_response(lambda answer: "channel=phone" in answer.url):
        page.select_option("#channel", "phone")
    page.wait_for_url("**channel=phone*")
    page.locator(".total", has_text="2 complaints").wait_for()
    assert page.url.endswith(f"&category={ours}&channel=phone")
    assert "=&" not in page.url  # what is empty is left out
    assert page.inner_text("#told").startswith("2 ")
    assert drawn(page, "pareto")["counts"] == [2]
    assert sum(drawn(page, "time")["series"][0]["values"]) == 2
    assert [row[1] for row in table(page, "causes")] == ["2"]
    assert "channel=phone" in (page.get_attribute(".languages a", "href") or "")
    assert page.evaluate("window.stayed")  # one part changed, not the page

    page.go_back()
    page.locator(".total", has_text="5 complaints").wait_for()
    assert page.input_value("#channel") == ""
    page.reload()
    assert total(page) == 5


def test_a_split_is_drawn_in_words_and_its_numbers_open_their_lists(
    visit: Visit, ours: str
) -> None:
    page = visit()
    sign_in(page, ours, f"/insight/frequency?category={ours}&group_by=channel")
    plot = drawn(page, "time")
    counts = {each["name"]: sum(each["values"]) for each in plot["series"]}
    assert counts == {"Telephone": 2, "Web form": 2, "E-mail": 1}
    page.wait_for_selector(".plot.time svg text:has-text('Telephone')")
    for kind, begins in (("svg", b"<svg "), ("png", b"\x89PNG")):
        with page.expect_download() as coming:
            page.click(f"[data-image={kind}]")
        saved = Path(coming.value.path()).read_bytes()
        assert saved.startswith(begins)
        if kind == "svg":  # what it shows is written in it
            told = re.sub(r"<[^>]*>", " ", saved.decode())
            position = page.inner_text(".known").split()[3]
            for part in (
                "How often",
                "Telephone",
                ours[:20],
                "open or closed",
                position,
            ):
                assert part in told
    page.click(".tables > :nth-child(2) tbody tr:has-text('Telephone') td a")
    assert page.locator("tbody tr").count() == 2
    assert page.locator("a[href^='/desk/cases/']").count() == 2


def test_without_scripts_the_form_asks_the_same(visit: Visit, ours: str) -> None:
    page = visit(scripts=False)
    sign_in(page, ours, f"/insight?category={ours}")
    page.select_option("#channel", "web")
    page.click("#ask button")
    assert page.url.endswith(f"&category={ours}&channel=web")
    assert total(page) == 2
    page.click(".chips li:has-text('Web form') a")
    assert page.url.endswith(f"&category={ours}")


def test_a_wrong_filter_is_told_and_mended_in_place(visit: Visit, ours: str) -> None:
    page = visit()
    sign_in(page, ours, f"/insight?category={ours}")
    page.fill("#product", "no code!")
    page.press("#product", "Enter")
    page.wait_for_selector("#faults")
    assert "Codes are letters" in page.inner_text("#faults")
    page.fill("#product", "")
    page.press("#product", "Enter")
    page.wait_for_selector(".total")
    assert total(page) == 5


def test_chinese_on_a_phone_in_the_dark_long_codes_fit(visit: Visit, ours: str) -> None:
    page = visit(width=390, lang="zh-CN", color_scheme="dark")
    sign_in(page, ours, f"/insight/frequency?category={ours}&group_by=category")
    assert page.inner_text("h1") == "统计分析"
    listed = page.locator(".total a").first.get_attribute("href") or ""
    tabs = page.locator("#views a").evaluate_all("all => all.map((a) => a.href)")
    for address in (listed, *tabs):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
        if address in tabs:
            page.wait_for_selector(".plot[data-drawn] svg path", state="attached")


def test_on_paper_tables_are_whole_and_the_form_is_left_out(
    visit: Visit, ours: str
) -> None:
    page = visit(color_scheme="dark")
    sign_in(page, ours, f"/insight?category={ours}")
    drawn(page, "pareto")
    page.emulate_media(media="print")
    assert not page.is_visible("#ask")
    assert (
        page.eval_on_selector(".tall", "box => getComputedStyle(box).overflowY")
        == "visible"
    )
    colour = page.eval_on_selector(
        ":root", "root => getComputedStyle(root).getPropertyValue('--series-1').trim()"
    )
    page.wait_for_selector(f".plot.pareto svg path[fill='{colour}']")
