"""A complaint over the desk in a real browser: agent, department, head, agent."""

from __future__ import annotations

import re
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
PEOPLE = {
    "desk-ann": ("Ann Li", "agent", "front-office"),
    "desk-han": ("Han Mei", "department_handler", "quality"),
    "desk-hedda": ("Hedda Wu", "department_head", "quality"),
}
ONE_ROW = "#rows:not(:has([data-row] ~ [data-row])) [data-row]"
STATEMENT = "The washing machine leaks. 洗衣机漏水。"


@pytest.fixture(scope="module")
def people(site: RunningAmends) -> None:
    with site.client() as operator:
        for login, (name, role, department) in PEOPLE.items():
            person = {
                "login": login,
                "name": name,
                "role": role,
                "department": department,
                "password": PASSWORD,
            }
            answer = operator.post("/api/handling/users", json=person)
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


def sign_in(visit: Visit, login: str, to: str = "/desk", **how: Any) -> Page:
    page = visit(**how)
    page.goto(to)
    page.fill("[name=login]", login)
    page.fill("[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url(lambda url: "/access/login" not in url)
    return page


def send(page: Page, command: str, *ticked: str, **given: str) -> None:
    """Fill in a form of the case as a person does: open it, choose, write, send."""
    offer = page.locator(f"#do-{command}")
    if offer.get_attribute("open") is None:
        offer.locator("> summary").click()
    for name, value in given.items():
        field = offer.locator(f"[name='{name.replace('__', '.')}']")
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    for name in ticked:
        offer.locator(f"[name='{name}']").check()
    offer.locator(".actions button").click()


def told(page: Page) -> str:
    return page.locator("[role=status], [role=alert]").first.inner_text()


@pytest.mark.usefixtures("people")
def test_a_complaint_goes_from_hand_to_hand(site: RunningAmends, visit: Visit) -> None:
    receipt = received(site)
    number = receipt["receipt_no"]
    case = f"/desk/cases/{receipt['case_id']}"

    agent = sign_in(visit, "desk-ann")
    agent.keyboard.press("/")
    agent.keyboard.type(number[-6:])
    agent.keyboard.press("Enter")
    agent.wait_for_url("**/desk/cases?q=*")
    agent.keyboard.press("j")
    agent.keyboard.press("Enter")
    agent.wait_for_url(f"**{case}")
    assert STATEMENT in agent.inner_text("main")
    accept = {
        "complaint_class": "claim",
        "scope_kind": "1",
        "order_check": "found",
        "shipment_check": "found",
    }
    send(agent, "accept", severity="minor", contract="Two years of warranty.", **accept)
    assert "By the rules it is graver than this." in told(agent)
    kept = agent.locator("#do-accept [name=contract]")
    assert kept.input_value() == "Two years of warranty."
    send(agent, "accept", severity="serious")
    assert "Done: Accept the complaint" in told(agent)
    assert agent.locator("#do-issue").count() == 0

    handler = sign_in(visit, "desk-han", lang="zh-CN", width=390)
    handler.locator(".counters a", has_text="待签收").click()
    handler.get_by_role("link", name=re.compile(f"{number[-4:]}$")).click()
    send(handler, "sign-for")
    assert "签收" in told(handler)
    send(
        handler,
        "investigate",
        findings__0="The seal is too short.",
        facts_match="yes",
        root_cause__path="seal/short",
        root_cause__confidence="confirmed",
        responsible_unit="production",
    )
    send(
        handler,
        "propose",
        remedies__0__kind="repair",
        proposal="Repair within three days.",
        improvement="A longer seal.",
    )
    assert "提出处理方案" in told(handler)
    assert handler.locator("#do-approve").count() == 0

    head = sign_in(visit, "desk-hedda", to=case)
    send(head, "approve")
    assert "Done: Approve the proposal" in told(head)

    agent.goto(case)
    send(agent, "issue", letter="Dear customer, …", outcome="upheld", medium="letter")
    assert "Done: Issue the decision" in told(agent)
    assert "Decision issued" in agent.locator(".head").inner_text()
    assert agent.locator(".timeline > li").count() == 8
    assert "Hedda Wu · Department head, Quality" in agent.inner_text(".timeline")


@pytest.mark.usefixtures("people")
def test_particulars_are_shown_for_a_purpose(site: RunningAmends, visit: Visit) -> None:
    receipt = received(site)
    agent = sign_in(visit, "desk-ann", to=f"/desk/cases/{receipt['case_id']}")
    assert "••••5521" in agent.inner_text("main")
    assert "13812345521" not in agent.content()
    agent.select_option("#purpose", "contact_customer")
    agent.get_by_role("button", name="Show", exact=True).click()
    assert "+8613812345521" in agent.inner_text("main")


@pytest.mark.usefixtures("people")
def test_the_list_follows_its_filters_without_a_new_page(
    site: RunningAmends, visit: Visit
) -> None:
    receipt = received(site)
    agent = sign_in(visit, "desk-ann", to="/desk/cases")
    agent.evaluate("window.same = true")
    agent.fill("[name=q]", receipt["receipt_no"])
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


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_hangs_over_the_edge(
    site: RunningAmends, visit: Visit, lang: str, width: int
) -> None:
    receipt = received(site)
    page = sign_in(visit, "desk-ann", lang=lang, width=width)
    for address in ("/desk", "/desk/cases", f"/desk/cases/{receipt['case_id']}"):
        page.goto(address)
        assert page.evaluate("document.documentElement.lang") == lang
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, address
