"""Files in a real browser: chosen, sent in pieces, shown at the desk, never run."""

from __future__ import annotations

import io
import os
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple"  # noqa: S105 it opens a folder of the test
THERE = ".uploads li:has(input[name$=files])"
EVIL = b"<svg xmlns='http://www.w3.org/2000/svg' onload='parent.ran=1'/><script>ran=1</script>"
EVIL_NAME = "<img src=x onerror=ran=1>\u202egpj.svg"


def picture() -> bytes:
    content = io.BytesIO()
    image = Image.new("RGB", (900, 600), "#dfe7e4")
    ImageDraw.Draw(image).ellipse((250, 120, 650, 480), fill="#0b6e63")
    image.save(content, "PNG")
    return content.getvalue()


def chosen(*files: tuple[str, bytes]) -> list[dict[str, object]]:
    return [
        {"name": name, "mimeType": "text/html", "buffer": content}
        for name, content in files
    ]


def pictured(page: Page, name: str) -> None:
    """Keep a picture of the page where SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.click(button)


def sign_in(visit: Visit, site: RunningAmends, to: str, **how: object) -> Page:
    with site.client() as operator:
        operator.post(
            "/api/handling/users",
            json={
                "login": "files-ann",
                "name": "Ann Li",
                "role": "agent",
                "department": "front-office",
                "password": PASSWORD,
            },
        )
    page = visit(**how)
    page.goto(to)
    page.fill("[name=login]", "files-ann")
    page.fill("[name=password]", PASSWORD)
    press(page, "main button")
    return page


def case_of(site: RunningAmends, number: str) -> str:
    found: list[str] = []

    def known() -> bool:
        with site.client() as client:
            answer = client.get("/api/handling/cases", params={"q": number})
            found[:] = [row["case_id"] for row in answer.json()["rows"]]
        return bool(found)

    site.until(known, "handling has the case")
    return found[0]


@pytest.mark.parametrize(("width", "lang"), [(1280, "en"), (390, "zh-CN")])
def test_files_of_a_complaint_reach_the_desk_and_nothing_in_them_runs(
    visit: Visit, site: RunningAmends, width: int, lang: str
) -> None:
    page = visit(width=width, lang=lang)
    page.goto("/")
    page.fill("#statement", "The kettle leaks at its base. 水壶底部漏水。")
    page.fill("#contact-email", "ada@example.org")
    photo = picture()
    page.set_input_files("#files", chosen(("leak 漏水.png", photo)))
    page.locator(THERE).wait_for()
    assert sha256(photo).hexdigest()[:16] in page.inner_text(".uploads")
    page.set_input_files("#files", chosen((EVIL_NAME, EVIL)))
    page.locator(THERE).nth(1).wait_for()
    page.reload()  # the words and the files are still there
    page.locator(THERE).nth(1).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pictured(page, f"h1-form-{width}-{lang}")
    press(page, "#complaint > .actions button")
    number = "".join(re.findall(r"\d", page.locator("output").first.inner_text()))
    case = case_of(site, number)
    desk = sign_in(visit, site, f"/desk/cases/{case}", width=width, lang=lang)
    said = desk.inner_text(".words")
    for words in ("leak 漏水.png", "image/png", sha256(EVIL).hexdigest(), "text/plain"):
        assert words in said
    assert "\u202e" not in desk.content()
    small = desk.locator(".picture img")
    assert small.count() == 1
    small.scroll_into_view_if_needed()
    drawn = small.evaluate("each => each.decode().then(() => each.naturalWidth)")
    assert drawn == 480
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    pictured(desk, f"h1-desk-{width}-{lang}")
    with desk.expect_download() as kept:
        desk.get_by_role("link", name=re.compile("onerror")).click()
    assert Path(kept.value.path()).read_bytes() == EVIL
    assert desk.evaluate("typeof ran") == "undefined"


def test_an_upload_that_breaks_goes_on(visit: Visit) -> None:
    """The connection is lost in the middle: the rest is sent, not the whole."""
    page = visit()
    page.goto("/")
    sent: list[int] = []

    def break_once(route: object) -> None:
        sent.append(1)
        if len(sent) == 1:
            route.abort()  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route(
        "**/api/intake/uploads/*",
        lambda route: (
            break_once(route) if route.request.method == "PATCH" else route.continue_()
        ),
    )
    page.set_input_files("#files", chosen(("a.bin", b"x" * 3_000_000)))
    page.locator(THERE).wait_for()
    assert len(sent) >= 2
    assert sha256(b"x" * 3_000_000).hexdigest()[:16] in page.inner_text(".uploads")


def test_a_customer_adds_words_and_files_with_and_without_scripts(
    visit: Visit, site: RunningAmends
) -> None:
    page = visit(scripts=False, width=390, lang="zh-CN")
    page.goto("/")
    page.fill("#statement", "It hums.")
    page.fill("#contact-email", "ada@example.org")
    page.set_input_files("#files", chosen(("plain.txt", b"plain")))
    press(page, "#complaint > .actions button")
    number, code = (each.inner_text() for each in page.locator("output").all()[:2])
    case_of(site, "".join(re.findall(r"\d", number)))
    for scripts in (True, False):
        page = visit(scripts=scripts, width=390, lang="zh-CN")
        page.goto("/answer")
        page.fill("#number", number)
        page.fill("#code", code)
        press(page, "form[action='/answer'] button")
        page.fill("#add-evidence-words", "It hums at night as well.")
        page.set_input_files("#add-evidence-files", chosen(("hum.txt", b"hum")))
        if scripts:
            page.locator(THERE).wait_for()
            pictured(page, "h1-answer-390-zh-CN")
        press(page, "#add-evidence .actions button")
        assert page.locator(".notice.good").count() == 1
