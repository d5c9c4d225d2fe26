"""An agent finds and reads what a customer wrote; an auditor finds that out, and is found."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing
PEOPLE = {"bo": "agent", "ida": "auditor"}
COMPLAINT = {
    "channel": "web",
    "statement": "It hums.",
    "contact": {"email": "wang@example.org"},
}


def sign_in(page: Page, login: str) -> Page:
    page.goto("/access/login")
    page.fill("#login", login)
    page.fill("#password", SECRET)
    page.click("main form button")
    return page


def test_an_auditor_finds_who_read_a_case_and_leaves_a_trace(
    site: RunningAmends, visit: Callable[..., Page]
) -> None:
    for login, role in PEOPLE.items():
        site.run(
            "access", "user", "create", "--login", login, "--name", login.title(),
            "--role", role, "--password-stdin", given=SECRET,
        )  # fmt: skip
    receipt = httpx.post(
        f"{site.url}/api/intake/complaints",
        json=COMPLAINT,
        headers={"Idempotency-Key": str(uuid.uuid4())},  # noqa: TID251 a customer's own
    ).json()
    place = f"/desk/cases/{receipt['case_id']}"
    assert site.json("audit", "readings")["rows"] == []

    agent = sign_in(visit(), "bo")

    def found() -> bool:
        agent.goto("/desk/cases")
        agent.keyboard.press("/")
        agent.keyboard.type("HUMS")
        agent.keyboard.press("Enter")
        agent.wait_for_url("**/desk/cases?q=HUMS*")
        agent.wait_for_load_state("networkidle")
        return agent.locator("[data-row]").count() == 1

    site.until(found, "the case by its words")

    def at_the_desk() -> bool:
        answer = agent.goto(place)
        return answer is not None and answer.ok

    site.until(at_the_desk, "the case at the desk")
    assert "It hums." in agent.inner_text("main")
    assert agent.locator("text=Who read them").count() == 0
    refused = agent.goto("/access/readings/intake")
    assert refused is not None
    assert refused.status == 403

    for width, lang in ((1280, "en"), (390, "en"), (320, "zh-CN")):
        page = sign_in(visit(width=width, lang=lang), "ida")
        page.goto(place)
        page.locator("a[href^='/access/readings/intake']").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/access/readings/intake?case_id=*")
        rows = page.locator("tbody tr").all_inner_texts()
        assert any("Bo" in row for row in rows)
        assert page.get_attribute("html", "lang") == lang
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("h1").count() == 1
        page.goto("/access/readings/handling?act=search")
        searched = page.locator("tbody tr").first.inner_text()
        assert "Bo" in searched
        assert "HUMS" not in page.content()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto("/access/readings/analytics")
        assert "operator" in page.locator("tbody tr").last.inner_text()

    told = site.json("audit", "readings", "--case", receipt["receipt_no"])
    assert {row["case_id"] for row in told["rows"]} == {receipt["case_id"]}
    assert {(row["role"], row["kind"]) for row in told["rows"]} >= {
        ("agent", "statement"),
        ("auditor", "access_log"),
    }
    shown = site.run("audit", "readings", "--limit", "1")
    assert "operator" in shown.stdout
    assert "earlier ones" in shown.stderr
