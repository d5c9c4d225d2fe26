"""Cases over HTTP: which words it takes, and that only the present offers commands."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from events.vocabulary import Origin
from services.handling.api import cases
from services.kernel.store.database import Database, open_database
from services.kernel.web.problems import install
from tests.support.browsing import Browser
from tests.support.desk import ANN, CASE, NOW, DeskHouse
from tests.support.given import DEFAULT_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.kernel.access import Credential

QUEUE = "/api/handling/cases"


class Ann:
    def authenticate(self, _header: str | None) -> Credential:
        return ANN


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Browser]:
    """A live case and an imported one, and Ann of the front office who asks."""
    opened: list[Database] = []

    def make(name: str) -> Database:
        database = open_database(f"sqlite:///{tmp_path / name}.sqlite", schema=name)
        opened.append(database)
        return database

    house = DeskHouse(make)
    house.receive()
    house.receive(
        UUID(int=CASE.int + 1),
        origin=Origin.MIGRATION,
        receipt_no="1000000000000000",
        day=NOW,
    )
    app = FastAPI()
    app.include_router(
        cases.router(
            house.handling,
            house.finding,
            Ann(),
            policy=DEFAULT_POLICY,
            zone=ZoneInfo("Asia/Shanghai"),
            now=lambda: NOW,
        )
    )
    install(app)
    yield Browser(app)
    house.close()
    for database in opened:
        database.close()


def test_only_the_present_offers_commands(api: Browser) -> None:
    assert "accept" in api.get(f"{QUEUE}/{CASE}").json()["available"]
    assert "available" not in api.get(f"{QUEUE}/{CASE}?as_of=1").json()


def test_rows_and_cases_say_how_exactly_they_know(api: Browser) -> None:
    for origin, precision in (("live", "instant"), ("migration", "day")):
        for past in ("", "&as_of=2"):
            (row,) = api.get(f"{QUEUE}?origin={origin}{past}").json()["rows"]
            assert row["received_precision"] == precision
            assert row["closed_precision"] is None
        one = api.get(f"{QUEUE}/{row['case_id']}").json()
        assert one["received_precision"] == precision


def test_the_origin_is_one_of_its_words(api: Browser) -> None:
    for query, total in (("", 2), ("?origin=live", 1), ("?origin=migration", 1)):
        assert api.get(QUEUE + query).json()["total"] == total
    for name in ("origin", "state", "channel", "severity"):
        refused = api.get(f"{QUEUE}?{name}=nonsense")
        assert refused.status_code == 422
        (fault,) = refused.json()["errors"]
        assert fault["field"] == name
    assert "'live', 'migration' or 'demo'" in api.get(f"{QUEUE}?origin=x").text


def test_a_point_in_time_that_is_none_is_told_with_examples_of_each_form(
    api: Browser,
) -> None:
    refused = api.get(f"{QUEUE}/{CASE}?as_of=yesterday").json()
    for form in ("2026-03-31T00:00:00Z", "2026-03-31,", "4711"):
        assert form in refused["detail"]
    assert refused["errors"][0]["field"] == "as_of"


def test_a_day_reaches_to_its_end_where_the_organisation_is(api: Browser) -> None:
    """Known since 08:00Z of the first of March, which is 16:00 in Shanghai."""
    assert api.get(f"{QUEUE}/{CASE}?as_of=2026-03-01").status_code == 200
    assert api.get(f"{QUEUE}/{CASE}?as_of=2026-02-28").status_code == 404
    assert api.get(f"{QUEUE}/{CASE}?as_of=9999-12-31").status_code == 200


def test_the_queue_tells_what_is_due_next(api: Browser) -> None:
    """Received on 1 September 2025 at 08:30Z, when Shanghai was still at work."""
    (row,) = api.get(f"{QUEUE}?sort=due").json()["rows"]  # nothing is due of the other
    assert (row["next_clock"], row["next_due"][:10]) == ("ack", "2025-09-01")
    for query, total in (
        ("due_before=2025-09-01", 0),  # a day means its beginning in Shanghai
        ("due_before=2025-09-02", 1),
        ("due_from=2025-09-01&sort=due", 1),
        ("due_from=2025-09-02", 0),
        (f"due_before={row['next_due']}", 0),
        ("due_before=2025-09-02&origin=migration", 0),
    ):
        assert api.get(f"{QUEUE}?{query}").json()["total"] == total, query
    refused = api.get(f"{QUEUE}?due_before=soon").json()
    assert refused["errors"][0]["field"] == "due_before"
    assert "2026-03-31," in refused["detail"]
    for query in ("sort=due", "due_before=2025-09-02", "due_from=2025-09-02"):
        refused = api.get(f"{QUEUE}?as_of=1&{query}")
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["field"] == "as_of"
    (then,) = api.get(f"{QUEUE}?as_of=1").json()["rows"]
    assert (then["next_due"], then["next_clock"]) == (None, None)


def test_the_queue_as_of_then_says_at_which_position(api: Browser) -> None:
    """One case was known at position 1, the other at 2; both at one instant."""
    then = api.get(f"{QUEUE}?as_of=1").json()
    assert [row["case_id"] for row in then["rows"]] == [str(CASE)]
    assert (then["total"], then["position"], then["cursor"]) == (1, 1, None)
    for when in ("2026-03-01", "2026-03-01T08:00:00Z", "4711"):
        assert api.get(f"{QUEUE}?as_of={when}").json()["position"] == 2
    assert api.get(f"{QUEUE}?as_of=2026-02-28").json()["rows"] == []
    assert api.get(QUEUE).json()["position"] is None


def test_nothing_is_searched_as_of_then(api: Browser) -> None:
    refused = api.get(f"{QUEUE}?as_of=1&q=leak")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "as_of"
    assert api.get(f"{QUEUE}?as_of=yesterday").status_code == 422
