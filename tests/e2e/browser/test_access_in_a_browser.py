"""From nobody to an agent at work, in a real browser; and the pages fit and have names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing


@pytest.fixture
def house(chromium: Browser, amends: RunningAmends) -> RunningAmends:
    """Give a running amends that nobody administers yet."""
    assert chromium.is_connected()
    amends.start()
    return amends


@pytest.fixture
def before(chromium: Browser, house: RunningAmends) -> Iterator[Callable[..., Page]]:
    """`before(width=…, lang=…)`: a person before a browser of their own."""
    contexts = []

    def sit_down(*, width: int = 1280, lang: str = "en") -> Page:
        context = chromium.new_context(
            base_url=house.url, viewport={"width": width, "height": 844}, locale=lang
        )
        contexts.append(context)
        return context.new_page()

    yield sit_down
    for context in contexts:
        context.close()


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        if page.locator(f"select#{name}").count():
            page.select_option(f"#{name}", value)
        else:
            page.fill(f"#{name}", value)


def send(page: Page, form: str = "main form") -> None:
    page.click(f"{form} button:not(.quiet)")


def administer(page: Page, house: RunningAmends) -> None:
    page.goto(house.json("access", "admin-link")["url"])
    fill(page, name="Ann Li", login="ann", password=SECRET, again=SECRET)
    send(page)


def test_first_administrator_adds_an_agent_who_signs_in_and_later_leaves(
    house: RunningAmends, before: Callable[..., Page]
) -> None:
    ann, bo = before(), before()
    link = house.json("access", "admin-link")["url"]
    ann.goto(link)
    ann.goto(link)  # looking does not use it up
    administer(ann, house)
    assert "You are the administrator" in ann.inner_text("[role=status]")
    gone = bo.goto(link)
    assert gone is not None
    assert gone.status == 404

    ann.click("text=Add somebody")
    fill(ann, name="Bo Chen", login="bo", role="agent", password=SECRET)
    send(ann)
    assert ann.inner_text("h1") == "Bo Chen"
    actor = ann.inner_text("code")

    bo.goto("/access/password")
    assert "/access/login?next=" in bo.url
    fill(bo, login="bo", password=SECRET.upper())
    send(bo)
    assert "wrong" in bo.inner_text("#faults")
    fill(bo, password=SECRET)
    send(bo)
    assert bo.url.endswith("/access/password")
    assert "Front office agent" in bo.inner_text("main")
    assert bo.request.get("/api/handling/cases").status == 200
    assert bo.request.get("/api/handling/users").status == 403
    forbidden = bo.goto("/access/tokens")
    assert forbidden is not None
    assert forbidden.status == 403

    ann.click("summary")
    ann.click("text=Let them depart")
    assert "have ended" in ann.inner_text("[role=status]")
    bo.goto("/access/password")
    assert "/access/login" in bo.url
    rows = house.json("access", "user", "list")["rows"]
    assert [row["actor"] for row in rows if row["departed_at"]] == [actor]
    assert not re.search("Bo Chen|Ann Li|correct horse", house.log.read_text())


def test_a_page_of_another_site_can_send_nothing(
    house: RunningAmends, before: Callable[..., Page], tmp_path: Path
) -> None:
    ann = before()
    administer(ann, house)
    evil = tmp_path / "evil.html"
    evil.write_text(
        f'<form method="post" action="{house.url}/access/people/new">'
        '<input name="login" value="eve"><input name="name" value="Eve">'
        f'<input name="role" value="admin"><input name="password" value="{SECRET}">'
        "<button>A kitten</button></form>"
    )
    ann.goto(evil.as_uri())
    ann.click("button")
    ann.wait_for_load_state()
    assert ann.url.startswith(house.url)
    logins = [row["login"] for row in house.json("access", "user", "list")["rows"]]
    assert logins == ["ann"]


def test_the_pages_fit_and_every_field_has_a_name(
    house: RunningAmends, before: Callable[..., Page]
) -> None:
    administer(before(), house)
    house.run("access", "token", "create", "--role", "channel", "--channel", "phone")
    for width, lang in ((320, "zh-CN"), (320, "en"), (1280, "en")):
        page = before(width=width, lang=lang)
        page.goto("/access/login")
        fits(page, width)
        fill(page, login="ann", password=SECRET)
        send(page)
        with page.expect_navigation():
            page.click("main table a")
        fits(page, width)
        for place in PLACES:
            page.goto(f"/access{place}")
            assert page.get_attribute("html", "lang") == lang
            fits(page, width)


def fits(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert page.locator("h1").count() == 1
    nameless = page.evaluate(
        "[...document.querySelectorAll('input:not([type=hidden]),select')]"
        ".filter(field => !field.labels.length).map(field => field.name)"
    )
    assert nameless == []


PLACES = ("", "/people/new", "/tokens", "/tokens/new", "/password")


def test_the_keyboard_is_enough_to_sign_in(
    house: RunningAmends, before: Callable[..., Page]
) -> None:
    administer(before(), house)
    page = before()
    page.goto("/access/login")
    page.focus("#login")
    page.keyboard.type("ann")
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    page.wait_for_url("**/access")
    assert page.locator("h1").count() == 1
