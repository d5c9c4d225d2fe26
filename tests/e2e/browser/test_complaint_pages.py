"""A customer's complaint in a real browser: no word is lost, whatever fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

SEND = "#complaint button:not([type])"
WORDS = "The kettle leaks.\n水壶漏水。 <b>&amp;</b>"


def fill(page: Page) -> None:
    page.fill("#statement", WORDS)
    page.fill("#contact-email", "ada@example.org")


def number_on(page: Page) -> str:
    page.wait_for_selector("#receipt")
    number = page.inner_text("#receipt output >> nth=0")
    assert re.fullmatch(r"\d{4}( \d{4}){3}", number)
    return number


def kept(page: Page) -> str | None:
    """Give what this device still holds."""
    found: str | None = page.evaluate("localStorage.getItem('amends.complaint')")
    return found


def complaints(site: RunningAmends) -> int:
    with site.client() as client:
        found: int = client.get("/api/progress").json()["intake"]["recorded"]
        return found


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_complaint_gets_its_number_and_can_be_followed(
    visit: Visit, site: RunningAmends, scripts: bool, lang: str
) -> None:
    before = complaints(site)
    page = visit(scripts=scripts, lang=lang)
    page.goto("/")
    fill(page)
    page.check("input[value=repair]")
    page.fill("#product-price", "1,299.00")
    page.click(SEND)
    number = number_on(page)
    assert complaints(site) == before + 1
    page.click("#receipt a.button")
    page.wait_for_url("**/status/*")
    assert number in page.inner_text("h1")
    assert page.inner_text(".state") == {"en": "Registered", "zh-CN": "已登记"}[lang]
    if scripts:
        assert kept(page) is None


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_faults_lead_to_their_fields_and_the_words_stay(
    visit: Visit, scripts: bool
) -> None:
    page = visit(scripts=scripts)
    page.goto("/")
    page.fill("#statement", WORDS)
    page.fill("#product-price", "a lot")
    page.click(SEND)
    page.wait_for_selector("#faults")
    assert page.locator("#faults a").count() == 2
    assert page.input_value("#statement") == WORDS
    assert page.input_value("#product-price") == "a lot"
    page.click("#faults a >> nth=0")
    assert page.locator("#contact-email:focus").count() == 1
    told = page.get_attribute("#contact-email", "aria-describedby")
    assert told is not None
    assert "e-mail address or a telephone" in page.inner_text(f"#{told}")
    page.fill("#contact-email", "ada@example.org")
    page.fill("#product-price", "")
    page.click(SEND)
    number_on(page)


@pytest.mark.parametrize("failure", ["network", "busy"])
def test_the_page_sends_again_by_itself_until_it_has_a_number(
    visit: Visit, site: RunningAmends, failure: str
) -> None:
    before = complaints(site)
    page = visit()
    page.clock.install()
    page.goto("/")
    fill(page)
    tries = 0

    def fail(route: Route) -> None:
        nonlocal tries
        tries += 1
        if failure == "network":
            route.abort()
        else:
            route.fulfill(status=503, body="")

    def down(url: str) -> bool:
        return url == f"{site.url}/"

    page.route(down, fail)
    page.click(SEND)
    page.wait_for_selector("#sending")
    shown = page.locator("#sending [data-reason]:visible")
    assert shown.get_attribute("data-reason") == failure
    assert "kettle" in (kept(page) or "")
    page.clock.fast_forward(2_000)
    page.wait_for_function("document.querySelector('#sending').checkVisibility()")
    page.unroute(down, fail)
    page.clock.fast_forward(30_000)
    number_on(page)
    assert tries >= 1
    assert complaints(site) == before + 1
    assert kept(page) is None


def test_the_answer_that_was_lost_on_its_way_costs_no_second_complaint(
    visit: Visit, site: RunningAmends
) -> None:
    before = complaints(site)
    page = visit()
    page.clock.install()
    page.goto("/")
    fill(page)

    def lose(route: Route) -> None:
        route.fetch()  # it arrives
        route.abort()  # and nobody hears that

    def down(url: str) -> bool:
        return url == f"{site.url}/"

    page.route(down, lose, times=1)
    page.click(SEND)
    page.wait_for_selector("#sending")
    page.clock.fast_forward(30_000)
    number_on(page)
    assert complaints(site) == before + 1


def test_words_outlive_a_closed_page_and_are_sent_when_it_opens_again(
    visit: Visit, site: RunningAmends
) -> None:
    before = complaints(site)
    page = visit()
    page.goto("/")
    fill(page)
    page.check("input[value=exchange]")
    page.context.set_offline(True)
    page.click(SEND)
    page.wait_for_selector("#sending")
    key = page.input_value("input[name=key]")
    page.close(run_before_unload=False)
    again = page.context.new_page()
    page.context.set_offline(False)
    again.goto("/")
    again.wait_for_selector("#receipt")
    assert again.get_attribute("#receipt", "data-key") == key
    assert complaints(site) == before + 1


def test_words_that_were_not_sent_come_back_and_can_be_deleted(visit: Visit) -> None:
    page = visit()
    page.goto("/")
    fill(page)
    page.check("input[value=exchange]")
    page.reload()
    assert page.is_visible("#kept")
    assert page.input_value("#statement") == WORDS
    assert page.is_checked("input[value=exchange]")
    assert not page.is_checked("input[value=return]")
    page.click("[data-discard]")
    page.wait_for_function("document.querySelector('#statement').value === ''")
    assert kept(page) is None
    assert not page.is_visible("#kept")


def test_the_counter_counts_as_the_server_does(visit: Visit) -> None:
    page = visit()
    page.goto("/")
    page.fill("#statement", "😀" * 3)
    count = page.locator("[data-count-for=statement]")
    assert count.inner_text() == "3 of 20,000 characters"
    page.fill("#statement", "😀" * 20_001)
    assert "over" in (count.get_attribute("class") or "")


def test_the_keyboard_is_enough(visit: Visit) -> None:
    page = visit()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.locator(".skip:focus").count() == 1
    page.keyboard.press("Enter")
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement.name || document.activeElement.tagName"
        )
        reached.append(name)
        if name == "statement":
            page.keyboard.type("It leaks.")
        elif name == "contact.email":
            page.keyboard.type("ada@example.org")
        elif name == "BUTTON":
            page.keyboard.press("Enter")
            break
    assert reached[0] == "statement"
    number_on(page)


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_pages_fit_and_every_field_has_a_name(
    visit: Visit, width: int, lang: str
) -> None:
    page = visit(width=width, lang=lang)
    for address in ("/", "/status", "/status?number=4837"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_attribute("html", "lang") == lang
        assert page.locator("h1").count() == 1
        nameless = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]),textarea,select')]"
            ".filter(field => !field.labels.length).map(field => field.name)"
        )
        assert nameless == []
        twice = page.evaluate(
            "(ids => ids.filter((id, at) => ids.indexOf(id) !== at))"
            "([...document.querySelectorAll('[id]')].map(each => each.id))"
        )
        assert twice == []


def test_paper_shows_the_receipt_alone(visit: Visit) -> None:
    page = visit()
    page.goto("/")
    fill(page)
    page.click(SEND)
    number = number_on(page)
    page.emulate_media(media="print")
    assert page.is_visible(f"text={number}")
    for gone in (".sections", ".actions", ".bottom"):
        assert page.locator(f"{gone}:visible").count() == 0


def test_paper_is_white_although_the_screen_is_dark(visit: Visit) -> None:
    page = visit(color_scheme="dark")
    page.goto("/")
    fill(page)
    page.click(SEND)
    number_on(page)
    page.emulate_media(media="print", color_scheme="dark")
    for part in ("body", ".sheet", ".notice"):
        ground = page.eval_on_selector(part, "e => getComputedStyle(e).backgroundColor")
        assert ground == "rgb(255, 255, 255)", part


def test_the_site_states_its_policy_itself(site: RunningAmends) -> None:
    policy = httpx.get(f"{site.url}/").headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
