"""The documentation is complete, true to the code, and fetches nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from events.vocabulary import State
from services.intake.domain.submission import Submission
from services.kernel.measures import MEASURES
from tests.support.reference_pages import PAGES
from tests.support.running import RunningAmends

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RUNNERS = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}
PROGRAMS = [
    each
    for folder in ("follow", "submit")
    for each in sorted((DOCS / "how-to" / folder).iterdir())
    if each.suffix in RUNNERS
]
INCLUDE = re.compile(r'--8<-- "([^"]+)"')
LIKE_ONE = re.compile(r"\s*-+\s*8\s*<")  # also a damaged one
OUTSIDE_SCHEMA = {"GET /metrics", "GET /docs", "GET /asyncapi"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Fetched(HTMLParser):
    """Collects what a browser would load by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loads = given.get("rel") in {"stylesheet", "preconnect", "preload", "icon"}
        if tag == "link" and not loads:
            return
        if tag in {"link", "script", "img", "iframe", "source", "object"}:
            self.addresses |= {
                given[name] for name in ("src", "href", "data") if given.get(name)
            }


def test_no_page_loads_anything_from_elsewhere(site: Path):
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 10
    for page in pages:
        html = Fetched()
        html.feed(page.read_text())
        assert html.addresses, "the theme's own files, at least"
        outside = {a for a in html.addresses if re.match(r"(?:\w+:)?//", a)}
        assert not outside, page


def test_every_page_is_in_the_navigation():
    listed = re.findall(
        r"^ +- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE
    )
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert set(listed) == there


@pytest.mark.parametrize(
    "page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS))
)
def test_what_a_page_includes_is_there(page: Path):
    """A formatter can take an include for Python, and then nothing is included."""
    lines = [line for line in page.read_text().splitlines() if LIKE_ONE.match(line)]
    included = [INCLUDE.fullmatch(line) for line in lines]
    assert None not in included, lines
    assert [named[1] for named in included if not (ROOT / named[1]).is_file()] == []


@pytest.mark.parametrize(
    "program", PROGRAMS, ids=lambda each: f"{each.parent.name}-{each.name}"
)
def test_a_shown_program_says_how_it_is_called(program: Path):
    if shutil.which(RUNNERS[program.suffix]) is None:
        pytest.skip("no node here")
    done = subprocess.run(
        [RUNNERS[program.suffix], program],
        env={k: v for k, v in os.environ.items() if not k.endswith("_TOKEN")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "usage: " in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_generated_page_is_what_the_code_says(page: Path):
    assert page.read_text() == PAGES[page](), "run `make schemas`"


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [
        line for extra in project["optional-dependencies"].values() for line in extra
    ]
    names = {re.match(r"[A-Za-z0-9-]+", line)[0] for line in wanted} - {"amends"}
    table = (DOCS / "adr/0008-dependencies.md").read_text()
    first_column = " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    told = set(re.findall(r"[A-Za-z0-9-]+", first_column))
    assert names <= told


def test_the_glossary_knows_every_state():
    told = re.findall(
        r"^\| ([A-Z]+) \|", (DOCS / "glossary.md").read_text(), re.MULTILINE
    )
    assert set(told) == {state.name for state in State}


def told_of(page: str) -> set[str]:
    """Name the figures of ours on a page of `/metrics`."""
    ours = re.findall(r"^# TYPE (amends_\S+) ", page, re.MULTILINE)
    return {name for name in ours if not name.endswith("_created")}


@pytest.mark.e2e
def test_every_route_is_documented(tmp_path: Path):
    """`### GET /api/…` heads what the reference says of a route."""
    amends = RunningAmends(tmp_path / "data", forked=True)
    try:
        amends.start()
        with amends.client() as client:
            schema = client.get("/api/openapi.json").json()
            figures = client.get("/metrics").text
    finally:
        amends.end()
    served = {
        f"{method.upper()} {path}"
        for path, methods in schema["paths"].items()
        for method in methods
    }
    assert told_of(figures) == {each.name for each in MEASURES}
    page = (DOCS / "reference/http.md").read_text()
    told = set(re.findall(r"^### `([A-Z]+ /\S*)`$", page, re.MULTILINE))
    assert told - OUTSIDE_SCHEMA == served
    assert told >= OUTSIDE_SCHEMA


def test_the_complaint_that_the_reference_shows_is_one():
    page = (DOCS / "reference/http.md").read_text()
    shown = json.loads(
        re.search(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    )
    read = Submission.parse(shown, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert read.verifiable()


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
@pytest.mark.parametrize("address", ["amends", "ftp://amends", "http://a b"])
@pytest.mark.parametrize("folder", ["follow", "submit"])
def test_a_program_in_javascript_ends_at_once_at_what_is_no_address(
    folder: str, address: str, tmp_path: Path
):
    """It would ask for ever otherwise: nothing can be told from amends being away."""
    done = subprocess.run(
        ["node", DOCS / f"how-to/{folder}/over_http.mjs", address, "file", "key"],
        cwd=tmp_path,
        env={**os.environ, "FEED_TOKEN": "t", "CHANNEL_TOKEN": "t"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (1, 2)
    assert b"usage" in done.stderr or b"Invalid URL" in done.stderr


def test_the_proofs_that_the_guarantees_name_are_there():
    page = (DOCS / "explanation/guarantees.md").read_text()
    proofs = re.findall(r"`(tests/[^`]*)`", page)
    assert len(proofs) > 10
    assert [proof for proof in proofs if not (ROOT / proof).is_file()] == []
