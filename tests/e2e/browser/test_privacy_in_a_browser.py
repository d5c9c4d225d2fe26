"""The privacy officer before a browser: looks, holds, is refused, takes the zip, erases."""

from __future__ import annotations

import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.house import House

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing
WORD = {"en": "erase", "zh-CN": "删除"}
TOLD = {"en": "Your personal data was erased", "zh-CN": "您的个人信息已删除"}


def officer(site: RunningAmends, login: str) -> None:
    site.run(
        "access", "user", "create", "--login", login, "--name", "Lin Yan",
        "--role", "privacy_officer", "--password-stdin", given=SECRET,
    )  # fmt: skip


def declined(site: RunningAmends) -> str:
    """Have a complaint that has ended; gives its number."""
    house = House(site)
    with closing(house.http):
        receipt = house.received()
        done = house.command(
            receipt,
            "decline",
            {"reason": "not_a_complaint", "explanation": "Wang only asked."},
            by=house.by("agent", "front-office"),
        )
        assert done.is_success, done.text
    return receipt["receipt_no"]


def signed_in(page: Page, login: str) -> None:
    page.goto("/access/login")
    page.fill("[name=login]", login)
    page.fill("[name=password]", SECRET)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/access/privacy")


def walked(
    page: Page, number: str, lang: str, to: Path, shoot: Callable[[str], object]
) -> None:
    """Go the whole way with one person; `shoot` is told of every page worth seeing."""
    page.fill("[name=person]", "4837 2915 0062 7715")
    page.press("[name=person]", "Enter")
    assert page.locator("[name=person][aria-invalid]").count() == 1
    page.fill("[name=person]", number)
    page.press("[name=person]", "Enter")
    page.wait_for_url("**/access/privacy/people/*")
    shoot("person")
    with page.expect_download() as saved:
        page.click("form[action$='/export'] button")
    saved.value.save_as(to)
    with zipfile.ZipFile(to) as archive:
        assert archive.testzip() is None
        assert "person.json" in archive.namelist()

    page.select_option("[name=reason]", "legal_claim")
    page.fill("[name=until]", "2020-01-01")
    page.click("form[action$='/hold'] button")
    assert page.locator("[name=until][aria-invalid]").count() == 1
    page.fill("[name=until]", "2999-12-31")
    page.fill("[name=text]", "Wang sues us.")
    page.click("form[action$='/hold'] button")
    page.wait_for_url("**done=held")
    page.click("a[href$='/erase']")
    assert page.locator("[name=confirm]").count() == 0  # nothing to send while held
    shoot("held")
    page.goto("/access/privacy")
    assert page.locator("td time[datetime='2999-12-31']").count()  # the last day
    shoot("lists")
    page.click("td details summary")
    page.click("form[action$='/end'] button")
    page.wait_for_url("**done=ended")

    page.goto(f"/access/privacy?person={number}")
    page.click("a[href$='/erase']")
    page.check("[name=basis][value=request]")
    page.fill("[name=confirm]", "no")
    page.press("[name=confirm]", "Enter")
    assert page.locator("[name=confirm][aria-invalid]").count() == 1
    assert page.is_checked("[name=basis][value=request]")
    shoot("dry-run")
    page.fill("[name=confirm]", WORD[lang])
    page.press("[name=confirm]", "Enter")
    page.wait_for_url("**done=erased")
    assert page.locator("form[action$='/export'], [name=confirm]").count() == 0
    shoot("done")


@pytest.mark.parametrize(
    ("width", "lang", "scripts"), [(1280, "en", True), (390, "zh-CN", False)]
)
def test_the_officer_s_whole_way(
    site: RunningAmends,
    visit: Callable[..., Page],
    tmp_path: Path,
    width: int,
    lang: str,
    *,
    scripts: bool,
) -> None:
    login = f"lin{width}"
    officer(site, login)
    number = declined(site)
    page = visit(width=width, lang=lang, scripts=scripts)
    signed_in(page, login)
    wide: list[str] = []

    def look(name: str) -> None:
        if scripts and page.evaluate(
            "document.documentElement.scrollWidth > innerWidth"
        ):
            wide.append(name)

    walked(page, number, lang, tmp_path / "wang.zip", look)
    assert wide == []
    page.goto(f"/status/{number}")
    assert TOLD[lang] in page.content()
    page.goto("/desk/cases")  # no door of theirs
    assert page.locator("[name=q]").count() == 0
