"""Who read what, told to those who watch over it and to nobody else, on both databases."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from services.intake.pages.customers import intake_pages
from services.kernel.access import Credential, OperatorTokens
from services.kernel.clock import micros
from services.kernel.errors import MalformedError
from services.kernel.store.writer import Writer
from services.kernel.vault import Reading, Readings, Wanted, exported, searched
from services.kernel.web.pages import STRANGER, Viewer
from services.kernel.web.pages.readings import readings_pages
from services.kernel.web.problems import install
from services.kernel.web.readings_endpoint import AccessLog, readings_router
from tests.support.asgi import ask
from tests.support.browsing import Browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from services.kernel.store.database import Database

START = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
LATER = START + dt.timedelta(days=30)
ROLES = ("operator", "admin", "auditor", "agent", "lead", "quality", "channel")
TOKENS = OperatorTokens({role: Credential(f"{role}-1", role) for role in ROLES})
PAGE, API = "/access/readings/intake", "/api/intake/readings"


def reading(number: int, *, minute: int | None = None, **how: Any) -> Reading:
    at = START + dt.timedelta(minutes=number if minute is None else minute)
    given = {
        "read_at": at,
        "case_id": UUID(int=number % 3 + 1),
        "document_id": UUID(int=1000 + number),
        "kind": "particulars",
        "actor": "lin" if number % 2 else "bo",
        "role": "agent",
        "department": "front-office",
        "purpose": "case_work",
        **how,
    }
    return Reading(**given)


@pytest.fixture
def database(make_database: Callable[..., Database]) -> Database:
    return make_database("readings")


@pytest.fixture
def readings(database: Database) -> Readings:
    return Readings(database)


def walked(readings: Readings, wanted: Wanted, limit: int) -> list[Reading]:
    rows, cursor = list[Reading](), None
    while True:
        page = readings.page(wanted, cursor=cursor, limit=limit)
        assert len(page.rows) <= limit
        rows += page.rows
        assert len(rows) < 100, "it goes in circles"
        if (cursor := page.cursor) is None:
            return rows


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_every_page_together_gives_each_once_the_latest_first(
    readings: Readings, limit: int
) -> None:
    """Also where many were read at one instant, and more come while one turns pages."""
    noted = [reading(n, minute=n // 5) for n in range(20)]
    readings.note(noted)
    rows = walked(readings, Wanted(), limit)
    assert sorted(rows, key=lambda row: row.document_id) == noted
    assert [row.read_at for row in rows] == sorted(
        (row.read_at for row in noted), reverse=True
    )
    first = readings.page(Wanted(), limit=limit)
    readings.note([reading(99)])
    if first.cursor is not None:
        after = readings.page(Wanted(), cursor=first.cursor, limit=50)
        assert first.rows + after.rows == rows


def test_searches_and_exports_stand_beside_what_was_read(house: House) -> None:
    """With what was sought as a digest alone, the same for the same."""
    lin = Credential("lin", "agent", "front-office")
    told = {"by": lin, "kinds": ("phone", "words")}
    house.readings.note(
        [
            reading(1),
            searched(at=START, sought=b"\x0a" * 16, hits=1, **told),
            searched(at=START, sought=b"\x0b" * 16, hits=20, **told),
            exported(
                lin,
                at=START,
                kind="subject",
                purpose="case_work",
                subject_id=UUID(int=7),
            ),
        ]
    )
    rows = house.api("auditor", "?act=search").json()["rows"]
    assert [(row["act"], row["kind"], row["hits"]) for row in rows] == [
        ("search", "phone words", 1),
        ("search", "phone words", 20),
    ]
    assert [row["sought"] for row in rows] == ["0a" * 16, "0b" * 16]
    assert rows[0]["case_id"] is rows[0]["document_id"] is None
    (export,) = house.api("auditor", "?act=export").json()["rows"]
    assert (export["kind"], export["subject_id"]) == ("subject", str(UUID(int=7)))
    assert export["hits"] is export["sought"] is None
    assert house.api("auditor", "?act=delete").status_code == 422
    page = house.page("auditor", "?actor=lin").text
    assert page.count('<td data-label="Did what">Searched</td>') == 2
    assert page.count("Telephone number · Words · ") == 2
    assert "1 case found" in page
    assert "20 cases found" in page
    assert "One person's data" in page.replace("&#39;", "'")
    only = house.page("auditor", "?act=export").text
    assert '<td data-label="Did what">Searched</td>' not in only
    assert f'<td data-label="Whose data"><code>{UUID(int=7)}</code></td>' in only


def test_each_act_is_told_by_its_name(house: House) -> None:
    """A file that was listed is not one that was downloaded, nor is a code a reading."""
    acts = ("read", "list", "preview", "download", "renew")
    house.readings.note(
        [reading(n, actor="lin", act=act) for n, act in enumerate(acts)]
    )
    page = house.page("auditor", "?actor=lin").text
    told = re.findall(r'<td data-label="Did what">([^<]+)</td>', page)
    assert told == [
        "Made anew",
        "Took a copy",
        "Saw a small picture",
        "Saw that it is there",
        "Read",
    ]
    for act in acts:
        (row,) = house.api("auditor", f"?act={act}&actor=lin").json()["rows"]
        assert row["act"] == act


OLD_TABLE = """CREATE TABLE document_reading (
    read_at BIGINT NOT NULL, case_id UUID NOT NULL, document_id UUID NOT NULL,
    kind TEXT NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL, department TEXT,
    purpose TEXT NOT NULL, masked BOOLEAN NOT NULL)"""
"""As it was before searches and exports were noted."""


def test_the_log_of_an_older_amends_goes_on(database: Database) -> None:
    database.migrate((OLD_TABLE,))
    old = reading(1, masked=True)
    with database.write() as tx:
        tx.execute(
            "INSERT INTO document_reading VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                micros(old.read_at),
                old.case_id,
                old.document_id,
                old.kind,
                old.actor,
                old.role,
                old.department,
                old.purpose,
                old.masked,
            ),
        )
    new = reading(2, hits=3, sought=b"s" * 16, act="search")
    for _ in range(2):  # and once more at the next start
        readings = Readings(database)
    readings.note([new])
    assert readings.page(Wanted(), limit=9).rows == [new, old]
    assert old.act == "read"  # whatever it was


def test_they_are_found_by_case_person_and_time(readings: Readings) -> None:
    noted = [reading(n) for n in range(12)]
    readings.note(noted)
    by_case = walked(readings, Wanted(case_id=UUID(int=2)), 3)
    assert [row.case_id for row in by_case] == [UUID(int=2)] * 4
    by_both = walked(readings, Wanted(case_id=UUID(int=2), actor="lin"), 3)
    assert by_both == [row for row in by_case if row.actor == "lin"]
    between = Wanted(after=noted[3].read_at, before=noted[6].read_at)
    assert walked(readings, between, 2) == noted[5:2:-1]
    assert walked(readings, Wanted(actor="nobody"), 2) == []


@pytest.mark.parametrize("cursor", ["", "1", "x-1", "1-x", "1-1-1", "-1-1", "9" * 30])
def test_a_cursor_that_no_page_gave_is_refused(readings: Readings, cursor: str) -> None:
    with pytest.raises(MalformedError, match=r"readings\.cursor"):
        readings.page(Wanted(), cursor=cursor, limit=1)


def test_an_index_leads_to_them(tmp_path: Any) -> None:
    """A log of years is never read from end to end."""
    from services.kernel.store.database import open_database  # noqa: PLC0415

    database = open_database(f"sqlite:///{tmp_path / 'r.sqlite'}", schema="r")
    Readings(database)
    for condition in ("", "actor = 'a' AND ", "case_id = x'00' AND "):
        with database.read() as tx:
            plan = tx.fetchall(
                "EXPLAIN QUERY PLAN SELECT * FROM document_reading"  # noqa: S608 ours
                f" WHERE {condition}read_at <= 5 ORDER BY read_at DESC LIMIT 3"
            )
        assert "USING INDEX" in str(plan), plan
        assert "TEMP B-TREE" not in str(plan), plan
    database.close()


class BySomebody:
    """Believes the role that the browser names."""

    async def viewer(self, request: Request) -> Viewer:
        role = request.headers.get("role")
        return Viewer(Credential(f"{role}-1", role), csrf="c") if role else STRANGER


@dataclass
class House:
    app: FastAPI
    readings: Readings

    def api(self, role: str, query: str = "") -> Any:
        headers = {"authorization": f"Bearer {role}"}
        return ask(self.app, "GET", API + query, headers=headers)

    def page(self, role: str, query: str = "", **headers: str) -> Any:
        return Browser(self.app).get(PAGE + query, role=role, **headers)


@pytest.fixture
def house(readings: Readings) -> Iterator[House]:
    writer = Writer("house")
    writer.start()
    log = AccessLog(readings, writer, lambda: LATER)
    pages = intake_pages(viewers=BySomebody(), secret=b"s" * 32, time_zone="UTC")
    app = FastAPI()
    app.include_router(readings_router("intake", log, TOKENS))
    names = {"lin": "Lin Yan"}
    cases = {"4837291500627714": reading(1).case_id}
    app.include_router(
        readings_pages("intake", log, pages, names=lambda: names, case_of=cases.get)
    )
    install(app)
    yield House(app, readings)
    writer.stop()


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (role, 200 if role in {"operator", "admin", "auditor"} else 403)
        for role in ROLES
    ],
)
def test_only_who_watches_over_it_may_look(
    house: House, role: str, status: int
) -> None:
    assert house.api(role).status_code == status
    assert house.page(role).status_code == status
    looks = house.readings.page(Wanted(actor=f"{role}-1"), limit=9).rows
    assert len(looks) == (2 if status == 200 else 0)


def test_a_stranger_learns_nothing(house: House) -> None:
    assert ask(house.app, "GET", API).status_code == 401
    to_login = Browser(house.app).get(PAGE).headers["location"]
    assert to_login.startswith("/access/login?next=")
    assert house.readings.page(Wanted(), limit=1).rows == []


def test_that_somebody_looked_is_the_next_reading(house: House) -> None:
    house.readings.note([reading(1), reading(2)])
    case = str(UUID(int=2))
    first = house.api("auditor", f"?case_id={case}&actor=lin").json()
    assert [row["actor"] for row in first["rows"]] == ["lin"]
    assert first["rows"][0]["document_id"] == str(UUID(int=1001))
    look = house.api("operator", "?limit=1").json()
    assert look["cursor"] is not None
    (row,) = look["rows"]
    assert (row["actor"], row["role"], row["kind"]) == (
        "auditor-1",
        "auditor",
        "access_log",
    )
    assert (row["case_id"], row["document_id"], row["purpose"]) == (
        case,
        None,
        "audit",
    )


@pytest.mark.parametrize(
    "query",
    [
        "?case_id=12",
        "?actor=%3Cscript%3E",
        "?after=yesterday",
        "?after=2026-03-01",
        "?cursor=x",
        "?limit=0",
        "?limit=501",
        "?who=lin",
    ],
)
def test_what_cannot_be_meant_is_refused(house: House, query: str) -> None:
    assert house.api("auditor", query).status_code in {400, 422}
    assert house.readings.page(Wanted(), limit=1).rows == []


def test_the_page_tells_them_in_words(house: House) -> None:
    house.readings.note(
        [reading(n, purpose="contact_customer", masked=n == 1) for n in range(60)]
    )
    page = house.page("auditor").text
    assert page.count("To reach the customer") == 50
    assert "masked" not in page
    older = page.split('rel="next" href="')[1].split('"')[0]
    assert "· masked" in house.page("auditor", older.removeprefix(PAGE)).text
    mine = house.page("auditor", "?actor=lin&from=2026-03-01&until=2026-03-01").text
    assert mine.count("Lin Yan</a> · Front office agent") == 30
    assert "<code>bo</code>" not in mine
    assert "<code>bo</code></a> · Front office agent" in page  # nobody known
    assert 'href="/access/readings/handling?actor=lin&amp;from=2026-03-01' in mine
    again = house.page("auditor", "?actor=auditor-1").text
    assert again.count("This access log") == 3
    assert "To audit" in again


def test_the_page_knows_a_case_by_its_receipt_number_too(house: House) -> None:
    house.readings.note([reading(1)])
    page = house.page("auditor", "?case_id=4837+2915-0062+7714")
    assert page.status_code == 200
    assert f'/access/readings/handling?case_id={reading(1).case_id}"' in page.text
    assert "Lin Yan</a>" in page.text


def test_the_page_is_honest_about_nothing(house: House) -> None:
    assert "Nobody has read, searched or exported" in house.page("auditor").text
    assert "Nothing fits" in house.page("auditor", "?actor=nobody").text
    for query, fault in (
        ("?case_id=12", "No case is known by this"),
        ("?case_id=4837291500627722", "No case is known by this"),
        ("?from=yesterday", "Give a day"),
        ("?until=9999-12-31", "Give a day"),
    ):
        refused = house.page("auditor", query)
        assert refused.status_code == 422
        assert fault in refused.text
    hostile = house.page("auditor", "?actor=%22%3E%3Cscript%3Ex%3C/script%3E").text
    assert "<script>x" not in hostile
    assert house.page("auditor", "?cursor=x").status_code in {400, 422}
