"""What a customer says to a decision, in a real browser: only what may be said now."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser


def received(site: RunningAmends) -> dict[str, str]:
    receipt: dict[str, str] = httpx.post(
        f"{site.url}/api/intake/complaints",
        json={
            "statement": "It leaks.",
            "contact": {"email": "ada@example.org"},
            "category": "product/leak",
            "desired_outcome": "Please repair it.",
        },
        headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 as a client does
    ).json()

    def known() -> bool:
        with site.client() as client:
            found = client.get(f"/api/handling/cases/{receipt['case_id']}")
            return found.is_success

    site.until(known, "handling has the case")
    return receipt


def enter(page: Page, receipt: dict[str, str], code: str | None = None) -> None:
    page.goto(f"/status/{receipt['receipt_no']}")
    page.click("main a[href^='/answer']")
    page.fill("#code", receipt["access_code"] if code is None else code)
    press(page, "form[action='/answer'] button")


def press(page: Page, button: str) -> None:
    """Click, and wait for the answer."""
    with page.expect_navigation():
        page.click(button)


def offered(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('main section')].map(each => each.id)"
    )
    return found


def test_a_withdrawal_needs_its_reason(visit: Visit, site: RunningAmends) -> None:
    receipt = received(site)
    page = visit(lang="zh-CN", width=390)
    enter(page, receipt)
    assert offered(page) == ["confirm-statement", "add-evidence", "withdraw"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    press(page, "#withdraw button")
    assert page.inner_text("#faults a") == "请选择理由。"
    page.select_option("#withdraw-reason", "solved_otherwise")
    press(page, "#withdraw button")
    assert page.inner_text(".chip") == "已撤回"
    assert offered(page) == []


def test_a_wrong_code_opens_nothing_and_is_not_in_the_address(
    visit: Visit, site: RunningAmends
) -> None:
    receipt = received(site)
    page = visit()
    enter(page, receipt, "2222-2222-2222")
    assert "do not belong together" in page.inner_text("#code-fault")
    assert offered(page) == []
    assert page.url == f"{site.url}/answer"
    page.fill("#code", receipt["access_code"].lower().replace("-", " "))
    press(page, "form[action='/answer'] button")
    assert offered(page) == ["confirm-statement", "add-evidence", "withdraw"]


def test_what_is_sent_twice_is_done_once(visit: Visit, site: RunningAmends) -> None:
    receipt = received(site)
    page = visit()
    enter(page, receipt)
    page.select_option("#withdraw-reason", "misunderstanding")
    press(page, "#withdraw button")
    page.reload()  # sends the form again
    assert "withdrawn" in page.inner_text(".notice.good")


def test_an_act_that_has_become_impossible_is_told_kindly(
    visit: Visit, site: RunningAmends
) -> None:
    receipt = received(site)
    page = visit()
    enter(page, receipt)
    late = page.context.new_page()
    enter(late, receipt)
    for each in (page, late):
        each.select_option("#withdraw-reason", "no_longer_wanted")
        press(each, "#withdraw button")
    told = late.inner_text("main")
    assert "Withdrawn" in told
    assert "case." not in told
