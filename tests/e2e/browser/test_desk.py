"""The desk in a real browser: particulars, the list and its filters, small screens."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple"  # noqa: S105 it opens a folder of the test
ONE_ROW = "#rows:not(:has([data-row] ~ [data-row])) [data-row]"
STATEMENT = "The washing machine leaks. 洗衣机漏水。"


@pytest.fixture(scope="module")
def ann(site: RunningAmends) -> None:
    with site.client() as operator:
        answer = operator.post(
            "/api/handling/users",
            json={
                "login": "desk-ann",
                "name": "Ann Li",
                "role": "agent",
                "department": "front-office",
                "password": PASSWORD,
            },
        )
        assert answer.status_code == 201, answer.text


def received(site: RunningAmends) -> dict[str, str]:
    """Hand a complaint in and wait until handling has its case."""
    receipt: dict[str, str] = httpx.post(
        f"{site.url}/api/intake/complaints",
        json={
            "channel": "web",
            "statement": STATEMENT,
            "contact": {"name": "Wang Fang", "phone": "+8613812345521"},
            "category": "product/leak",
            "demand": ["repair"],
        },
        headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
        timeout=30,
    ).json()
    with site.client() as operator:
        address = f"/api/handling/cases/{receipt['case_id']}"
        site.until(lambda: operator.get(address).is_success, "the case is there")
    return receipt


def sign_in(visit: Visit, to: str = "/desk", **how: Any) -> Page:
    page = visit(**how)
    page.goto(to)
    page.fill("[name=login]", "desk-ann")
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url(lambda url: "/access/login" not in url)
    return page


@pytest.mark.usefixtures("ann")
def test_particulars_are_shown_for_a_purpose(site: RunningAmends, visit: Visit) -> None:
    receipt = received(site)
    agent = sign_in(visit, to=f"/desk/cases/{receipt['case_id']}")
    assert "••••5521" in agent.inner_text("main")
    assert "13812345521" not in agent.content()
    agent.select_option("#purpose", "contact_customer")
    agent.get_by_role("button", name="Show", exact=True).click()
    assert "+8613812345521" in agent.inner_text("main")


@pytest.mark.usefixtures("ann")
def test_the_list_follows_its_filters_without_a_new_page(
    site: RunningAmends, visit: Visit
) -> None:
    receipt = received(site)
    agent = sign_in(visit, to="/desk/cases")
    agent.evaluate("window.same = true")
    agent.fill("[name=q]", receipt["receipt_no"])
    agent.press("[name=q]", "Enter")  # not before: every search is noted
    agent.wait_for_url(f"**/desk/cases?q={receipt['receipt_no']}")
    agent.locator(ONE_ROW).wait_for()
    agent.select_option("[name=state]", "CLOSED")
    agent.wait_for_url("**state=CLOSED*")
    agent.get_by_text("No case fits these filters.").wait_for()
    assert agent.evaluate("window.same") is True
    agent.go_back()
    agent.wait_for_url(f"**/desk/cases?q={receipt['receipt_no']}")
    agent.locator(ONE_ROW).wait_for()
    assert agent.input_value("[name=state]") == ""
    assert agent.input_value("[name=q]") == receipt["receipt_no"]


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(
    site: RunningAmends, visit: Visit, lang: str, width: int
) -> None:
    receipt = received(site)
    page = sign_in(visit, lang=lang, width=width)
    for address in ("/desk", "/desk/cases", f"/desk/cases/{receipt['case_id']}"):
        page.goto(address)
        assert page.evaluate("document.documentElement.lang") == lang
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, address
