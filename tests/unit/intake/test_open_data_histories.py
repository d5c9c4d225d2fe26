"""The past in cities' and insurers' real files: what is recorded equals a recount."""

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from events.catalogue import ComplaintClosed, ComplaintResolved, DeadlineStated
from events.envelope import Actor
from services.handling.domain.commands import RecordHistory
from services.handling.domain.decisions import decide
from services.handling.domain.decisions.history import happened
from services.intake.importing.histories import laid_aside
from services.intake.importing.running import load_mapping, run_import
from tests.support.given import DEFAULT_POLICY, given, received
from tests.support.open_data_counts import LAYOUTS
from tests.support.open_data_histories import PASTS, histories

pytestmark = pytest.mark.real_data

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
IMPORT = Actor(id="migration", role="migration")
CASE = given(received()).case._replace(origin="migration")


class Services:
    """Stands for intake, which takes all, and for handling, which really decides."""

    def __init__(self, zone: str) -> None:
        self.found: Counter[str] = Counter()
        self.received: dict[str, dt.datetime] = {}
        self._zone = ZoneInfo(zone)
        self.client = httpx.Client(
            transport=httpx.MockTransport(self.answer), base_url="http://t"
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":  # what is said of the run
            return httpx.Response(200)
        one = self.take if "complaints" in request.url.path else self.record
        lines = map(json.loads, request.content.splitlines())
        results = [json.dumps(one(line)) for line in lines]
        return httpx.Response(200, content="\n".join(results))

    def take(self, line: dict[str, Any]) -> dict[str, Any]:
        case_id = str(len(self.received))
        self.received[case_id] = dt.datetime.fromisoformat(line["occurred_at"])
        return {"status": 201, "case_id": case_id}

    def record(self, line: dict[str, Any]) -> dict[str, Any]:
        case = CASE._replace(received_at=self.received.pop(line["case_id"]))
        command = RecordHistory.model_validate(line["with"])
        facts = decide(case, command, actor=IMPORT, now=NOW, policy=DEFAULT_POLICY)
        times = happened(case, command, facts, NOW)
        for fact, (at, _) in zip(facts, times, strict=True):
            if isinstance(fact, ComplaintResolved):
                self.found[f"resolved {fact.outcome or 'not said'}"] += 1
            if isinstance(fact, DeadlineStated):
                if fact.due_at is not None:
                    day = fact.due_at.astimezone(self._zone)
                    self.found[f"due {day:%Y-%m-%d}"] += 1
                if fact.overdue is not None:
                    self.found["OVERDUE" if fact.overdue else "ONTIME"] += 1
            if isinstance(fact, ComplaintClosed):
                self.found["closed"] += 1
                self.found[f"closed {at.astimezone(self._zone):%Y}"] += 1
        return {"status": 200, "repeated": False}


@pytest.mark.parametrize("name", PASTS)
def test_what_a_whole_file_states_is_recorded_as_a_recount_says(
    real_data: Path, name: str
) -> None:
    file = real_data / "data" / LAYOUTS[name].file
    mapping = load_mapping(name)
    services = Services(mapping.zone)
    room = laid_aside(mapping, DEFAULT_POLICY.departments)
    with services.client as client, room as past:
        done = run_import(
            client,
            file,
            mapping,
            histories=past,
            then=lambda rejects: past.record(client, rejects, batch_size=500),
        )
    assert not done.rejected
    wanted = histories(PASTS[name], file)
    assert past.counts.contradictions == wanted.pop("contradictions")
    assert services.found == wanted
    assert past.counts.refused == 0
    assert past.counts.unknown == {}
    assert wanted["closed"] > 0
