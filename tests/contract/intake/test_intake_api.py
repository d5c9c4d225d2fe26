"""Intake's HTTP contract (design section 5) over both databases."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest

from services.kernel.errors import UnavailableError
from services.kernel.measures import RECEIPTS_REFUSED
from services.kernel.room import Room
from tests.support.intake import GOOD
from tests.support.intake_http import URL, UUID_KEY, door, sent


@pytest.fixture
def http(make_database):
    with door(make_database) as opened:
        yield opened


def test_a_receipt_is_created_and_given_again(http):
    made = http.post(GOOD, key=UUID_KEY)
    assert made.status_code == 201
    receipt = made.json()
    assert set(receipt) == {
        "receipt_no",
        "access_code",
        "case_id",
        "status_url",
        "received_at",
    }
    assert receipt["received_at"] == "2026-03-04T12:00:00.000000Z"
    assert made.headers["location"] == receipt["status_url"]
    again = http.post(GOOD, key=UUID_KEY)
    assert (again.status_code, again.json()) == (200, receipt)


def test_a_reused_key_is_a_problem_with_its_code(http):
    http.post(GOOD, key=UUID_KEY)
    refused = http.post(GOOD | {"statement": "Else."}, key=UUID_KEY)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "intake.key_reused"


@pytest.mark.parametrize(
    ("document", "by", "key", "refusal"),
    [
        (GOOD, None, None, (422, "intake.key_needed")),
        (GOOD, None, "1", (422, "intake.key_needed")),
        (GOOD, "stale", UUID_KEY, (401, "access.unknown_token")),
        (GOOD, "hotline-token", None, (403, "intake.channel_not_yours")),
        (b"{", None, UUID_KEY, (400, "json.syntax")),
        (b'{"a":1,"a":2}', None, UUID_KEY, (422, "json.refused")),
        (b'{"a":NaN}', None, UUID_KEY, (400, "json.number")),
        (b"\xff\xfe{}", None, UUID_KEY, (400, "json.encoding")),
        (b'{"a":"\\ud800"}', None, UUID_KEY, (422, "json.refused")),
        (b'{"a":"\\u0000"}', None, UUID_KEY, (422, "json.refused")),
        (b"[" * 40 + b"]" * 40, None, UUID_KEY, (422, "json.too_deep")),
        (b" " * (1024**2 + 1), None, UUID_KEY, (413, "http.too_large")),
        ({}, None, UUID_KEY, (422, "intake.invalid")),
        (GOOD | {"channel": "pigeon"}, "clerk-token", None, (422, "intake.invalid")),
    ],
)
def test_every_refusal_is_typed_and_stores_nothing(http, document, by, key, refusal):
    refused = http.post(document, by=by, key=key)
    assert (refused.status_code, refused.json()["code"]) == refusal
    assert http.bench.events() == []


def test_a_problem_names_every_field(http):
    refused = http.post({"channel": "web", "demand": ["x"], "colour": 1}, key=UUID_KEY)
    fields = {each["field"] for each in refused.json()["errors"]}
    assert fields == {"statement", "contact.email", "demand[0]", "colour"}
    assert all(each["remedy"] for each in refused.json()["errors"])


def test_the_same_key_at_the_same_time_is_one_complaint(http):
    request = sent(GOOD, key=UUID_KEY)
    answers = http.together([("POST", URL, request)] * 32)
    assert sorted(answer.status_code for answer in answers) == [200] * 31 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert len(http.bench.events()) == 1


def test_what_cannot_be_kept_gets_no_receipt(http):
    def full(_filings):
        raise UnavailableError("intake.store_unavailable", "Ask again.", retry_after=5)

    http.bench.record.keep = full
    refused = http.post(GOOD, key=UUID_KEY)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert "receipt_no" not in refused.text


def test_where_the_disk_is_nearly_full_there_is_no_receipt(http):
    """And there is one again as soon as there is room, without a restart."""
    free = [0, 10**12]
    http.bench.intake.room = Room(Path(), usage=lambda _: (10**12, 0, free[0]), every=0)
    refused = http.post(GOOD, key=UUID_KEY)
    assert (refused.status_code, refused.json()["code"]) == (503, "service.no_room")
    assert int(refused.headers["retry-after"]) > 0
    assert http.bench.events() == []
    free.pop(0)
    assert http.post(GOOD, key=UUID_KEY).status_code == 201


def test_beyond_what_can_wait_each_is_told_at_once_and_receipts_are_kept(http):
    """Whoever is refused knows it while the recorder has not answered anybody."""
    busy, release, writer = Event(), Event(), http.bench.writer
    receipts = http.bench.intake.receipts

    def slow() -> None:
        busy.set()
        release.wait()

    def refused() -> int:
        told = receipts.figures()
        return sum(each.value for each in told if each.measure is RECEIPTS_REFUSED)

    writer.limit = 20
    requests = [("POST", URL, sent(GOOD, key=str(UUID(int=n)))) for n in range(60)]
    with ThreadPoolExecutor(2) as beside:
        beside.submit(lambda: asyncio.run(writer.run(slow)))
        busy.wait()
        answering = beside.submit(http.together, requests)
        while refused() < 40:
            assert not answering.done()
        assert writer.figures()[0].value == 20, "no more is held than may wait"
        release.set()
        answers = answering.result()
    given = [each.json() for each in answers if each.status_code == 201]
    turned_away = [each for each in answers if each.status_code == 503]
    assert (len(given), len(turned_away)) == (20, 40)
    assert {each.json()["code"] for each in turned_away} == {"service.busy"}
    assert all(int(each.headers["retry-after"]) > 0 for each in turned_away)
    kept = {str(event.case_id) for event in http.bench.events()}
    assert kept == {each["case_id"] for each in given}


def test_a_batch_answers_every_line(http):
    lines = [
        GOOD | {"idempotency_key": "1"},
        b"",
        b"{broken",
        GOOD | {"idempotency_key": "1"},
        GOOD | {"idempotency_key": "1", "statement": "Else."},
        GOOD | {"idempotency_key": 7},
        [],
        b'"' + b"x" * 1024**2 + b'"',
        GOOD | {"idempotency_key": "2", "contact": {"name": 1}},
        GOOD,
    ]
    results = http.batch(lines)
    assert [(each["line"], each["status"]) for each in results] == [
        (1, 201),
        (3, 400),
        (4, 200),
        (5, 409),
        (6, 422),
        (7, 422),
        (8, 413),
        (9, 422),
        (10, 201),
    ]
    assert results[0]["receipt_no"] == results[2]["receipt_no"]
    assert results[1]["code"] == "json.syntax"
    assert len(http.bench.events()) == 2


def test_a_batch_of_strangers_needs_uuids(http):
    lines = [
        GOOD | {"idempotency_key": "1"},
        GOOD | {"idempotency_key": UUID_KEY},
        GOOD | {"channel": "phone", "contact": {"name": "A", "phone": "1"}},
    ]
    results = http.batch(lines, by=None)
    assert [each["status"] for each in results] == [422, 201, 403]


def test_status_by_number_with_spaces(http):
    receipt = http.post(GOOD, key=UUID_KEY).json()
    number = receipt["receipt_no"]
    spaced = "%20".join(number[n : n + 4] for n in range(0, 16, 4))
    for url in (receipt["status_url"], f"{URL}/{spaced}"):
        status = http.ask("GET", url).json()
        assert status == {
            "receipt_no": number,
            "state": "RECEIVED",
            "unit": None,
            "received_at": "2026-03-04T12:00:00.000000Z",
            "promised": [],
            "timeline": [
                {"type": "ComplaintReceived", "at": "2026-03-04T12:00:00.000000Z"}
            ],
            "as_of": "2026-03-04T12:00:00.000000Z",
        }


def test_a_mistyped_number_gets_a_hint(http):
    number = http.post(GOOD, key=UUID_KEY).json()["receipt_no"]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    missing = http.ask("GET", f"{URL}/{wrong}")
    assert missing.status_code == 404
    assert "16 digits" in missing.json()["detail"]


def test_status_is_rate_limited_for_strangers(make_database):
    with door(make_database, per_minute=3) as http:
        url = f"{URL}/0000000000000000"
        asked = [http.ask("GET", url) for _ in range(4)]
        assert [each.status_code for each in asked] == [404, 404, 404, 429]
        assert asked[-1].headers["retry-after"]
        operator = {"Authorization": "Bearer operator-token"}
        assert http.ask("GET", url, headers=operator).status_code == 404


def test_the_description_of_the_api_shows_the_submission(http):
    described = http.app.openapi()
    operation = described["paths"][URL]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert "$ref" not in json.dumps(schema)
    assert "required" not in schema  # a channel's credential names the channel
    assert schema["properties"]["channel"]
    assert schema["properties"]["contact"]
