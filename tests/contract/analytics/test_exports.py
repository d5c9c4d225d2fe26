"""Figures as files: the API's numbers, in the reader's language, for who may see them."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from fastapi import FastAPI

from services.analytics.api.routes import NOT_DETERMINED, analytics_router
from services.analytics.application import exporting
from services.analytics.application.exporting import EXPORTED
from services.analytics.application.figures import FIGURES, Figures
from services.analytics.application.rebuilding import Progress, Rebuilder
from services.analytics.application.recording import record
from services.analytics.application.words import named
from services.analytics.pages import exports_router, insight_pages
from services.analytics.pages.insight import Readers
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.access import OPERATOR, Credential, OperatorTokens
from services.kernel.clock import parse_rfc3339
from services.kernel.web.pages import STRANGER, Viewer
from services.kernel.web.problems import install
from tests.support.asgi import ask
from tests.support.histories import Logged, happened, made_up_log

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from starlette.requests import Request

    from services.analytics.application.figures import Figure
    from services.kernel.store.database import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = "Asia/Shanghai"
LOG = made_up_log(41, cases=120, events=600)
BY_DEPARTMENT = "backlog{}?group_by=department"


class Whoever:
    """Makes every request of a page the one of `role`; None is a stranger."""

    role: str | None = "agent"

    async def viewer(self, _request: Request) -> Viewer:
        if self.role is None:
            return STRANGER
        return Viewer(Credential("user-1", self.role), "Lin Yan", "proof")


class House:
    def __init__(self, database: Database) -> None:
        store = SqlFactStore(database)
        hostile = happened("ComplaintReceived", 999)
        product = hostile.data.product.model_copy(
            update={"lot": "=1+1", "model": "1E5"}
        )
        data = hostile.data.model_copy(update={"product": product})
        last = LOG[-1]
        log = [
            *LOG,
            Logged(
                last.position + 1,
                last.committed_at,
                hostile.model_copy(update={"data": data}),
            ),
        ]
        with store.transaction() as tx:
            record(store.live, tx, [logged.entry for logged in log])
            store.live.note(tx, [Known(*logged[:2]) for logged in log])
            store.settle(tx)
        zone = ZoneInfo(ZONE)
        self.figures = Figures(store, zone)
        self.viewer = Whoever()
        self.app = FastAPI()
        install(self.app)
        pages = insight_pages(viewers=self.viewer, secret=b"s" * 32, time_zone=ZONE)
        readers = Readers(frozenset({"agent", "handler"}), frozenset({"agent"}))
        self.app.include_router(
            exports_router(self.figures, pages, readers=readers, now=lambda: NOW)
        )
        tokens = {"token": OPERATOR, "clerk": Credential("clerk", "agent")}
        self.app.include_router(
            analytics_router(
                self.figures,
                Rebuilder(_never),
                OperatorTokens(tokens),
                zone=zone,
                clock=lambda: NOW,
            )
        )

    def get(self, path: str, status: int = 200, **headers: str) -> httpx.Response:
        answer = ask(self.app, "GET", path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    def api(self, path: str, status: int = 200, **headers: str) -> httpx.Response:
        bearer = {"Authorization": "Bearer token", **headers}
        return self.get(f"/api/analytics/{path}", status, **bearer)


async def _never(_report: Any) -> Progress:
    raise AssertionError


@pytest.fixture
def house(make_database: Callable[..., Database]) -> House:
    return House(make_database("analytics"))


def lines(answer: httpx.Response) -> tuple[list[list[str]], dict[str, str]]:
    """Give the table of a CSV file, headings first, and what it says of itself."""
    text = answer.content.decode("utf-8-sig")
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    about = {row[0][2:]: row[1] for row in rows if row[0].startswith("# ")}
    return rows[: len(rows) - len(about)], about


def test_a_file_has_the_numbers_of_the_answer(house: House) -> None:
    told = house.api(BY_DEPARTMENT.format("")).json()
    (headings, *rows), about = lines(house.api(BY_DEPARTMENT.format(".csv")))
    names = ["department", *told["definition"]["columns"]]
    assert headings[:3] == ["Department", "Open", "Under 1 day"]
    assert rows == [
        ["" if row[name] is None else str(row[name]) for name in names]
        for row in told["rows"]
    ]
    assert about["Position"] == str(told["position"])
    assert about["As known at"] == told["as_of"]
    assert about["Total: Open"] == str(told["total"]["open"])
    assert about["Only: Origin"] == "live, migration"
    assert about["Counted"] == "Every complaint that was open, once."


def test_a_share_is_a_percentage_of_what_the_file_names(house: House) -> None:
    address = "root-causes{}?basis=found&as_of=300"
    told = house.api(address.format("")).json()
    (headings, *rows), about = lines(house.api(address.format(".csv")))
    assert headings == [
        "Cause",
        "Complaints",
        "Customers",
        "Share (%)",
        "Cumulative share (%)",
    ]
    for row, answered in zip(rows, told["rows"], strict=True):
        assert float(row[3]) == pytest.approx(answered["share"] * 100, abs=1e-3)
    assert about["Shares"] == "Shares are of all complaints counted."
    assert about["Root causes"] == "As found"
    assert about["Total: Cumulative share"] == "100%"
    assert about["Position"] == "300"
    book = openpyxl.load_workbook(
        io.BytesIO(house.api(address.format(".xlsx")).content)
    )
    assert book.sheetnames == ["Root causes", "About"]
    assert book["Root causes"]["D2"].value == pytest.approx(
        told["rows"][0]["share"], abs=1e-6
    )
    assert book["Root causes"]["D2"].number_format == "0.0%"


@pytest.mark.parametrize("compare", ["", "previous"])
def test_the_columns_of_a_file_are_those_of_the_answer(
    house: House, compare: str
) -> None:
    """Holds for every figure of the register, also for one that is added later."""
    compared = 0
    for figure in FIGURES.values():
        query = ""
        if compare and "compare" not in figure.parameters:
            house.api(f"{figure.name}.csv?compare={compare}", 422)
            continue
        if compare:
            query = f"?compare={compare}&from=2025-03-01&to=2025-05-31"
        told = house.api(f"{figure.name}{query}").json()["rows"]
        assert told, figure.name
        (headings, *rows), about = lines(house.api(f"{figure.name}.csv{query}"))
        assert about.get("Compared with") == ("The time before" if compare else None)
        keys = columns(told[0])
        assert headings == [heading(figure, *key) for key in keys]
        assert len(set(headings)) == len(headings), figure.name
        for row, answered in zip(rows, told, strict=True):
            for cell, key in zip(row, keys, strict=True):
                value = written(figure, answered, *key)
                read = cell if isinstance(value, str) else float(cell)
                assert read == value, (figure.name, key)
        chinese, *_ = lines(
            house.api(f"{figure.name}.csv{query}", **{"Accept-Language": "zh-CN"})
        )[0]
        for said, word in zip(headings, chinese, strict=True):
            assert not re.search("[A-Za-z]", word), f"{said} is {word} in Chinese"
        compared += any(part == "change" for part, _ in keys)
    assert compared > 3 or not compare


def columns(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Name what a line of the API tells: now, before, and how much more it is."""
    now = [("", name) for name in row if name not in {"cases", "previous", "change"}]
    return now + [
        (part, name)
        for part in ("previous", "change")
        for name in row.get(part, {})
        if name != "cases"
    ]


def heading(figure: Figure, part: str, name: str) -> str:
    before = {"": "", "previous": "Before: ", "change": "Change: "}[part]
    unit = {"share": " (%)", "seconds": " (days)"}.get(figure.columns.get(name, ""), "")
    return f"{before}{named(name, str, figure.name)}{unit}"


def written(figure: Figure, row: dict[str, Any], part: str, name: str) -> Any:
    """Write what the API tells as CSV does; a number is about the number of the cell."""
    value = (row[part] if part else row)[name]
    kind = figure.columns.get(name)
    if value is None or value in NOT_DETERMINED.values():
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if kind == "instant":
        local = parse_rfc3339(value).astimezone(ZoneInfo(ZONE))
        return local.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, str):
        return value
    unit = {"share": 100, "seconds": 1 / 86_400}.get(kind or "", 1)
    return pytest.approx(value * unit, abs=1e-3)


def test_every_figure_comes_as_both_kinds(house: House) -> None:
    """Holds for every figure of the register, also for one that is added later."""
    for name in EXPORTED:
        answer = house.api(f"{name}.csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        (headings, *rows), about = lines(answer)
        assert rows, name
        assert all(len(row) == len(headings) for row in rows), name
        assert about["Position"] == str(len(LOG) + 1), name
        book = openpyxl.load_workbook(io.BytesIO(house.api(f"{name}.xlsx").content))
        assert book.worksheets[0].max_row == len(rows) + 1, name


def test_frequency_by_period_has_the_headings_of_the_reader(house: House) -> None:
    answer = house.api(
        "frequency.csv?group_by=channel,period&period=quarter",
        **{"Accept-Language": "zh-CN"},
    )
    (headings, *rows), about = lines(answer)
    assert headings == [
        "时期",
        "渠道",
        "投诉",
        "客户数",
        "有改善措施",
        "是否有改善措施",
    ]
    assert about["分组方式"] == "时期, 渠道"
    assert sum(int(row[2]) for row in rows) == int(about["合计: 投诉"])


def test_the_list_is_read_page_by_page_as_of_one_position(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 7)
    query = "as_of=400&channel=web,phone"
    told = house.api(f"cases?{query}&limit=1000").json()
    (headings, *rows), about = lines(house.api(f"cases.csv?{query}"))
    assert headings[:2] == ["Number", "Received"]
    assert [row[-1] for row in rows] == [case["case_id"] for case in told["rows"]]
    assert about["Position"] == "400"
    assert about["Total"] == str(len(rows)) == str(len(told["rows"]))
    assert len(rows) > 14, "three pages at least"


def test_a_hostile_code_is_text_and_a_number_stays_whole(house: House) -> None:
    (headings, *rows), _ = lines(house.api("cases.csv?product=1E5"))
    [row] = [dict(zip(headings, row, strict=True)) for row in rows]
    assert row["Lot"] == "'=1+1"
    assert row["Number"].count(" ") == 3, "spreadsheets round 16 digits in one piece"
    book = openpyxl.load_workbook(
        io.BytesIO(house.api("cases.xlsx?product=1E5").content)
    )
    sheet = book.worksheets[0]
    cells = dict(zip([c.value for c in sheet[1]], sheet[2], strict=True))
    assert (cells["Lot"].value, cells["Lot"].data_type) == ("=1+1", "s")
    assert (cells["Product"].value, cells["Product"].data_type) == ("1E5", "s")


def test_a_question_that_is_none_is_no_file(house: House) -> None:
    problem = house.api("backlog.csv?nope=1", 422).json()
    assert problem["code"] == "analytics.question"
    assert house.api("cases.xlsx?after=x", 422).json()["errors"][0]["field"] == "after"
    assert house.api("nothing.csv", 404).json()["code"] == "analytics.no_such_figure"


def test_who_signed_in_downloads_from_the_pages(house: House) -> None:
    chinese = {"Accept-Language": "zh-CN"}
    answer = house.get("/insight/backlog.csv?group_by=state&lang=&product=", **chinese)
    (headings, *rows), _ = lines(answer)
    assert headings[:2] == ["状态", "未结"]
    assert rows
    saved = answer.headers["content-disposition"]
    assert f'filename="backlog-{len(LOG) + 1}.csv"' in saved
    assert house.get("/insight/cases.xlsx").content.startswith(b"PK")


def test_a_unit_sees_figures_as_files_and_not_every_case(house: House) -> None:
    house.viewer.role = "handler"
    house.get("/insight/backlog.xlsx")
    house.get("/insight/cases.csv", 403)
    house.viewer.role = "privacy_officer"
    house.get("/insight/backlog.csv", 403)
    house.viewer.role = None
    assert "/access/login" in house.get("/insight/cases.csv", 303).headers["location"]
    house.get("/api/analytics/cases.csv", 401)
    house.get("/api/analytics/cases.csv", 403, Authorization="Bearer clerk")
