"""Hostile bytes in quarantine, looked at, tried again and let go in a real browser.

The browser's conftest fails whatever breaks the content policy or asks elsewhere.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest

from events import codec
from events.examples import EXAMPLES
from services.kernel.clock import system_clock
from services.kernel.store.application import open_store
from services.kernel.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing
PEOPLE = {"ann": "admin", "ida": "auditor"}
HOME = "/access/quarantine/handling"
OWN = (
    "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
    "</pre></main><iframe srcdoc='<script>parent.document.title=1</script>'></iframe>"
    "\u202egnp.exe\u2066 zero\u200bwidth \ufeff{{7*7}} [31m"
)
AT_ONCE = 30_000
"""Characters of one message, so that none is shown in part."""


@pytest.fixture(scope="module")
def hostile(real_data: Path) -> list[str]:
    """Give payloads of public lists, and ours, as the words of a few messages."""
    lists = sorted((real_data / "badinput/patt/xss").glob("*.txt"))
    purify = json.loads((real_data / "badinput/html/dompurify-expect.json").read_text())
    whole = "\n".join(
        [OWN]
        + [path.read_text("utf-8", "replace") for path in lists]
        + [case["payload"] for case in purify]
    )
    return [whole[at : at + AT_ONCE] for at in range(0, len(whole), AT_ONCE)]


@pytest.fixture(scope="module")
def ward(site: RunningAmends, hostile: list[str]) -> RunningAmends:
    """Give a running amends whose handling could take none of these messages."""
    for login, role in PEOPLE.items():
        site.run(
            "access", "user", "create", "--login", login, "--name", login.title(),
            "--role", role, "--password-stdin", given=SECRET,
        )  # fmt: skip
    site.stop()
    path = site.data / "intake" / "store.sqlite"
    database = open_database(f"sqlite:///{path}", schema="intake")
    store = open_store(database, name="intake", codec=codec, now=system_clock)
    whole = json.loads(codec.encode(EXAMPLES["ComplaintReceived"]))
    with database.write() as tx:
        store.put_bodies(tx, [_damaged(whole, words) for words in hostile])
    database.close()
    site.start()

    def all_there() -> bool:
        rows = site.json("quarantine", "list")["rows"]
        return len(rows) == len(hostile)

    site.until(all_there, "the messages in quarantine")
    return site


def _damaged(whole: dict[str, object], words: str) -> tuple[uuid.UUID, int, str, bytes]:
    case_id = uuid.uuid4()  # noqa: TID251 a case of nobody's
    body = {**whole, "case_id": str(case_id), "data": {"words": words}}
    text = json.dumps(body, ensure_ascii=False)
    return case_id, 1, "ComplaintReceived", text.encode("utf-8", "replace")


@pytest.fixture
def inside(
    ward: RunningAmends, visit: Callable[..., Page]
) -> Iterator[Callable[..., Page]]:
    """`inside("ann", width=…)`: the page of somebody who signed in; no dialog opens."""
    assert ward.url
    dialogs: list[str] = []

    def come_in(login: str, **how: object) -> Page:
        page = visit(**how)
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.goto("/access/login")
        page.fill("#login", login)
        page.fill("#password", SECRET)
        page.click("main form button")
        return page

    yield come_in
    assert dialogs == []


def test_no_byte_of_a_message_acts_on_whoever_opens_it(
    inside: Callable[..., Page], hostile: list[str]
) -> None:
    page = inside("ann")
    page.goto(HOME)
    targets = [link.get_attribute("href") for link in page.locator("tbody th a").all()]
    assert len(targets) == len(hostile)
    texts = []
    for target in targets:
        page.goto(str(target))
        page.select_option("#purpose", "repair")
        page.click("text=Show them")
        texts.append(page.inner_text("pre.bytes"))
        inner = page.evaluate(
            "[...document.querySelectorAll('pre.bytes *')].map(e => e.className)"
        )
        assert set(inner) <= {"unseen"}
        assert "amends" in page.title()
        assert page.locator("iframe, main img, main svg").count() == 0
    own = next(text for text in texts if "document.title" in text)
    assert "U+202E" in own
    assert "zeroU+200Bwidth" in own
    assert not set("\u202e\u2066\u200b\ufeff\x1b") & set("".join(texts))


def test_one_is_tried_again_and_let_go_by_the_keyboard(
    ward: RunningAmends, inside: Callable[..., Page], hostile: list[str]
) -> None:
    page = inside("ann")
    page.goto("/access")
    hint = page.locator("a:has-text('Look at the quarantine')")
    hint.wait_for()
    assert hint.count() == 1, "only handling holds something"
    hint.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{HOME}")
    page.locator("tbody th a").first.focus()
    page.keyboard.press("Enter")
    page.click("button:has-text('Try again')")
    assert "0 events were handled" in page.inner_text("[role=status]")
    page.locator("tbody th a").first.click()
    page.locator("text=Discard …").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/discard")
    assert len(ward.json("quarantine", "list")["rows"]) == len(hostile)
    page.locator("input[value=corrupt]").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**?done=discarded")
    assert len(ward.json("quarantine", "list")["rows"]) == len(hostile) - 1
    page.click("summary:has-text('was let go')")
    assert "It is damaged" in page.inner_text("details[open]")


def test_the_pages_fit_in_both_languages_and_auditors_only_look(
    inside: Callable[..., Page],
) -> None:
    for width, lang in ((320, "zh-CN"), (390, "en"), (1280, "en")):
        page = inside("ida", width=width, lang=lang)
        page.goto(HOME)
        assert page.locator("main form").count() == 0
        page.locator("tbody th a").first.click()
        page.wait_for_url(f"**{HOME}/*")
        assert page.locator("main form").count() == 0
        admin = inside("ann", width=width, lang=lang)
        for each, places in ((page, ("",)), (admin, ("", "/discard"))):
            for place in places:
                each.goto(page.url + place)
                wide = each.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, each.url
                assert each.locator("h1").count() == 1
                assert each.get_attribute("html", "lang") == lang
