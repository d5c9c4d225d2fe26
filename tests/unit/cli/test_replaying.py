"""`amends audit replay` on a folder: the same in one process and in two, at any point."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from services.cli import app, replaying
from services.kernel.folder import DataFolder
from services.kernel.store.database import open_database
from tests.support.stages import recorded, staged

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = staged(20, seed=11)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.make()
    url = folder.database_url("handling", "store", server=None)
    database = open_database(url, schema="handling")
    recorded(database, EVENTS)
    database.close()
    monkeypatch.setenv("AMENDS_DATA", str(folder.path))
    monkeypatch.delenv("AMENDS_DATABASE_URL", raising=False)
    return folder


def replay(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["audit", "replay", *words, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("folder")
def test_any_number_of_processes_comes_to_the_same() -> None:
    one = replay("--processes", "1")
    assert one == replay("--processes", "2") == replay()
    assert one["store"] == "handling"
    assert (one["cases"], one["events"], one["position"]) == (20, *[len(EVENTS)] * 2)
    assert one["types"]["ComplaintReceived"] == 20
    assert list(one["types"]) == sorted(one["types"])


@pytest.mark.usefixtures("folder")
def test_an_instant_a_day_and_a_position_are_told_as_the_position_they_are() -> None:
    """Known a minute apart, from midnight UTC on; the organisation's clock is UTC here."""
    fifth = replay("--until", "5")
    assert fifth["position"] == fifth["events"] == 5
    assert replay("--until", "2026-03-02T00:04:59Z") == fifth
    assert replay("--until", "2026-03-01")["cases"] == 0
    assert replay("--until", "2026-03-02") == replay("--until", "999999") == replay()


@pytest.mark.usefixtures("folder")
def test_a_point_in_time_that_is_none_is_refused_by_the_options_name() -> None:
    done = CliRunner().invoke(app, ["audit", "replay", "--until", "soon"])
    assert done.exit_code != 0
    assert getattr(done.exception, "errors")[0].field == "until"  # noqa: B009 of our own family


def test_people_read_what_it_came_to(
    folder: DataFolder,
) -> None:
    told = CliRunner().invoke(app, ["audit", "replay"]).stdout
    assert f"{len(EVENTS)} events make 20 cases, replayed to position" in told
    assert f"Digest of all case states: {replay()['digest']}" in told
    assert str(folder.path) not in told


def test_a_small_record_is_worth_no_other_process() -> None:
    assert replaying._useful(10) == 1
