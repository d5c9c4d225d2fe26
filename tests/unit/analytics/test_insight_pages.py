"""`/insight` without a browser: the API's numbers, each leading to what it counts."""

from __future__ import annotations

import html
import json
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po
from fastapi import FastAPI

from events.vocabulary import Precision
from services.analytics.api.routes import analytics_router
from services.analytics.application.figures import FIGURES, Figures
from services.analytics.application.rebuilding import Progress, Rebuilder
from services.analytics.application.recording import record
from services.analytics.pages import (
    exports_router,
    insight_pages,
    insight_router,
)
from services.analytics.pages.contents import VIEWS
from services.analytics.pages.form import RESULTS
from services.analytics.pages.insight import FOLDER, Readers
from services.analytics.pages.words import WORDS
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.access import OPERATOR, Credential, OperatorTokens
from services.kernel.i18n import catalogue
from services.kernel.store.database import open_database
from services.kernel.web.pages import STRANGER, Viewer
from services.kernel.web.problems import install
from tests.support.asgi import ask
from tests.support.browsing import Browser
from tests.support.histories import Logged, happened, made_up_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import httpx
    from starlette.requests import Request

LOG = made_up_log(41, cases=150, events=700)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONE = "Asia/Shanghai"
READERS = Readers(frozenset({"agent", "department_head"}), frozenset({"agent"}))


class Whoever:
    """Makes every request the one of `role`; None is a stranger."""

    def __init__(self) -> None:
        self.role: str | None = "agent"

    async def viewer(self, _request: Request) -> Viewer:
        if self.role is None:
            return STRANGER
        return Viewer(Credential("user-1", self.role), "Lin Yan", "proof")


class House:
    """The pages and the API over one set of rows."""

    def __init__(self, folder: Path, log: Sequence[Logged]) -> None:
        self.database = open_database(
            f"sqlite:///{folder / 'rows.sqlite'}", schema="analytics"
        )
        store = SqlFactStore(self.database)
        with store.transaction() as tx:
            record(store.live, tx, [logged.entry for logged in log])
            store.live.note(tx, [Known(*logged[:2]) for logged in log])
            store.settle(tx)
        zone = ZoneInfo(ZONE)
        figures = Figures(store, zone)
        self.viewer = Whoever()
        pages = insight_pages(viewers=self.viewer, secret=b"s" * 32, time_zone=ZONE)
        self.app = FastAPI()
        install(self.app)
        self.app.include_router(
            exports_router(figures, pages, readers=READERS, now=lambda: NOW)
        )
        self.app.include_router(
            insight_router(figures, pages, readers=READERS, now=lambda: NOW)
        )
        self.app.include_router(
            analytics_router(
                figures,
                Rebuilder(_never),
                OperatorTokens({"token": OPERATOR}),
                zone=zone,
                clock=lambda: NOW,
            )
        )
        self.browser = Browser(self.app)

    def page(
        self, query: str = "", view: str = "", *, status: int = 200, **headers: str
    ) -> str:
        answer = self.get(f"/insight{view and f'/{view}'}?{query}", **headers)
        assert answer.status_code == status, answer.text
        return answer.text

    def get(self, address: str, **headers: str) -> httpx.Response:
        return self.browser.get(address, **headers)

    def api(self, figure: str, query: str) -> Any:
        answer = ask(
            self.app,
            "GET",
            f"/api/analytics/{figure}?{query}",
            headers={"Authorization": "Bearer token"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


async def _never(_report: Any) -> Progress:
    raise AssertionError


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, LOG)
    yield house
    house.database.close()


def tables(page: str) -> list[list[list[str]]]:
    """Give the text of every row of every table's body."""
    return [
        [
            [text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
        ]
        for body in re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    ]


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).strip()


def plots(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'data-plot="([^"]*)"', page)
    return [json.loads(html.unescape(each)) for each in found]


def links(page: str) -> list[tuple[str, str]]:
    """Give every number that leads to its list: address and number."""
    found = re.findall(r'<a href="(/insight/cases\?[^"]*)">([\d,]+)</a>', page)
    return [(html.unescape(href), number) for href, number in found]


@pytest.mark.parametrize(
    "query",
    [
        "period=month",
        "period=week&channel=web,-&as_of=500",
        "period=quarter&level=1&from=2025-03-01&to=2025-10-01",
        "period=year&product=-",
    ],
)
def test_the_tables_have_the_numbers_of_the_api(house: House, query: str) -> None:
    times, people = tables(house.page(query, "frequency"))
    counted = house.api("frequency", f"{query}&group_by=period")
    assert [row[:2] for row in times[::-1]] == [
        [row["period"], str(row["count"])] for row in counted["rows"]
    ]
    query = re.sub(r"period=\w+&?", "", query)
    counted = house.api("frequency", f"{query}&group_by=category")
    columns = ("count", "customers", "countermeasures")
    assert [row[1:4] for row in people[: len(counted["rows"])]] == [
        [str(row[each]) for each in columns] for row in counted["rows"]
    ]
    query += "&basis=found"
    [causes] = tables(house.page(query, "causes"))
    ranked = house.api("root-causes", query)
    assert [(row[0], int(row[1])) for row in causes] == [
        (
            "Not determined" if row["cause"] == "not_determined" else row["cause"],
            row["count"],
        )
        for row in ranked["rows"]
    ]
    assert [row[3] for row in causes] == [
        f"{100 * row['cumulative_share']:.1f}%" for row in ranked["rows"]
    ]


@pytest.mark.parametrize("query", ["", "channel=web,-&as_of=500"])
def test_a_figure_of_the_register_has_the_numbers_of_the_api(
    house: House, query: str
) -> None:
    table, *_ = tables(house.page(query, "departments"))
    told = house.api("backlog", f"group_by=department&{query}")
    ages = list(told["definition"]["columns"])
    assert [row[1:] for row in table] == [
        [str(row[age]) for age in ages] for row in told["rows"]
    ]
    plot, *_ = plots(house.page(query, "departments"))
    assert plot["series"][-1]["values"] == [row[ages[-1]] for row in told["rows"]]
    table, *_ = tables(house.page(query, "time"))
    assert [row[1] for row in table] == [str(told["total"][age]) for age in ages]


def test_the_overview_names_the_sources_that_are_silent(house: House) -> None:
    *_, silent = tables(house.page("as_of=9"))
    rows = house.api("coverage", "group_by=source&as_of=9")["rows"]
    assert len(silent) == sum(row["silent"] is True for row in rows) > 0


def test_a_split_table_and_its_plot_add_up_to_the_api(house: House) -> None:
    page = house.page("group_by=state&period=quarter&origin=live", "frequency")
    times, values, _ = tables(page)
    rows = house.api("frequency", "group_by=state&origin=live")["rows"]
    assert [int(row[1]) for row in values] == [row["count"] for row in rows]
    assert len(rows) > 8  # so that there are others
    for line in times:
        assert int(line[1]) == sum(map(int, line[2:]))
    by_period = house.api(
        "frequency", "group_by=state,period&period=quarter&origin=live"
    )["rows"]
    plot = plots(page)[0]
    drawn = dict(zip(plot["periods"], zip(*_values(plot), strict=True), strict=True))
    for label, counts in drawn.items():
        of_period = [row["count"] for row in by_period if row["period"] == label]
        assert sum(counts) == sum(of_period)
    assert [series["name"] for series in plot["series"]][-1] == "Others"


def _values(plot: dict[str, Any]) -> list[list[int]]:
    return [series["values"] for series in plot["series"]]


def test_a_plot_has_periods_without_a_complaint_too(house: House) -> None:
    page = house.page("period=day", "frequency")
    labels = plots(page)[0]["periods"]
    assert len(labels) > len(tables(page)[0])
    first, last = (datetime.fromisoformat(labels[at]) for at in (0, -1))
    assert len(labels) == (last - first).days + 1


@pytest.mark.parametrize(
    ("view", "query"),
    [
        *((view.name, "severity=-,minor") for view in VIEWS[1:]),
        ("frequency", "group_by=channel&period=year"),
        ("causes", "basis=found&level=1&as_of=650"),
    ],
)
def test_every_number_leads_to_exactly_the_complaints_that_it_counts(
    house: House, view: str, query: str
) -> None:
    found = sorted(dict(links(house.page(query, view))).items())
    assert len(found) > 2
    dice = random.Random(view)  # noqa: S311 - repeatable
    for address, number in dice.sample(found, min(12, len(found))):
        listed: list[str] = []
        following: str | None = address
        while following:
            page = house.get(following).text
            listed += re.findall(r"/desk/cases/([0-9a-f-]{36})", page)
            more = re.search(r'rel="next" href="([^"]*)"', page)
            following = html.unescape(more[1]) if more else None
        assert len(set(listed)) == int(number.replace(",", "")), address


FILE = re.compile(r'<a href="(/insight/[a-z-]+\.csv\?[^"]*)" download>CSV</a>')


def test_each_figure_leads_to_a_file_of_its_numbers(house: House) -> None:
    for view in VIEWS:
        name = "" if view is VIEWS[0] else view.name
        page = house.page("channel=web,phone&as_of=600&severity=-", name)
        shown = page.split("<section ")[1:]
        assert len(shown) == len(view.sections)
        for section, markup in zip(view.sections, shown, strict=True):
            found = FILE.findall(markup)
            assert len(found) == (1 if tables(markup) else 0)
            for href in found:
                text = house.get(html.unescape(href)).text
                assert "# Position,600" in text
                assert '# Only: Channel,"web, phone"' in text
                if section.drawing in {"bars", "stacked", "lines"}:
                    lines = text.split("\r\n\r\n" if "\r" in text else "\n\n")[0]
                    [table] = tables(markup)
                    assert len(lines.splitlines()) - 1 == len(table), section.key


DAYS = "from=2025-04-01&to=2025-06-30"


def earlier(number: float, previous: float, *, share: bool = False) -> str:
    """Write a count or a share as a page does, with its change and what it was."""
    if share:
        change, unit = round(100 * (number - previous), 1), " points"
        now, then = f"{100 * number:.1f}%", f"{100 * previous:.1f}%"
    else:
        change, unit = number - previous, ""
        now, then = f"{number:,}", f"{previous:,}"
    sign = "▲ +" if change > 0 else "▼ \N{MINUS SIGN}" if change < 0 else "±"
    return f"{now} {sign}{abs(change):g}{unit} {then} before"


def row_of(cells: Sequence[str]) -> list[str]:
    return [" ".join(cell.split()) for cell in cells]


@pytest.mark.parametrize("compare", ["previous", "last_year"])
def test_compared_numbers_are_those_of_the_api(house: House, compare: str) -> None:
    query = f"{DAYS}&compare={compare}"
    told = house.api("frequency", f"{query}&group_by=period")
    page = house.page(query, "frequency")
    times, people = tables(page)
    assert [row_of(row)[1] for row in times[::-1]] == [
        earlier(row["count"], row["previous"]["count"]) for row in told["rows"]
    ]
    told = house.api("frequency", f"{query}&group_by=category")
    for row, line in zip(people, told["rows"], strict=True):
        columns = ("count", "customers", "countermeasures")
        assert row_of(row)[1:4] == [
            earlier(line[each], line["previous"][each]) for each in columns
        ]
    counter = re.search(r'<li class="total">(.*?)</li>', page, re.DOTALL)
    assert counter
    lines = told["rows"]
    total = sum(row["count"] for row in lines)
    previous = sum(row["previous"]["count"] for row in lines)
    words = earlier(total, previous).split(" ", 1)
    assert row_of([text_of(counter[1])]) == [
        f"{words[0]} complaints received {words[1]}"
    ]
    told = house.api("root-causes", query)
    [causes] = tables(house.page(query, "causes"))
    for row, line in zip(causes, told["rows"], strict=True):
        assert row_of(row)[1] == earlier(line["count"], line["previous"]["count"])
        share = line["share"], line["previous"]["share"]
        if None not in share:
            assert row_of(row)[2] == earlier(*share, share=True)


def test_a_split_frequency_is_compared_too(house: House) -> None:
    query = f"{DAYS}&group_by=channel&compare=previous"
    times, values, _ = tables(house.page(f"{query}&period=month", "frequency"))
    rows = house.api("frequency", query)["rows"]
    assert [row_of(row)[1] for row in values] == [
        earlier(row["count"], row["previous"]["count"]) for row in rows
    ]
    by_month = house.api("frequency", f"{DAYS}&group_by=period&compare=previous")[
        "rows"
    ]
    assert [row_of(row)[1] for row in times[::-1]] == [
        earlier(row["count"], row["previous"]["count"]) for row in by_month
    ]


def test_the_overview_compares_by_itself_where_days_are_chosen(house: House) -> None:
    page = house.page(DAYS)
    assert tables(page) == tables(house.page(f"{DAYS}&compare=previous"))
    assert "Previous period, Jan 1, 2025 to Mar 31, 2025" in text_of(page)
    assert "compare=previous" in FILE.findall(page)[0]
    for plain in (house.page(), house.page(f"{DAYS}&compare=nothing")):
        assert 'class="earlier"' not in plain
        assert 'id="compared"' not in plain
    assert 'class="earlier"' not in house.page(DAYS, "frequency")
    last = house.page(f"{DAYS}&compare=last_year&lang=zh-CN")
    assert "2024年4月1日 至 2024年6月30日" in text_of(last)
    assert re.search(r'<option value="last_year" selected>去年同期<', last)


def test_without_days_only_periods_are_compared_and_a_page_says_so(
    house: House,
) -> None:
    page = house.page("compare=previous", "appeals")
    assert "Only periods are compared" in page
    whole, over_time, *_ = page.split("<section ")[1:]
    assert 'class="earlier"' not in whole
    assert 'class="earlier"' in over_time


def test_what_was_before_leads_to_its_complaints(house: House) -> None:
    page = house.page(f"{DAYS}&compare=previous", "frequency")
    [href, number], *_ = re.findall(
        r'class="was"><a href="([^"]*)">([\d,]+)</a> before', page
    )
    listed = house.get(f"{html.unescape(href)}&limit=1000").text
    assert listed.count("/desk/cases/") == int(number)


def test_the_form_filters_by_results_and_by_what_was_taken_back(house: House) -> None:
    page = house.page("solved=no&appeal=-&origin=revoked")
    assert '<option value="no" selected>No</option>' in page
    assert '<option value="-" selected>No appeal</option>' in page
    taken_back = '<option value="revoked" selected>Taken back with its import</option>'
    assert taken_back in page
    results = re.compile(r"<details([^>]*)>\s*<summary>What became of them<")
    opened, closed = results.search(page), results.search(house.page("channel=web"))
    assert opened and closed  # noqa: PT018 both have it
    assert "open" in opened[1]
    assert "open" not in closed[1]
    assert "随导入撤销" in house.page("origin=revoked&lang=zh-CN")
    for name in RESULTS:
        assert f'<select id="{name}" name="{name}"' in page
        for value in (*RESULTS[name], "-"):
            house.page(f"{name}={value}", "frequency")


def test_names_and_periods_open_the_same_page_for_fewer(house: House) -> None:
    for view in ("frequency", "causes", "departments"):
        page = house.page("group_by=channel" if view == "frequency" else "", view)
        name, count = tables(page)[0][0][:2]
        link = re.compile(rf'<a href="(/insight/{view}\?[^"]*)">(.*?)</a>')
        [href] = {
            html.unescape(each)
            for each, said in link.findall(page)
            if html.unescape(said) == name
        }
        [first, *_] = tables(house.get(href).text)
        assert sum(int(row[1]) for row in first) == int(count), view


def test_a_script_gets_the_part_that_changes_and_a_clean_address(house: House) -> None:
    part = house.get("/insight?channel=web&product=&to=", hx_request="true")
    assert part.headers["hx-push-url"] == "/insight?channel=web"
    assert "<html" not in part.text
    assert "<form" not in part.text
    assert 'hx-swap-oob="innerHTML"' in part.text
    whole = house.page("channel=web")
    assert tables(part.text) == tables(whole)
    again = house.get(
        "/insight?channel=web", hx_request="true", hx_history_restore_request="true"
    )
    assert "<html" in again.text


def test_without_scripts_a_form_leads_to_the_clean_address(house: House) -> None:
    answer = house.get("/insight?channel=web&product=&to=&period=week")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/insight?channel=web&period=week"


def test_the_form_shows_what_the_address_asks(house: House) -> None:
    page = house.page(
        "period=week&channel=web,phone&category=quality&category=a&lot=L1"
    )
    assert '<option value="week" selected>' in page
    assert '<option value="web,phone" selected>Web form · Telephone</option>' in page
    assert 'name="category" value="quality"' in page
    for hidden in ('name="category" value="a"', 'name="lot" value="L1"'):
        assert f'<input type="hidden" {hidden}>' in page
    chips = re.findall(r'<span class="of">(.*?)</span> (.*?)</span>', page)
    assert chips == [
        ("Channel", "Web form · Telephone"),
        ("Category", "quality"),
        ("Category", "a"),
        ("Lot", "L1"),
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=2026-01-03&to=2026-01-01", "Exchange the two"),
        ("as_of=yesterday", "Write a day as 2026-01-31, a moment"),
        ("product=%3Cscript%3E", "Codes are letters"),
        ("sort=up", "sort: There is nothing of this name"),
        ("channel=telepathy", "Write one of: phone, email, "),
    ],
)
def test_a_fault_is_told_where_it_can_be_mended(
    house: House, query: str, told: str
) -> None:
    page = house.page(query, status=422)
    assert told in page
    assert 'id="ask"' in page
    assert "<script>" not in page
    part = house.page(query, status=422, hx_request="true")
    assert told in part
    chinese = house.page(f"{query}&lang=zh-CN", status=422)
    assert "无法统计" in chinese


def test_a_page_takes_one_split_and_known_periods(house: House) -> None:
    assert "given twice" in house.page(
        "group_by=state,channel", "frequency", status=422
    )
    page = house.page("period=hour", status=422)
    assert page.count("Write one of: day, week, month, quarter, year") == 1


@pytest.mark.parametrize("where", ["cases", "cases.csv", "backlog.xlsx"])
def test_lists_and_files_name_the_fault_of_an_address(house: House, where: str) -> None:
    page = house.page("state=bogus", where, status=422)
    assert "<li>state: Write one of: RECEIVED, " in page


def test_nothing_counted_is_said_and_what_to_do(house: House, tmp_path: Path) -> None:
    assert "Take a filter away" in house.page("product=nothing-has-this")
    (tmp_path / "empty").mkdir()
    new = House(tmp_path / "empty", [])
    assert "There is no complaint yet" in new.page()
    new.database.close()


def test_a_figure_that_counts_none_of_the_complaints_says_so(house: House) -> None:
    for view, query in (("time", "overdue=-"), ("departments", "state=CLOSED")):
        page = house.page(query, view)
        assert page.count("Nothing is to be shown here") == 1
        assert tables(page)  # the other figures of the page are there


def test_every_figure_says_of_which_state_and_what_it_counts(house: House) -> None:
    page = house.page("as_of=500&from=2025-01-01&origin=demo")
    figures = page.count('class="sheet figure"')
    assert figures == len(VIEWS[0].sections)
    assert page.count("As of position 500 of the record, known on") == figures
    assert page.count(f"of the time zone {ZONE}") == figures
    assert page.count("Received from <time") == figures
    assert "Origin: Demonstration" in page


def test_chinese_readers_read_chinese(house: House) -> None:
    page = house.page("basis=found&lang=zh-CN", "causes")
    assert '<html lang="zh-CN">' in page
    assert [row[0] for row in tables(page)[0] if "尚" in row[0]] == ["尚未查明"]
    page = house.page("group_by=channel&lang=zh-CN", "frequency")
    assert {"网页表单", "未说明"} & {each["name"] for each in plots(page)[0]["series"]}
    for view in VIEWS[1:]:
        page = house.page("lang=zh-CN", view.name)
        assert not re.search(r"Complaint|Share|Channel|Open|days", text_of(page))


def test_every_figure_and_column_has_its_words_in_both_languages() -> None:
    """Holds for every figure of the register, also for one that is added later."""
    with catalogue(FOLDER / "locale", "zh_CN").open("rb") as file:
        chinese = read_po(file)
    for figure in FIGURES.values():
        kinds = ["counts", "by", *(["out_of"] if figure.out_of else [])]
        said = {kind: WORDS[kind].get(figure.name) for kind in kinds}
        for column in figure.columns:
            columns = WORDS["column"]
            own = columns.get(f"{figure.name}.{column}")
            said[column] = own or columns.get(column)
        for name, words in said.items():
            assert words, (figure.name, name)
            assert chinese[words].string, words


def test_every_figure_of_the_register_stands_on_a_page() -> None:
    shown = {section.figure for view in VIEWS for section in view.sections}
    assert shown >= FIGURES.keys()
    for view in VIEWS:
        keys = [section.key for section in view.sections]
        assert len(set(keys)) == len(keys), view.name
        assert WORDS["view"][view.name]
        assert all(WORDS["section"][key] for key in keys)


def test_other_pages_and_days_keep_what_is_asked(house: House) -> None:
    page = house.page("channel=web&lot=L1&as_of=600&period=week", "frequency")
    here = dict(
        re.findall(r'<a href="(/insight[^"]*)"(?: aria-current="\w+")?>(.*?)</a>', page)
    )
    leads = {words: html.unescape(href) for href, words in here.items()}
    kept = "channel=web&lot=L1&as_of=600"
    assert leads["Causes"] == f"/insight/causes?{kept}"
    assert leads["Overview"] == f"/insight?{kept}&period=week"
    days = "from=2025-12-01&to=2025-12-31"
    assert leads["Last month"] == f"/insight/frequency?{kept}&period=week&{days}"
    chosen = house.page(f"{kept}&{days}", "frequency")
    assert re.search(r'aria-current="true">Last month<', chosen)
    part = house.page(f"{kept}&{days}", "frequency", hx_request="true")
    assert re.findall(r'id="(\w+)" hx-swap-oob="true"', part) == ["views", "spans"]
    assert re.search(r'aria-current="true">Last month<', part)


def test_units_see_figures_but_no_list_of_others_cases(house: House) -> None:
    listed = links(house.page())[0][0]
    house.viewer.role = "department_head"
    assert not links(house.page())
    assert tables(house.page())[0]
    refused = house.get(listed)
    assert refused.status_code == 403
    assert "Figures are for those" in refused.text


@pytest.mark.parametrize("role", ["admin", "channel"])
def test_who_handles_no_complaint_sees_no_figure(house: House, role: str) -> None:
    house.viewer.role = role
    house.page(status=403)


def test_a_stranger_signs_in_first_and_comes_back(house: House) -> None:
    house.viewer.role = None
    for address in ("/insight?channel=web", "/insight/cases"):
        answer = house.get(address)
        assert answer.status_code == 303
        assert (
            answer.headers["location"]
            == f"/access/login?{urlencode({'next': address}, safe='/')}"
        )


def test_a_list_says_what_it_holds_and_refuses_nonsense(house: House) -> None:
    page = house.get("/insight/cases?channel=web&from=2025-01-01&as_of=600").text
    assert "As of position 600" in page
    assert ("Channel", "Web form") in re.findall(
        r'<span class="of">(.*?)</span> (.*?)</span>', page
    )
    assert house.get("/insight/cases?channel=pigeon").status_code == 422
    assert "No complaint answers" in house.get("/insight/cases?product=none").text


def test_what_is_known_to_the_day_is_shown_without_an_hour(tmp_path: Path) -> None:
    received = [
        happened("ComplaintReceived", case, precision=precision)
        for case, precision in enumerate((Precision.INSTANT, Precision.DAY), start=1)
    ]
    house = House(
        tmp_path, [Logged(at, at, each) for at, each in enumerate(received, 1)]
    )
    shown = [row[1] for row in tables(house.get("/insight/cases").text)[0]]
    house.database.close()
    assert [bool(re.search(r"\d:\d\d", each)) for each in shown] == [True, False]


@pytest.mark.parametrize(("position", "beyond"), [("699", False), ("999999", True)])
def test_a_position_beyond_the_record_is_answered_as_the_present(
    house: House, position: str, beyond: bool
) -> None:
    asked = f"as_of={position}"
    assert ("this is the present" in house.page(asked)) is beyond
    assert house.api("backlog", asked)["beyond"] is beyond
