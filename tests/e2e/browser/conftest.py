"""Chromium before a running amends: `visit(width=390, lang="zh-CN")` opens a browser.

Every page is watched: a script error, a broken content policy, an address of another
machine fails the test that opened it.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.running import RunningAmends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 20_000  # milliseconds; only a hang reaches it


# A module long, no longer: while it runs playwright keeps an event loop in this thread,
# and no other test could run one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: pages were NOT tried in a browser"
    )
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium: pages were NOT tried in a browser; install chromium")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAmends]:
    """Give one amends for all tests of a file that only add to it."""
    assert chromium.is_connected()  # asked for first: without it nothing is started
    running = RunningAmends(
        tmp_path_factory.mktemp("site") / "data",
        {"AMENDS_TIME_ZONE": "Asia/Shanghai"},
        forked=True,
    )
    running.start()
    yield running
    running.end()


@pytest.fixture
def visit(chromium: Browser, site: RunningAmends) -> Iterator[Callable[..., Page]]:
    """`visit(width=…, lang=…, scripts=…)`: the page of a browser with no history."""
    faults: list[str] = []
    with ExitStack() as opened:

        def open_page(
            *, width: int = 1280, lang: str = "en", scripts: bool = True, **how: Any
        ) -> Page:
            context = chromium.new_context(
                base_url=site.url,
                viewport={"width": width, "height": 844},
                locale=lang,
                java_script_enabled=scripts,
                **how,
            )
            opened.callback(context.close)
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.extend(_broken(said.text)))
            page.on("request", lambda asked: faults.extend(_foreign(site, asked.url)))
            return page

        yield open_page
    assert not faults


def _broken(said: str) -> list[str]:
    return [said] if "Content Security Policy" in said else []


def _foreign(site: RunningAmends, url: str) -> list[str]:
    own = url.startswith((site.url, "data:", "blob:"))
    return [] if own else [f"asked another machine: {url}"]
