"""Runs of imports: what is asked before one, what is known of it afterwards."""

import json
from datetime import UTC, datetime

import pytest

from services.intake.importing.running import Summary, load_mapping, run_import
from services.kernel.access import OPERATOR
from tests.contract.intake.test_intake_import import written
from tests.support.intake_http import door, operator

CFPB = load_mapping("cfpb")
URL = "/api/intake/imports"


@pytest.fixture
def http(make_database):
    with door(make_database) as opened:
        yield opened


@pytest.fixture
def client(http):
    with operator(http) as made:
        yield made


def test_a_dry_run_tells_what_was_received_before_and_keeps_nothing(
    http, client, tmp_path
):
    run_import(client, written(tmp_path, {}, {"Complaint ID": "2"}), CFPB)
    known = http.bench.events()
    path = written(
        tmp_path, {}, {"Complaint ID": "2", "Company": "Other"}, {"Complaint ID": "3"}
    )
    done = run_import(client, path, CFPB, dry_run=True)
    assert done == Summary(read=3, accepted=1, duplicates=1, rejected=1)
    assert list(done.reasons) == [
        "intake.key_reused: Complaint ID was received before with other contents"
    ]
    assert http.bench.events() == known
    assert len(client.get(URL).json()["imports"]) == 1
    assert run_import(client, path, CFPB) == done


def test_every_run_is_listed_with_what_became_of_its_rows(client, tmp_path):
    assert client.get(URL).json() == {"imports": []}
    path = written(tmp_path, {}, {"Complaint ID": "2"}, {"Submitted via": "Pigeon"})
    batch = run_import(client, path, CFPB, file_name="old.csv").batch
    (found,) = client.get(URL).json()["imports"]
    assert found == client.get(f"{URL}/{batch}").json()
    assert len(found.pop("file")) == 64
    assert found.pop("begun_at") == found.pop("done_at")
    assert found == {
        "batch": batch,
        "file_name": "old.csv",
        "format": "cfpb",
        "read_rows": 3,
        "duplicates": 0,
        "rejected": 1,
        "actor": "operator",
        "cases": 2,
        "revoked": 0,
    }


def test_a_run_that_tells_nothing_of_itself_is_known_by_its_complaints(
    http, client, tmp_path
):
    """Also one that was killed: its complaints say whose they are."""
    batch = run_import(client, written(tmp_path, {}), CFPB).batch
    lines = [
        {
            "origin": "migration",
            "occurred_at": "2020-01-01T00:00:00Z",
            "idempotency_key": f"mine:{number}",
            "imported_from": {"batch": "by-hand", "file": "a" * 64, "line": number},
        }
        for number in (1, 2, 3)
    ]
    assert {each["status"] for each in http.batch(lines)} == {201}
    found = {each["batch"]: each for each in client.get(URL).json()["imports"]}
    assert found.keys() == {batch, "by-hand"}
    assert (found["by-hand"]["cases"], found["by-hand"]["done_at"]) == (3, None)
    first = client.get(f"{URL}/by-hand/cases", params={"limit": 2}).json()
    rest = client.get(f"{URL}/by-hand/cases", params={"after": first["next"]}).json()
    assert rest["next"] is None
    rows = first["rows"] + rest["rows"]
    assert sorted(row["line"] for row in rows) == [1, 2, 3]
    assert {row["case_id"] for row in rows} <= {
        str(event.case_id) for event in http.bench.events()
    }


def test_an_unknown_run_is_refused(client):
    for path in ("none", "none/cases"):
        answer = client.get(f"{URL}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "intake.no_import")


@pytest.mark.parametrize("by", ["clerk-token", "hotline-token", None])
def test_only_an_import_asks_and_tells_of_itself(http, by):
    headers = {"Authorization": f"Bearer {by}"} if by else {}
    told = {"json": {"file": "a" * 64}, "headers": headers}
    asked = {"content": b"{}", "headers": headers}
    refused = {
        http.ask("PUT", f"{URL}/mine", **told).status_code,
        http.ask("POST", "/api/intake/complaints:check", **asked).status_code,
        http.ask("GET", URL, headers=headers).status_code,
    }
    assert refused == {403 if by else 401}


def of_shop(channel, statement="It leaks.", key="table:A-1", line=2):
    return {
        "origin": "migration",
        "occurred_at": "2026-01-01T00:00:00Z",
        "idempotency_key": key,
        "statement": statement,
        "channel": channel,
        "imported_from": {"batch": "by-hand", "file": "a" * 64, "line": line},
    }


def checked(client, lines):
    content = "\n".join(map(json.dumps, lines))
    answer = client.post("/api/intake/complaints:check", content=content)
    return [json.loads(line) for line in answer.content.splitlines()]


@pytest.mark.parametrize("statement", ["It leaks.", "Another shop entirely."])
def test_a_number_comes_once_whatever_its_row_says_of_the_channel(
    http, client, statement
):
    """Also where nothing but the channel differs: which one would be true?"""
    assert [each["status"] for each in http.batch([of_shop("phone")])] == [201]
    other = of_shop("web", statement)
    for (told,) in (checked(client, [other]), http.batch([other])):
        assert (told["status"], told["code"]) == (409, "intake.key_reused")
        assert told["errors"][0]["message"] == (
            "was received before on the channel phone"
        )
    again = checked(client, [of_shop("phone"), of_shop("web", key="table:A-2")])
    assert [each["status"] for each in again] == [200, 201]
    assert len(http.bench.events()) == 1


def test_two_rows_of_one_number_on_two_channels_are_one_complaint(http, client):
    rows = [of_shop("phone"), of_shop("web", line=3), of_shop("phone", line=4)]
    assert [each["status"] for each in checked(client, rows)] == [201, 409, 201]
    assert [each["status"] for each in http.batch(rows)] == [201, 409, 200]
    assert [event.channel for event in http.bench.events()] == ["phone"]


def test_a_number_that_another_process_received_on_another_channel_is_not_kept(
    http, monkeypatch
):
    """Where the look came before the other's commit, the commit itself refuses."""
    bench = http.bench

    def wanted(channel):
        document = of_shop(channel)
        key = document.pop("idempotency_key")
        return bench.request(document, key=key, caller=OPERATOR)

    look, found = bench.record.look, []

    def looked(*asked):
        seen = look(*asked)
        monkeypatch.setattr(bench.record, "look", look)
        found.extend(bench.registrar.register([wanted("phone")]))
        return seen

    monkeypatch.setattr(bench.record, "look", looked)
    (refused,) = bench.registrar.register([wanted("web")])
    assert refused.code == "intake.key_reused"
    assert [each.case_id for each in bench.events()] == [found[0].case_id]


def test_a_file_that_came_before_is_named_with_its_run(client, tmp_path):
    path = written(tmp_path, {})
    first = run_import(client, path, CFPB)
    assert first.before is None
    later = datetime(2030, 1, 1, tzinfo=UTC)
    for dry_run in (True, False):
        again = run_import(client, path, CFPB, dry_run=dry_run, now=lambda: later)
        assert (again.before["batch"], again.before["cases"]) == (first.batch, 1)
    assert run_import(client, path, CFPB, batch_id=first.batch).before is None
    assert run_import(client, written(tmp_path, {}, {}), CFPB).before is None
