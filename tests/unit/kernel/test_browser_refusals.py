"""What no page of ours refused is told to a browser as a page, to a program as a problem."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from services.kernel.access import Credential
from services.kernel.errors import UnavailableError
from services.kernel.web.edge import edge
from services.kernel.web.metrics import HttpMetrics, new_registry
from services.kernel.web.pages import Pages, Strangers, Viewer
from services.kernel.web.pages.multipart import FORM_LIMIT
from services.kernel.web.problems import install
from tests.support.browsing import Browser

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LIMIT = 100


class Somebody(Strangers):
    async def viewer(self, _request: Request) -> Viewer:
        return Viewer(Credential("ann", "agent"), "Ann Li", sections=("/desk",))


class Away(Strangers):
    async def viewer(self, _request: Request) -> Viewer:
        raise UnavailableError("probe.away", "Ask again.", retry_after=7)


def browser(folder: Path, viewers: Strangers | None = None) -> Browser:
    (folder / "templates").mkdir()
    pages = Pages(
        "probe",
        folder,
        viewers=viewers or Strangers(),
        secret=b"s" * 32,
        time_zone="UTC",
    )
    app = FastAPI()
    install(app)

    @app.post("/sent")
    async def sent(request: Request) -> int:
        return len(await request.body())

    @app.get("/away")
    def away() -> None:
        raise UnavailableError("probe.away", "Ask again.", retry_after=7)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError

    return Browser(edge(app, HttpMetrics(new_registry()), limit=LIMIT, pages=pages))


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nowhere", 404, "There is nothing here"),
        ("GET", "/sent", 405, "This address cannot be opened"),
        ("POST", "/sent", 413, "what you typed is still there"),
        ("GET", "/away", 503, "If it happens again"),
        ("GET", "/broken", 500, "Something failed here"),
    ],
)
def test_a_browser_is_told_in_words_and_a_program_in_codes(
    tmp_path: Path, method: str, path: str, status: int, said: str
) -> None:
    there = browser(tmp_path)
    body = b"a" * (LIMIT + 1) if method == "POST" else b""
    page = there.ask(method, path, content=body, headers=HTML)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert said in page.text
    program = there.ask(method, path, content=body)
    assert program.status_code == status
    assert program.headers["content-type"] == "application/problem+json"
    kept = ("allow", "connection", "retry-after")
    assert [page.headers.get(name) for name in kept] == [
        program.headers.get(name) for name in kept
    ]


def test_the_page_is_in_the_language_and_for_the_person_of_the_browser(
    tmp_path: Path,
) -> None:
    there = browser(tmp_path, Somebody())
    page = there.ask("GET", "/nowhere", headers={**HTML, "Accept-Language": "zh-CN"})
    assert "此处没有内容" in page.text
    assert "Ann Li" in page.text
    assert 'href="/desk"' in page.text


def test_too_many_bytes_of_files_are_told_as_files(tmp_path: Path) -> None:
    page = browser(tmp_path).ask(
        "POST",
        "/sent",
        content=b"a" * (FORM_LIMIT + 1),
        headers={**HTML, "Content-Type": "multipart/form-data; boundary=b"},
    )
    assert page.status_code == 413
    assert "The files together have more than 10 MB" in page.text


def test_the_zone_of_the_times_has_a_name_that_people_know(tmp_path: Path) -> None:
    there = browser(tmp_path, Somebody())
    assert "Times of day: UTC<" in there.ask("GET", "/nowhere", headers=HTML).text


def test_who_cannot_be_known_now_is_told_as_a_stranger(tmp_path: Path) -> None:
    page = browser(tmp_path, Away()).ask("GET", "/nowhere", headers=HTML)
    assert page.status_code == 404
    assert "There is nothing here" in page.text


def test_the_interfaces_of_programs_answer_everybody_alike(tmp_path: Path) -> None:
    answer = browser(tmp_path).ask("GET", "/api/nowhere", headers=HTML)
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_is_no_refusal_goes_through(tmp_path: Path) -> None:
    answer = browser(tmp_path).ask("POST", "/sent", content=b"abc", headers=HTML)
    assert (answer.status_code, answer.json()) == (200, 3)
