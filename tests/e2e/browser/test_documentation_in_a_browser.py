"""`/docs` and `/asyncapi`, as those see them who write programs for amends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.browser


def watched(page: Page) -> list[str]:
    """Give what the console will say that is an error."""
    errors: list[str] = []
    page.on(
        "console",
        lambda said: errors.append(said.text) if said.type == "error" else None,
    )
    return errors


def test_every_operation_is_listed_and_one_is_tried_with_a_token(
    site: RunningAmends, visit: Callable[..., Page]
) -> None:
    page = visit()
    errors = watched(page)
    page.goto("/docs")
    page.wait_for_selector(".opblock")
    schema = httpx.get(f"{site.url}/api/openapi.json").json()
    operations = sum(len(methods) for methods in schema["paths"].values())
    assert page.locator(".opblock").count() == operations
    assert not errors

    token = site.json("access", "token", "create", "--role", "agent")["token"]
    page.click("button.authorize")
    page.fill(".auth-container input", token)
    page.click(".auth-btn-wrapper button.authorize")
    page.click("button.btn-done")
    queue = page.locator(".opblock", has_text="The queue: cases by filter").first
    queue.locator(".opblock-summary-control").click()
    queue.locator("button.try-out__btn").click()
    with page.expect_response("**/api/handling/cases*") as answered:
        queue.locator("button.execute").click()
    assert answered.value.status == 200
    assert "rows" in answered.value.json()


def test_a_message_is_shown_with_its_readers_and_its_fields(
    visit: Callable[..., Page],
) -> None:
    page = visit(width=390)
    errors = watched(page)
    page.goto("/asyncapi")
    page.click("nav >> text=Complaint accepted")
    section = page.locator("section", has=page.locator("#complaintaccepted"))
    said = section.inner_text()
    assert "amends.case.{partition}.ComplaintAccepted" in said
    assert "read by analytics, intake" in said
    assert "category" in said
    section.locator("summary").click()
    example = json.loads(section.locator("pre").inner_text())
    assert example["type"] == "ComplaintAccepted"
    assert "amends.ask.intake.access" in page.inner_text("section:has(#questions)")
    dead = page.evaluate(
        "[...document.querySelectorAll('main a[href^=\"#\"]')].map(each =>"
        " each.hash.slice(1)).filter(id => !document.getElementById(id))"
    )
    assert dead == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not errors

    chinese = visit(lang="zh-CN")
    chinese.goto("/asyncapi")
    assert chinese.inner_text("h1") == "总线消息"
    assert "投诉已受理" in chinese.inner_text("main")


def test_a_program_gets_the_document(site: RunningAmends) -> None:
    document = httpx.get(f"{site.url}/asyncapi.json")
    assert document.headers["content-type"] == "application/json"
    for accept in ("*/*", "application/json"):
        asked = httpx.get(f"{site.url}/asyncapi", headers={"Accept": accept})
        assert asked.json() == document.json()


def test_an_address_of_nothing_says_what_to_do(visit: Callable[..., Page]) -> None:
    page = visit(lang="zh-CN")
    answer = page.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    assert page.inner_text("h1") == "此处没有内容"
    page.click("text=返回首页")
    page.wait_for_url("**/")
