"""The page for imports: a file is read, mapped, checked, stopped, gone on with, removed.

What a process does is done here, but where its life is tried; what is sent is tried in
a browser.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
import time
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest
from fastapi import FastAPI

from services.intake.importing import child
from services.intake.importing.jobs import Jobs, Stage, Work
from services.intake.importing.mapping_file import toml_of, values_of
from services.intake.importing.running import load_mapping, mapping_of, own_formats
from services.intake.pages.customers import intake_pages
from services.intake.pages.imports import router
from services.kernel.access import Credential
from services.kernel.clock import system_clock
from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.web.edge import edge
from services.kernel.web.metrics import HttpMetrics, new_registry
from services.kernel.web.pages import STRANGER, Viewer
from services.kernel.web.problems import install
from tests.support.browsing import Browser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from uuid import UUID

    import httpx
    from starlette.requests import Request

CSRF = "c" * 43
PATIENCE = 60.0  # seconds; only a hang reaches it
LIMIT = 1024**2
TABLE = (
    "Our list,,\n"
    "Complaint No,Date received,Channel,Description\n"
    "1,2026-03-01,phone,It leaks.\n"
    "2,31.3.2026,phone,It hums.\n"
    "3,2026-03-02,pigeon,It rattles.\n"
    "6.22E+17,2026-03-03,phone,It smells.\n"
)


class BySomebody:
    """Believes the role that the browser names."""

    async def viewer(self, request: Request) -> Viewer:
        role = request.headers.get("role")
        if role is None:
            return STRANGER
        return Viewer(Credential(f"{role}-1", role), csrf=CSRF)


class Desk:
    """An administrator before the page."""

    def __init__(
        self, folder: Path, *, demonstration: bool = False, **more: Any
    ) -> None:
        self.imports = imports(folder, **{"run": here, **more})
        pages = intake_pages(
            viewers=BySomebody(),
            secret=b"s" * 32,
            time_zone="UTC",
            demonstration=demonstration,
        )
        app = FastAPI()
        app.include_router(router(self.imports, pages, zone="Asia/Shanghai"))
        install(app)
        self.browser = Browser(edge(app, HttpMetrics(new_registry())))

    def page(self, path: str = "", *, role: str = "admin", **headers: str) -> str:
        answer = self.browser.get(f"/import{path}", role=role, **headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, path: str, fields: Any = (), **headers: str) -> httpx.Response:
        given = {"csrf": CSRF, **dict(fields)}
        return self.browser.post(
            f"/import{path}", given, **{"role": "admin", **headers}
        )

    def drop(self, name: str, content: bytes, *, csrf: str = CSRF) -> httpx.Response:
        return self.browser.ask(
            "POST",
            "/import",
            data={"csrf": csrf},
            files={"file": (name, content)},
            headers={"role": "admin"},
        )

    def read(self, name: str, content: bytes) -> UUID:
        """Hand a file in and wait until it is read; give its import."""
        answer = self.drop(name, content)
        assert answer.status_code == 303, answer.text
        (job,) = [each for each in self.imports.all() if each.about["name"] == name]
        assert answer.headers["location"] == f"/import/{job.job_id}"
        return self.waited(job.job_id)

    def waited(self, job_id: UUID) -> UUID:
        wait(self.imports, job_id)
        return job_id


def here(folder: Path, told: Mapping[str, Any], _lock: int) -> None:
    child.work(folder, told)


def imports(folder: Path, **more: Any) -> Jobs:
    given = {
        "limit": LIMIT,
        "kept": dt.timedelta(hours=24),
        "addresses": {},
        "token": lambda _actor, _until: "none",
        "departments": ("external",),
        "now": system_clock,
    }
    return Jobs(folder / "imports", **{**given, **more})


def wait(jobs: Jobs, job_id: UUID) -> None:
    end = time.monotonic() + PATIENCE
    while jobs.find(job_id).stage is Stage.WORKING:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.imports.close()


def chosen(page: str) -> dict[str, str]:
    """Give the chosen option of every select box of the columns."""
    found = {}
    for name, options in re.findall(
        r'<select id="[^"]*" name="column\.([^"]*)".*?>(.*?)</select>', page, re.DOTALL
    ):
        pick = re.search(r'value="([^"]*)" selected', options)
        found[name] = pick[1] if pick else ""
    return found


def columns(page: str) -> dict[str, Any]:
    given: dict[str, Any] = {f"column.{k}": v for k, v in chosen(page).items()}
    given["zone"] = "Asia/Shanghai"
    return given


def test_a_file_is_read_mapped_and_checked_and_its_faults_come_back(
    desk: Desk,
) -> None:
    job = desk.read("list.csv", TABLE.encode("utf-16"))
    page = desk.page(f"/{job}")
    assert "UTF-16" in page
    assert "title rows above it, passed over: 1" in page
    assert "6.22E+17, which a spreadsheet has rounded" in page
    assert "pigeon in the column Channel is none of our channels" in page
    taken = chosen(page)
    assert (taken["key"], taken["channel"]) == ("Complaint No", "Channel")
    assert taken["contact.name"] == ""

    words = {"word": ["phone", "pigeon"], "word_channel": ["phone", "letter"]}
    form = {**columns(page), **words, "do": "check", "dates": "YYYY-MM-DD"}
    assert desk.send(f"/{job}/columns", form).headers["location"] == f"/import/{job}"
    desk.waited(job)
    page = desk.page(f"/{job}")
    assert "Import 2 complaints" in page
    assert "Date received is no day written as YYYY-MM-DD" in page
    assert "It leaks." in page  # the first rows as complaints
    assert "Letter" in page

    answer = desk.browser.get(f"/import/{job}/rejects.csv", role="admin")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[0] for row in rows] == ["line", "4", "6"]
    answer = desk.browser.get(f"/import/{job}/rejects.xlsx", role="admin")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert [[str(cell) for cell in row] for row in book.active.values] == rows

    chinese = desk.page(f"/{job}?lang=zh-CN&step=columns")
    assert "各列分别是什么" in chinese


def test_words_that_are_left_out_and_a_file_that_came_before_are_told(
    desk: Desk,
) -> None:
    job = desk.read("list.csv", TABLE.encode())
    desk.send(f"/{job}/columns", {**columns(desk.page(f"/{job}")), "do": "check"})
    desk.waited(job)
    page = desk.page(f"/{job}")
    assert "Words for channels that are none of ours" in page
    assert "<bdi>pigeon</bdi>: rows: 1" in page
    folder = desk.imports._folder / str(job)
    outcome = json.loads((folder / "outcome.json").read_bytes())
    before = {"batch": "old", "format": "shop", "cases": 3, "revoked": 2}
    (folder / "outcome.json").write_text(json.dumps({**outcome, "before": before}))
    page = desk.page(f"/{job}")
    assert "imported before: old (shop) brought 3 complaints" in page
    assert "<code>amends import --reinstate old</code>" in page


def test_a_demonstration_offers_no_import_and_takes_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path, demonstration=True)
    page = desk.page()
    assert "This folder holds a demonstration" in page
    assert 'type="file"' not in page
    answer = desk.drop("list.csv", TABLE.encode())
    assert answer.status_code == 409
    assert desk.imports.all() == []


def test_the_reasons_are_told_in_the_language_of_who_asked(desk: Desk) -> None:
    job = desk.read("list.csv", TABLE.encode())
    form = {**columns(desk.page(f"/{job}")), "do": "check", "dates": "YYYY-MM-DD"}
    desk.send(f"/{job}/columns", form, accept_language="zh-CN")
    desk.waited(job)
    assert "不是按 YYYY-MM-DD 书写的日期" in desk.page(f"/{job}")


def test_another_column_for_channels_is_shown_before_anything_is_checked(
    desk: Desk,
) -> None:
    """Its words are others, and a person must have seen what they are taken for."""
    job = desk.read("list.csv", TABLE.encode())
    form = columns(desk.page(f"/{job}"))
    answer = desk.send(
        f"/{job}/columns", {**form, "column.channel": "Description", "do": "check"}
    )
    assert answer.headers["location"].endswith("?step=columns")
    page = desk.page(f"/{job}?step=columns")
    assert chosen(page)["channel"] == "Description"
    assert 'name="word" value="It hums."' in page


def test_a_format_that_fits_is_offered_and_a_mapping_file_makes_the_round(
    desk: Desk,
) -> None:
    mapping = load_mapping("ctinsurance")
    header = ",".join(f'"{each}"' for each in mapping.columns(history=True))
    job = desk.read("ct.csv", f"{header}\n".encode())
    page = desk.page(f"/{job}")
    assert '<option value="ctinsurance" selected' in page
    assert "This file has the columns of ctinsurance" in page
    assert 'name="history"' in page
    kept = desk.browser.get(f"/import/{job}/mapping.toml", role="admin")
    assert mapping_of(kept.text) == mapping

    desk.send(f"/{job}/format", {"format": ""})
    assert 'name="history"' not in desk.page(f"/{job}")
    sent = desk.browser.ask(
        "POST", f"/import/{job}/format", data={"csrf": CSRF},
        files={"mapping": ("mine.toml", kept.content)}, headers={"role": "admin"},
    )  # fmt: skip
    assert sent.status_code == 303
    assert 'name="history"' in desk.page(f"/{job}")
    wrong = desk.browser.ask(
        "POST", f"/import/{job}/format", data={"csrf": CSRF},
        files={"mapping": ("mine.toml", b"format = 1")}, headers={"role": "admin"},
    )  # fmt: skip
    assert wrong.status_code == 422
    assert "Correct the mapping file" in wrong.text


@pytest.mark.parametrize("name", list(own_formats()))
def test_a_mapping_is_written_as_it_was_read(name: str) -> None:
    mapping = load_mapping(name)
    assert mapping_of(toml_of(values_of(mapping))) == mapping


@pytest.mark.parametrize(
    ("name", "content", "status", "said"),
    [
        ("large.csv", b"a" * (LIMIT + 1), 413, "too large for this page"),
        ("empty.csv", b"", 422, "Choose a file that is not empty"),
    ],
    ids=["large", "empty"],
)
def test_what_cannot_be_kept_is_told_at_once_and_leaves_nothing(
    desk: Desk, name: str, content: bytes, status: int, said: str
) -> None:
    answer = desk.drop(name, content)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert list((desk.imports._folder).iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pdf", b"%PDF-1.7", "This is no table"),
        ("open.csv", b'No,Date\n1,"open\n', "is not CSV"),
        ("twice.csv", b"No,No\n1,2\n", "is named more than once"),
        ("latin.csv", "Number,Words\n1,Café\n".encode("latin-1"), "CSV UTF-8"),
        ("cut.gz", gzip.compress(b"No,Date\n" * 100)[:-9], "damaged"),
    ],
    ids=["pdf", "open quote", "column twice", "latin", "cut"],
)
def test_what_is_no_table_is_named_with_what_to_do(
    desk: Desk, name: str, content: bytes, said: str
) -> None:
    job = desk.read(name, content)
    page = desk.page(f"/{job}")
    assert "The file could not be read" in page
    assert said in page
    assert "Nothing was imported" in page


def test_gzip_that_becomes_absurdly_much_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.intake.importing import inspecting  # noqa: PLC0415 beside its limit

    file = desk.imports._folder / "bomb.gz"
    file.write_bytes(gzip.compress(b"a,b\n" * 1_000_000))
    inspecting.require_no_bomb(file)
    monkeypatch.setattr(inspecting, "_FREE", 1024**2)
    with pytest.raises(inspecting.MalformedError) as refused:
        inspecting.require_no_bomb(file)
    assert refused.value.code == "import.bomb"


def test_an_encoding_that_a_person_names_is_taken(desk: Desk) -> None:
    job = desk.read("latin.csv", "Number,Words\n1,Café\n".encode("latin-1"))
    desk.send(f"/{job}/read", {"encoding": "cp1252"})
    desk.waited(job)
    assert "Café" in desk.page(f"/{job}")


@pytest.mark.parametrize("role", ["agent", "auditor", "privacy_officer", "channel"])
def test_others_are_refused(desk: Desk, role: str) -> None:
    job = "01a203d3-bc5d-750f-8e21-a9054792b833"
    for path in ("", f"/{job}", f"/{job}/rejects.csv", f"/{job}/mapping.toml"):
        assert desk.browser.get(f"/import{path}", role=role).status_code == 403
    for path in ("", f"/{job}/start", f"/{job}/remove", f"/{job}/columns"):
        answer = desk.browser.post(f"/import{path}", {"csrf": CSRF}, role=role)
        assert answer.status_code == 403
    answer = desk.browser.get(f"/import/{job}")
    assert answer.headers["location"].startswith("/access/login")


def test_a_forged_form_leaves_no_file(desk: Desk) -> None:
    assert desk.drop("list.csv", TABLE.encode(), csrf="x" * 43).status_code == 403
    assert desk.imports.all() == []


def test_work_that_was_stopped_or_cut_short_is_told_and_done_again(
    tmp_path: Path,
) -> None:
    """A process takes a while to begin: it is ended before it has an outcome."""
    desk = Desk(tmp_path, run=None)
    job = desk.read("list.csv", TABLE.encode())
    begin = {"actor": "admin-1", "locale": "en"}
    desk.imports.begin(job, Work.CHECK, **begin)
    with pytest.raises(RefusedError):
        desk.imports.begin(job, Work.CHECK, **begin)
    page = desk.page(f"/{job}")
    assert f'hx-get="/import/{job}/progress"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    desk.send(f"/{job}/stop")
    desk.waited(job)
    assert imports(tmp_path).find(job).stage is Stage.STOPPED

    desk.imports.begin(job, Work.CHECK, **begin)
    desk.imports.close()  # as at the end of amends
    again = imports(tmp_path)
    assert again.find(job).stage is Stage.CUT_SHORT
    again.begin(job, Work.CHECK, **begin)
    wait(again, job)
    assert again.find(job).stage is Stage.READY


def test_an_import_that_cannot_reach_amends_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is kept until every row has an answer, and the number stays the same."""
    monkeypatch.setattr("services.intake.importing.sending.FIRST_PAUSE", 0)
    nobody = "http://127.0.0.1:9"
    desk = Desk(tmp_path, addresses={"intake": nobody, "handling": nobody})
    job = desk.read("list.csv", TABLE.encode())
    desk.imports.begin(job, Work.IMPORT, actor="admin-1", locale="en")
    found = desk.imports.find(job)
    assert (found.stage, found.work) == (Stage.FAILED, Work.IMPORT)
    page = desk.page(f"/{job}")
    assert "amends did not answer" in page
    assert "Go on" in page
    desk.send(f"/{job}/start")
    assert desk.imports.find(job).about["batch"] == found.about["batch"]


def test_what_nobody_touches_is_removed_with_its_file(
    desk: Desk, tmp_path: Path
) -> None:
    job = desk.read("list.csv", TABLE.encode())
    assert desk.imports.sweep() == 0
    later = imports(tmp_path, now=lambda: system_clock() + dt.timedelta(hours=25))
    assert later.sweep() == 1
    with pytest.raises(NotFoundError):
        desk.imports.find(job)
    assert list((tmp_path / "imports").iterdir()) == []
