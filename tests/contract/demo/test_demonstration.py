"""A demonstration: real commands, the same every time, never beside anything real."""

import asyncio
import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from services.cli import app
from services.demo.making import (
    Wish,
    made_before,
    make_demonstration,
    remove_demonstration,
)
from services.demo.pace import StoryClock
from services.demo.stage import Stage, staged
from services.demo.story import STORIES, load_story
from services.handling.main import default_policy
from services.kernel.access import OPERATOR, Credential
from services.kernel.errors import RefusedError
from services.kernel.folder import DataFolder
from services.kernel.settings import Settings
from services.kernel.web.pages.assets import KERNEL_STATIC, Assets
from services.kernel.web.problems import install
from tests.support.browsing import Browser, hidden

UNTIL = dt.datetime(2026, 3, 1, 15, tzinfo=dt.UTC)
SPAN = dt.timedelta(days=45)
GOOD = {"channel": "counter", "statement": "It leaks.", "contact": {"name": "Ada"}}
OWN = {
    *("event_id", "case_id", "subject_id", "document_id", "digest", "receipt_no"),
    *("correlation_id", "contested_event_id", "id", "handler", "reviewer", "confirmed"),
}
"""Fields whose values are ids, or follow from keys of this one folder."""


def settings_of(path: Path) -> Settings:
    return Settings(data=path, time_zone="Asia/Shanghai", phone_region="CN")


def make(path: Path, **wished: Any) -> dict[str, Any]:
    wish = Wish(**({"cases": 40, "until": UNTIL, "span": SPAN} | wished))
    making = make_demonstration(
        settings_of(path), wish, now=UNTIL, report=lambda *_: None
    )
    return asyncio.run(making)


@contextmanager
def opened(path: Path) -> Iterator[Stage]:
    """Put the services together over a folder."""
    staging = staged(settings_of(path), DataFolder(path), StoryClock(UNTIL))
    with asyncio.Runner() as runner:
        stage = runner.run(staging.__aenter__())
        try:
            yield stage
        finally:
            runner.run(staging.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "data"
    make(path)
    return path


@pytest.fixture(scope="module")
def stage(path: Path) -> Iterator[Stage]:
    with opened(path) as stage:
        yield stage


@pytest.fixture(scope="module")
def made(path: Path) -> dict[str, Any]:
    found = made_before(DataFolder(path))
    assert found is not None
    return found


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: bare(each) for name, each in value.items() if name not in OWN}
    return [bare(each) for each in value] if isinstance(value, list) else value


def history(stage: Stage) -> list[str]:
    """Give what was known when; of one instant, in no order of its own."""
    return sorted(
        f"{entry.committed_at} {json.dumps(bare(json.loads(entry.body)))}"
        for entry in stage.handling.recorded(0, 100_000)
    )


def test_the_same_wish_tells_the_same(stage: Stage, tmp_path: Path):
    told = history(stage)
    for seed, as_before in ((1, True), (2, False)):
        make(tmp_path / str(seed), seed=seed)
        with opened(tmp_path / str(seed)) as other:
            same = told == history(other)
        assert same is as_before


def test_every_command_is_one_that_the_services_take(made: dict[str, Any]):
    assert made["refused"] == {}
    assert made["commands"] > 3 * made["complaints"] > 0


def test_figures_count_it_there_and_nothing_live(stage: Stage, made: dict[str, Any]):
    assert total(stage, {}) == made["complaints"]
    assert total(stage, {"origin": "live"}) == 0


def test_what_is_worth_a_look_is_there(
    stage: Stage, made: dict[str, Any], tmp_path: Path
):
    """A short story leaves out what did not come about."""
    for each in made["see"]:
        address, _, query = each["where"].partition("?")
        asked = dict(parse_qsl(query))
        if address == "/desk/cases":
            assert stage.open_cases(asked["department"])
        elif "lot" in asked:
            assert total(stage, {"lot": asked["lot"]})
    assert made["see"]
    assert make(tmp_path / "short", cases=1)["see"] == []


def test_half_way_through_less_was_known(stage: Stage):
    then = (UNTIL - SPAN / 2).isoformat().replace("+00:00", "Z")
    assert 0 < total(stage, {"as_of": then}) < total(stage, {})


def test_nothing_real_can_be_imported_into_it(stage: Stage):
    past = {**GOOD, "origin": "migration", "occurred_at": "2025-01-01T00:00:00Z"}
    importer = Credential(actor="import", role="migration")
    with pytest.raises(RefusedError, match=r"intake\.demonstration"):
        stage.register([(past, "m", importer)])


PAGES = ("/", "/status", "/desk", "/desk/cases", "/insight", "/insight/cases")


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Demonstration"), ("zh-CN", "演示")]
)
def test_every_page_says_so(
    stage: Stage, made: dict[str, Any], language: str, words: str
):
    browser = Browser(app_of(stage))
    form = browser.get("/access/login").text
    fields = {"login": "agent1", "password": made["password"], "next": "/desk"}
    entered = browser.post("/access/login", fields | {"csrf": hidden(form, "csrf")})
    assert entered.status_code == 303
    for path in PAGES:
        page = browser.get(path, accept_language=language)
        assert page.status_code == 200, path
        [said] = re.findall(r'<p class="made-up".*?</p>', page.text)
        assert words in said


def test_what_comes_later_is_made_up_too(stage: Stage):
    stage.register([(GOOD, "later", OPERATOR)])
    last = stage.intake.recorded(0, 100_000)[-1]
    assert json.loads(last.body)["origin"] == "demo"


def test_a_real_installation_does_not_say_so(tmp_path: Path):
    DataFolder(tmp_path).make()
    with opened(tmp_path) as real:
        page = Browser(app_of(real)).get("/")
        real.register([(GOOD, "real", OPERATOR)])
        [entry] = real.intake.recorded(0, 10)
    assert page.status_code == 200
    assert "made-up" not in page.text
    assert json.loads(entry.body)["origin"] == "live"


def test_a_folder_with_an_installation_is_left_alone(tmp_path: Path):
    folder = DataFolder(tmp_path / "real")
    folder.make()
    with pytest.raises(RefusedError, match=r"demo\.not_empty"):
        make(folder.path)
    with pytest.raises(RefusedError, match=r"demo\.not_empty"):
        remove_demonstration(folder)
    assert folder.exists()
    assert not folder.demonstration


def test_a_demonstration_can_be_removed_and_made_anew(tmp_path: Path):
    data = tmp_path / "data"
    make(data, cases=3)
    remove_demonstration(DataFolder(data))
    assert not data.exists()
    assert make(data, cases=3)["complaints"]


def test_it_shares_no_server_with_anything_real(tmp_path: Path):
    settings = Settings(data=tmp_path / "data", nats_url="nats://127.0.0.1:4222")
    making = make_demonstration(settings, Wish(), now=UNTIL, report=lambda *_: None)
    with pytest.raises(RefusedError, match=r"demo\.own_servers"):
        asyncio.run(making)
    assert not settings.data.exists()


def test_nothing_is_told_of_a_time_to_come(tmp_path: Path):
    with pytest.raises(RefusedError, match=r"demo\.future"):
        make(tmp_path / "data", until=UNTIL + dt.timedelta(minutes=1))


@pytest.mark.parametrize("name", STORIES)
def test_a_story_fits_the_policy(name: str):
    """Categories, causes and departments are those of the rules in force."""
    story, policy = load_story(name), default_policy()
    for matter in story.matters:
        assert matter.category in policy.categories
        assert set(matter.causes) <= set(policy.causes)
        assert matter.department is None or matter.department in policy.departments
        assert any(goods.kind in matter.kinds for goods in story.goods)
    assert {each.cause for each in story.planted} <= set(policy.causes)
    assert set(story.departments) <= set(policy.departments)


def app_of(stage: Stage) -> FastAPI:
    app = FastAPI()
    for service in (stage.admission, stage.intake, stage.handling, stage.analytics):
        for router in service.routers:
            app.include_router(router)
    app.include_router(Assets("kernel", KERNEL_STATIC).router())
    install(app)
    return app


def total(stage: Stage, asked: dict[str, str]) -> int:
    """Ask for the figure as the operator's program does."""
    answer = Browser(app_of(stage)).ask(
        "GET",
        "/api/analytics/frequency",
        params=asked,
        headers={"Authorization": f"Bearer {stage.token}"},
    )
    assert answer.status_code == 200, answer.text
    return int(answer.json()["total"])


def test_the_verb_makes_it_once_and_anew_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "data"))
    verb = ["demo", "--cases", "3", "--until", "2026-03-01", "--story", "utility"]
    first, second, anew = (
        json.loads(CliRunner().invoke(app, [*verb, "--json", *more]).stdout)
        for more in ([], [], ["--again"])
    )
    assert first == second
    assert first["story"] == "utility"
    assert anew["password"] != first["password"]
    assert {each["role"] for each in first["users"]} >= {"agent", "auditor", "admin"}
    (tmp_path / "real").mkdir()
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path / "real"))
    DataFolder(tmp_path / "real").make()
    refused = CliRunner().invoke(app, [*verb, "--again"]).exception
    assert isinstance(refused, RefusedError)
