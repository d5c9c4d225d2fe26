"""Figures over HTTP: shapes, links that open what they count, problems, access."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from services.analytics.api.routes import analytics_router
from services.analytics.application.figures import Figures
from services.analytics.application.rebuilding import Progress, Rebuilder
from services.analytics.application.recording import record
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.access import OPERATOR, Credential, OperatorTokens
from services.kernel.web.problems import install
from tests.support.asgi import ask
from tests.support.histories import folded, made_up_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database

LOG = made_up_log(41, cases=150, events=700)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADERS = {"Authorization": "Bearer operator-token"}


async def _rebuild(report: Callable[[Progress], None]) -> Progress:
    done = Progress(
        state="done", position=700, equal=True, digest="ab", live_digest="ab"
    )
    report(done)
    return done


@pytest.fixture
def app(make_database: Callable[..., Database]) -> FastAPI:
    store = SqlFactStore(make_database("analytics"))
    with store.transaction() as tx:
        record(store.live, tx, [logged.entry for logged in LOG])
        store.live.note(tx, [Known(*logged[:2]) for logged in LOG])
        store.settle(tx)
    zone = ZoneInfo("UTC")
    application = FastAPI()
    install(application)
    tokens = OperatorTokens(
        {
            "operator-token": OPERATOR,
            "clerk-token": Credential(actor="clerk", role="agent"),
        }
    )
    application.include_router(
        analytics_router(
            Figures(store, zone),
            Rebuilder(_rebuild),
            tokens,
            zone=zone,
            clock=lambda: NOW,
        )
    )
    return application


def get(app: FastAPI, path: str, status: int = 200) -> Any:
    answer = ask(app, "GET", path, headers=HEADERS)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_frequency_says_what_it_counts_and_as_of_when(app: FastAPI) -> None:
    answer = get(app, "/api/analytics/frequency?group_by=category,period&level=1")
    assert answer["position"] == 700
    assert answer["as_of"].startswith("2023-")
    assert answer["damaged"] is False
    assert answer["definition"] == {
        "figure": "frequency",
        "source": "S135",
        "out_of": None,
        "columns": dict.fromkeys(("count", "customers", "countermeasures"), "count"),
        "shares": {},
        "group_by": ["period", "category"],
        "period": "month",
        "level": 1,
        "compare": None,
        "counts": "every complaint received, open or closed, once",
        "time": "occurred_at of ComplaintReceived, as claimed",
        "time_zone": "UTC",
        "from": None,
        "before": None,
        "filters": [{"origin": ["live", "migration"]}],
    }
    counted = [fact for fact in folded(LOG).values() if fact.origin != "demo"]
    assert answer["total"] == len(counted) == sum(r["count"] for r in answer["rows"])
    assert {row["category"] for row in answer["rows"]} == {"quality", "billing", None}
    assert answer["customers"] == len({fact.subject for fact in counted})
    for row in answer["rows"]:
        assert row["has_countermeasure"] is (row["countermeasures"] > 0)


@pytest.mark.parametrize(
    "figure",
    [
        "frequency?group_by=category,product,period&period=week&as_of=500",
        "frequency?group_by=state,department&origin=demo",
        "root-causes?basis=reported&level=1&channel=web,-",
        "root-causes?basis=found&from=2025-03-01&to=2025-10-01",
    ],
)
def test_every_row_links_to_exactly_the_cases_that_it_counts(
    app: FastAPI, figure: str
) -> None:
    rows = get(app, f"/api/analytics/{figure}")["rows"]
    assert rows
    for row in rows[:60]:
        listed, address = [], row["cases"]
        while address:
            page = get(app, f"{address}&limit=9" if "limit" not in address else address)
            listed += [case["case_id"] for case in page["rows"]]
            address = page["next"]
        assert len(set(listed)) == row["count"], row


def test_a_listed_case_leads_to_the_case(app: FastAPI) -> None:
    [case] = get(app, "/api/analytics/cases?limit=1")["rows"]
    assert case["case"] == f"/api/handling/cases/{case['case_id']}"
    assert {"receipt_no", "received_at", "category", "state"} <= case.keys()


def test_causes_that_nobody_found_are_counted_too(app: FastAPI) -> None:
    answer = get(app, "/api/analytics/root-causes?basis=found&as_of=1")
    [row] = answer["rows"]
    assert row["cause"] == "not_determined"
    assert (row["count"], row["share"], row["cumulative_share"]) == (1, 1.0, 1.0)
    assert answer["not_determined"] == 1
    ranked = get(app, "/api/analytics/root-causes?basis=found")["rows"]
    counts = [row["count"] for row in ranked]
    assert counts == sorted(counts, reverse=True)
    assert ranked[-1]["cumulative_share"] == 1.0


def test_an_instant_is_answered_with_its_position(app: FastAPI) -> None:
    instant = "2023-11-14T22:16:00.000000Z"
    answer = get(app, f"/api/analytics/frequency?as_of={instant}")
    assert 0 < answer["position"] < 700
    assert answer["as_of"] == instant
    again = get(app, f"/api/analytics/frequency?as_of={answer['position']}")
    assert again["rows"] == answer["rows"]


def test_a_bad_question_names_its_fields(app: FastAPI) -> None:
    problem = get(app, "/api/analytics/frequency?group_by=x&as_of=y", 422)
    assert problem["code"] == "analytics.question"
    assert [fault["field"] for fault in problem["errors"]] == ["as_of", "group_by"]


def test_a_nul_in_a_filter_is_refused(app: FastAPI) -> None:
    problem = get(app, "/api/analytics/frequency?product=%00", 422)
    assert problem["errors"][0]["field"] == "product"


@pytest.mark.parametrize("path", ["frequency", "root-causes", "cases", "rebuild"])
def test_only_services_and_the_operator_are_answered(app: FastAPI, path: str) -> None:
    url = f"/api/analytics/{path}"
    assert ask(app, "GET", url).status_code == 401
    clerk = {"Authorization": "Bearer clerk-token"}
    assert ask(app, "GET", url, headers=clerk).status_code == 403
    other = {"Authorization": "Bearer other"}
    assert ask(app, "GET", url, headers=other).status_code == 401


def test_a_rebuild_is_begun_and_told(app: FastAPI) -> None:
    assert get(app, "/api/analytics/rebuild")["state"] == "idle"
    begun = ask(app, "POST", "/api/analytics/rebuild", headers=HEADERS)
    assert begun.status_code == 202
    assert begun.json()["state"] in {"running", "done"}


def test_the_parameters_are_documented(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    names = {
        parameter["name"]
        for parameter in paths["/api/analytics/frequency"]["get"]["parameters"]
    }
    assert {"group_by", "period", "level", "from", "to", "as_of", "category"} <= names


def test_a_figure_of_the_register_tells_its_numbers_and_where_they_are_listed(
    app: FastAPI,
) -> None:
    answer = get(app, "/api/analytics/backlog?group_by=channel&as_of=600")
    assert answer["position"] == 600
    assert answer["definition"]["columns"]["open"] == "count"
    assert answer["definition"]["group_by"] == ["channel"]
    assert answer["total"]["open"] == sum(row["open"] for row in answer["rows"]) > 0
    for row in answer["rows"]:
        listed = get(app, f"{row['cases']['open']}&limit=1000")
        assert len(listed["rows"]) == row["open"]
        assert {case["channel"] for case in listed["rows"]} == {row["channel"]}


def test_a_figure_refuses_what_it_does_not_take(app: FastAPI) -> None:
    problem = get(app, "/api/analytics/backlog?period=month", 422)
    assert [fault["field"] for fault in problem["errors"]] == ["period"]


def test_a_comparison_tells_what_was_before_and_where_it_is_listed(
    app: FastAPI,
) -> None:
    span = "from=2025-04-01&to=2025-06-30&compare=previous"
    before = get(app, "/api/analytics/frequency?from=2025-01-01&to=2025-03-31")
    answer = get(app, f"/api/analytics/frequency?{span}")
    assert answer["definition"]["compare"] == "previous"
    assert answer["previous"]["count"] == before["total"] > 0
    assert answer["change"]["count"] == answer["total"] - before["total"]
    for row in answer["rows"]:
        assert row["change"]["count"] == row["count"] - row["previous"]["count"]
        if row["previous"]["count"]:
            listed = get(app, f"{row['previous']['cases']['count']}&limit=1000")
            assert len(listed["rows"]) == row["previous"]["count"]
    whole = get(app, f"/api/analytics/first-contact?{span}")["total"]
    assert (
        whole["previous"]["resolved"] + whole["change"]["resolved"] == whole["resolved"]
    )
