"""`/import` in a real browser: dropped, mapped, checked, imported, corrected, dropped again."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.support.running import RunningAmends

    Visit = Callable[..., Page]

pytestmark = pytest.mark.browser

SECRET = "correct horse battery"  # noqa: S105 it opens nothing
TABLE = (
    "投诉编号,投诉日期,投诉渠道,投诉内容\n"
    "A1,2026-03-01,电话,水壶漏水。\n"
    "A2,31.3.2026,电话,水壶有异响。\n"
    "A3,2026-03-02,信鸽,一直没有送到。\n"
)
DROP = """([name, text]) => {
  const moved = new DataTransfer();
  moved.items.add(new File([text], name));
  document.dispatchEvent(new DragEvent("drop", {dataTransfer: moved, bubbles: true}));
}"""


@pytest.fixture(scope="module", autouse=True)
def administrator(site: RunningAmends) -> None:
    with site.client() as client:
        made = client.post(
            "/api/handling/users",
            json={
                "login": "ada",
                "name": "Ada Li",
                "role": "admin",
                "password": SECRET,
            },
        )
        assert made.is_success, made.text


def sign_in(page: Page) -> None:
    page.set_default_timeout(60_000)  # processes begin here; only a hang reaches it
    page.goto("/import")
    page.fill("#login", "ada")
    page.fill("#password", SECRET)
    page.click("main button")
    page.wait_for_selector("#file")


def drop(page: Page, name: str, text: str) -> None:
    """Drop a file on the page, once the page takes it."""
    page.wait_for_selector("[data-droppable]:not([hidden])")
    page.evaluate(DROP, [name, text])


def counts(page: Page) -> list[str]:
    """Wait for the end of an import and give what became of the rows."""
    page.wait_for_selector("h1:text-matches('^(Imported|已导入)$')")
    return [each.inner_text() for each in page.query_selector_all("dl.facts dd")]


def test_a_dropped_file_becomes_complaints_and_what_is_rejected_comes_back(
    visit: Visit, site: RunningAmends
) -> None:
    page = visit(lang="zh-CN")
    sign_in(page)
    drop(page, "list.csv", TABLE)
    page.wait_for_selector("select[name='word_channel']")
    page.select_option("#word-2", "letter")
    other = visit()  # another tab, another language
    page.click("button[value=check]")
    page.wait_for_selector("form[action$=start]")
    page.click("form[action$=start] button")
    assert counts(page) == ["3", "2", "0", "1"]
    sign_in(other)
    assert other.locator("td .chip").first.inner_text() == "Imported"

    with page.expect_download() as saved:
        page.click("a[href$='rejects.csv']")
    text = Path(saved.value.path()).read_text("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["投诉编号"] == "A2"
    assert "书写的日期" in row["原因"]

    page.goto("/import")
    drop(page, "again.csv", text.replace("31.3.2026", "2026-03-31"))
    page.wait_for_selector("button[value=check]")
    page.click("button[value=check]")
    page.click("form[action$=start] button")
    assert counts(page)[:2] == ["1", "1"]
    with site.client() as client:
        found = client.get("/api/intake/log").text
    assert found.count('"imported_from"') == len(TABLE.splitlines()) - 1


def test_without_scripts_on_a_phone_every_step_is_a_form(
    visit: Visit, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    file.write_text(TABLE.replace("A", "B").replace("31.3.2026", "2026-03-31"), "utf-8")
    page = visit(width=390, scripts=False)
    sign_in(page)
    page.set_input_files("#file", file)
    page.click("form[data-import] button")
    page.wait_for_selector("button[value=check]")  # the page looks again by itself
    page.click("button[value=check]")
    page.wait_for_selector("form[action$=start]")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == page.viewport_size["width"]  # type: ignore[index] it was set
    page.click("form[action$=start] button")
    assert counts(page)[:2] == ["3", "3"]
