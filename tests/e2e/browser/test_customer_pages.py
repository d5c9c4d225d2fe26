"""What a customer says to a decision, in a real browser: only what may be said now."""

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

ACCEPT = {
    "complaint_class": "grievance",
    "category": "product/leak",
    "scope_kind": 1,
    "order_check": "found",
    "shipment_check": "found",
}
FOUND = {
    "findings": [{"statement": "The seal is too short."}],
    "facts_match": "yes",
    "root_cause": {"path": "product/design", "confidence": "confirmed"},
    "responsible_unit": "production",
    "systemic": False,
}
SETTLE = {
    "remedies": [{"kind": "repair"}],
    "proposal": "Repair within three days.",
    "improvement": "A longer seal.",
}
LETTER = {"letter": "We repair it.", "outcome": "upheld", "medium": "email"}


class Staff:
    """Everybody who handles complaints, each with a token."""

    def __init__(self, site: RunningAmends) -> None:
        self._site = site
        self._tokens: dict[str, str] = {}

    def give(self, role: str, case_id: str, command: str, **fields: Any) -> None:
        answer = httpx.post(
            f"{self._site.url}/api/handling/cases/{case_id}/commands/{command}",
            json=fields,
            headers={"Authorization": f"Bearer {self._token(role)}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text

    def _token(self, role: str) -> str:
        if role not in self._tokens:
            unit = ["--department", "quality"] if role.startswith(("q", "dep")) else []
            made = self._site.json("access", "token", "create", "--role", role, *unit)
            self._tokens[role] = made["token"]
        return self._tokens[role]

    def decide(self, case_id: str) -> None:
        """Bring a new case to the decision."""
        self.give("agent", case_id, "accept", **ACCEPT)
        self.give("quality", case_id, "sign-for")
        self.give("quality", case_id, "investigate", **FOUND)
        self.give("quality", case_id, "propose", **SETTLE)
        self.give("department_head", case_id, "approve")
        self.give("agent", case_id, "issue", **LETTER)


@pytest.fixture(scope="module")
def staff(site: RunningAmends) -> Staff:
    return Staff(site)


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


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_from_the_decision_over_an_appeal(
    visit: Visit, site: RunningAmends, staff: Staff, scripts: bool
) -> None:
    receipt = received(site)
    staff.decide(receipt["case_id"])
    page = visit(scripts=scripts)
    enter(page, receipt)
    assert offered(page)[:2] == ["agree", "refuse"]
    press(page, "#agree button")
    assert "agreement" in page.inner_text(".notice.good")
    assert "Being put right" in page.inner_text(".chip")
    staff.give("agent", receipt["case_id"], "resolve", outcome="upheld")
    enter(page, receipt)
    page.check("#rate input[value='2']")
    page.fill("#rate textarea", "It drips again.")
    press(page, "#rate button")
    assert "Thank you" in page.inner_text(".notice.good")
    page.fill("#appeal-statement", "The seal broke.")
    press(page, "#appeal button")
    assert page.inner_text("#faults a") == "Please tick what you contest."
    assert page.input_value("#appeal-statement") == "The seal broke."
    page.check("#appeal input[value='remedy']")
    press(page, "#appeal button")
    assert "Under appeal" in page.inner_text(".chip")
    page.goto(f"/status/{receipt['receipt_no']}")
    site.until(
        lambda: bool(page.reload()) and page.inner_text(".state") == "Under appeal",
        "the customer sees the appeal",
    )


def test_a_withdrawal_needs_its_reason(visit: Visit, site: RunningAmends) -> None:
    receipt = received(site)
    page = visit(lang="zh-CN", width=390)
    enter(page, receipt)
    assert offered(page) == ["withdraw"]
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
    assert offered(page) == ["withdraw"]


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
