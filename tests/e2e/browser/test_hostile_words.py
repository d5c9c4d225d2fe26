"""Hostile words in every field that people fill act on nobody who reads them.

Public lists of attacks, and ours, go through the front door into statements, names,
numbers, notes and files' names; then the pages that show them are opened in Chromium.
The browser's conftest fails whatever breaks the content policy or asks elsewhere.
"""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing
LONGEST, LINE = 20_000, 200
OWN = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); //",
    "</textarea></title></style><svg onload=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}${7*7}<%= 7*7 %>{% raw %}",
    '=HYPERLINK("http://127.0.0.1:9/")',
    "\u202egnp.exe\u2066 zero\u200bwidth \ufeff",
]
RECORDER = """
window.acted = [];
for (const name of ["alert", "confirm", "prompt", "print", "open"])
  window[name] = () => { window.acted.push(name); };
"""
FOREIGN = """() => [...document.querySelectorAll("*")].filter(
  (each) => each.matches("iframe, object, embed, base, script:not([src]), meta[http-equiv]")
    || [...each.attributes].some((given) => given.name.startsWith("on"))
).map((each) => each.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def attacks(real_data: Path) -> list[str]:
    """Give every attack of the lists, none that a channel would refuse as no text."""
    folder = real_data / "badinput"
    purify = json.loads((folder / "html/dompurify-expect.json").read_text("utf-8"))
    values = json.loads((folder / "own/text_values.json").read_bytes())
    files = json.loads((folder / "own/filenames.json").read_bytes())
    lists = [
        line
        for path in sorted((folder / "patt").rglob("*.txt"))
        for line in path.read_text("utf-8", "replace").splitlines()
    ]
    found = [
        *OWN,
        *(case["payload"] for case in purify),
        *(row["value"] for row in values),
        *(row["name"] for row in files),
        *json.loads((folder / "blns/blns.json").read_text("utf-8")),
        *lists,
    ]
    return [text for text in found if isinstance(text, str) and _is_text(text)]


def _is_text(text: str) -> bool:
    surrogates = any("\ud800" <= character <= "\udfff" for character in text)
    return bool(text.strip()) and "\0" not in text and not surrogates


def statements(attacks: list[str]) -> list[str]:
    """Put all attacks into as few statements as hold them."""
    made, waiting = [""], [text[:LONGEST] for text in attacks]
    for text in waiting:
        if len(made[-1]) + len(text) + 1 > LONGEST:
            made.append("")
        made[-1] += f"{text}\n"
    return [text[:LONGEST] for text in made]


@pytest.fixture(scope="module")
def told(site: RunningAmends, attacks: list[str]) -> list[dict[str, str]]:
    """Give receipts of complaints and cases in whose every field an attack lies."""
    lines = itertools.cycle([text for text in attacks if len(text) <= LINE])
    chunks = statements(attacks)
    answer = httpx.post(
        f"{site.url}/api/intake/complaints:batch",
        content="\n".join(json.dumps(complaint(text, lines)) for text in chunks),
        headers={"Content-Type": "application/x-ndjson"},
        timeout=60,
    )
    receipts = [json.loads(line) for line in answer.text.splitlines()]
    refused = [each for each in receipts if each["status"] != 201]
    assert not refused, [each["errors"] for each in refused]
    agent, quality = (
        site.json("access", "token", "create", "--role", role, *place)["token"]
        for role, place in (("agent", ()), ("quality", ("--department", "quality")))
    )
    for receipt, text in zip(receipts, chunks, strict=True):
        site.until(lambda r=receipt: _is_there(site, r), "handling has the case")
        accept = {
            "complaint_class": "grievance",
            "category": "product/leak",
            "scope_kind": 1,
            "order_check": "found",
            "shipment_check": "found",
        }
        command(site, receipt, agent, "accept", accept)
        command(site, receipt, quality, "sign-for", {})
        found = {
            "findings": [{"statement": text}],
            "facts_match": "yes",
            "root_cause": {"path": "product/design", "confidence": "confirmed"},
            "responsible_unit": "production",
            "systemic": True,
        }
        command(site, receipt, quality, "investigate", found)
        settle = {
            "remedies": [{"kind": "repair"}],
            "proposal": text,
            "improvement": next(lines),
        }
        command(site, receipt, quality, "propose", settle)
    return receipts


def complaint(text: str, lines: Iterator[str]) -> dict[str, Any]:
    picture = base64.b64encode(b"<svg onload=alert(1) xmlns='x'></svg>").decode()
    return {
        "idempotency_key": str(uuid.uuid4()),  # noqa: TID251 a customer's own
        "channel": "web",
        "statement": text,
        "desired_outcome": text,
        "contact": {
            "name": next(lines),
            "customer_no": next(lines),
            "email": '"><script>alert(1)</script>"@example.org'.replace(" ", ""),
            "phone": "<script>alert(1)</script>1",
        },
        "product": {
            "model": next(lines),
            "serial": next(lines),
            "lot": next(lines),
        },
        "order_no": next(lines),
        "attachments": [
            {"name": next(lines), "media_type": "text/html", "content": picture}
        ],
    }


def _is_there(site: RunningAmends, receipt: dict[str, str]) -> bool:
    with site.client() as operator:
        case = operator.get(f"/api/handling/cases/{receipt['case_id']}")
        return bool(case.is_success)


def command(
    site: RunningAmends,
    receipt: dict[str, str],
    token: str,
    name: str,
    fields: dict[str, Any],
) -> None:
    answer = httpx.post(
        f"{site.url}/api/handling/cases/{receipt['case_id']}/commands/{name}",
        json=fields,
        headers={
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": str(uuid.uuid4()),  # noqa: TID251 a client's own
        },
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


@pytest.fixture
def reader(visit: Callable[..., Page]) -> Iterator[Callable[..., Page]]:
    """`reader(width=…)`: a page that notes what acts on it; nothing may."""
    dialogs: list[str] = []

    def come(**how: object) -> Page:
        page = visit(**how)
        page.add_init_script(RECORDER)
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        return page

    yield come
    assert dialogs == []


def harmless(page: Page) -> None:
    page.wait_for_load_state("load")
    assert page.evaluate("window.acted") == []
    assert page.evaluate(FOREIGN) == []


def test_no_word_acts_on_whoever_handles_the_case(
    site: RunningAmends,
    told: list[dict[str, str]],
    reader: Callable[..., Page],
    attacks: list[str],
) -> None:
    site.run(
        "access", "user", "create", "--login", "ann", "--name", OWN[0],
        "--role", "agent", "--department", "front-office", "--password-stdin",
        given=SECRET,
    )  # fmt: skip
    page = reader()
    page.goto("/access/login")
    page.fill("#login", "ann")
    page.fill("#password", SECRET)
    page.click("main form button")
    page.wait_for_url("**/desk*")
    harmless(page)
    seen = ""
    for receipt in told:
        page.goto(f"/desk/cases/{receipt['case_id']}")
        harmless(page)
        page.select_option("#purpose", "contact_customer")
        page.get_by_role("button", name="Show", exact=True).click()
        harmless(page)
        seen += page.text_content("main") or ""
    assert all(attack in seen for attack in OWN[:5]), "the words are shown, as words"
    for attack in [*OWN, *attacks[:: len(attacks) // 12]]:
        page.goto(str(httpx.URL("/desk", params={"q": attack, "state": attack})))
        harmless(page)


def test_no_word_acts_on_a_customer(
    told: list[dict[str, str]], reader: Callable[..., Page]
) -> None:
    page = reader(width=390, lang="zh-CN")
    receipt = told[0]
    page.goto(f"/status/{receipt['receipt_no']}")
    harmless(page)
    page.goto(str(httpx.URL("/status", params={"number": OWN[1]})))
    harmless(page)
    page.goto("/answer")
    page.fill("[name=number]", OWN[1])
    page.fill("[name=code]", OWN[1])
    page.click("main button")
    harmless(page)
    for attack in OWN[:4]:
        page.goto("/")
        for field in page.locator("main input[type=text], main textarea").all():
            if field.is_visible():
                field.fill(attack)
        with page.expect_navigation():
            page.evaluate("document.getElementById('complaint').submit()")
        assert page.locator("[aria-invalid=true]").count()
        harmless(page)
