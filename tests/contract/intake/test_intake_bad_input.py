"""Hostile input through HTTP and batch: no 5xx, nothing half-stored, words unchanged."""

import csv
import json

import pytest

from tests.support.intake import GOOD
from tests.support.intake_http import URL, door, sent


@pytest.fixture
def http(make_database):
    with door(make_database) as opened:
        yield opened


@pytest.fixture(scope="module")
def bad(real_data):
    return real_data / "badinput"


def naughty(bad):
    strings = json.loads((bad / "blns/blns.json").read_text("utf-8"))
    own = json.loads((bad / "own/text_values.json").read_bytes())
    formulas = json.loads((bad / "own/csv_formula.json").read_bytes())
    tables = sorted((bad / "csv-spectrum/csvs").glob("*.csv"))
    return [
        *strings,
        *(each["value"] for each in own),
        *(each["cell"] for each in formulas),
        *(path.read_text("utf-8") for path in tables),
    ]


def test_json_that_nobody_should_accept_is_refused(http, bad):
    files = sorted((bad / "jsontestsuite/test_parsing").glob("*.json"))
    files += sorted((bad / "jsontestsuite/test_transform").glob("*.json"))
    assert len(files) > 300
    bodies = [path.read_bytes() for path in files]
    single = http.together(
        [("POST", URL, sent(body, by="clerk-token")) for body in bodies]
    )
    for path, answer in zip(files, single, strict=True):
        assert answer.status_code in {400, 422}, (path.name, answer.status_code)
        assert answer.headers["content-type"] == "application/problem+json"
        if path.name.startswith("n_"):
            assert answer.json()["code"].startswith(("json.", "intake.invalid"))
    lines = [body for body in bodies if b"\n" not in body and body.strip()]
    results = http.batch(lines)
    assert len(results) == len(lines)
    assert {each["status"] for each in results} <= {400, 422}
    assert http.bench.events() == []


def test_a_statement_comes_back_as_it_was_sent_or_is_refused(http, bad):
    strings = naughty(bad)
    assert len(strings) > 500
    requests = [
        ("POST", URL, sent(_statement(text), by="clerk-token")) for text in strings
    ]
    kept = {}
    for text, answer in zip(strings, http.together(requests), strict=True):
        if answer.status_code == 201:
            kept[answer.json()["case_id"]] = text
        else:
            assert answer.status_code == 422, (text[:40], answer.text)
    assert len(kept) > 450
    for event in http.bench.events():
        words = http.bench.words(event.data.statement.document_id)
        assert words == kept.pop(str(event.case_id))
    assert kept == {}


@pytest.mark.parametrize(
    "path",
    [
        ("contact", "name"),
        ("contact", "customer_no"),
        ("order_no",),
        ("product", "model"),
        ("product", "serial"),
        ("product", "lot"),
        ("desired_outcome",),
    ],
)
def test_a_field_comes_back_as_it_was_sent_or_is_refused(http, bad, path):
    strings = naughty(bad)
    lines = []
    for number, text in enumerate(strings):
        line = GOOD | {"idempotency_key": str(number)}
        if len(path) == 2:
            outer, inner = path
            line |= {outer: line.get(outer, {}) | {inner: text}}
        else:
            line |= {path[0]: text}
        lines.append(json.dumps(line).encode())
    results = http.batch(lines)
    assert {each["status"] for each in results} <= {201, 422}
    accepted = {
        each["case_id"]: text
        for each, text in zip(results, strings, strict=True)
        if each["status"] == 201
    }
    assert len(accepted) > 400
    for event in http.bench.events():
        text = accepted.pop(str(event.case_id))
        data = event.data
        if path == ("desired_outcome",):
            told = data.desired_outcome
            words = http.bench.words(told.document_id) if told else ""
        else:
            sealed = json.loads(http.bench.words(data.particulars.document_id))
            words = sealed.get(path[0], "")
            words = words.get(path[1], "") if len(path) == 2 and words else words
            if path[0] == "product" and not words:
                words = getattr(data.product, path[1])  # it was a code
        assert words == text


def test_a_pump_in_any_field_is_answered(http, bad):
    """None of them keeps an expression busy: one that did would not end."""
    for pump in json.loads((bad / "own/redos_pumps.json").read_bytes()):
        text = pump["prefix"] + pump["pump"] * pump["repeat"] + pump["suffix"]
        lines = [
            GOOD | {"statement": text},
            GOOD | {"contact": {"name": "A", "email": text}},
            GOOD | {"contact": {"name": "A", "phone": text}},
            GOOD | {"contact": {"name": text[:200], "phone": "+8613800138000"}},
            GOOD | {"order_no": text[:200], "event_at": text, "purchase_date": text},
            GOOD | {"category": text, "dealer": text},
        ]
        results = http.batch([json.dumps(line).encode() for line in lines])
        assert {each["status"] for each in results} <= {201, 422}, pump["for"]


def test_csv_files_of_strangers_survive_as_statements(http, bad):
    """Cells of csv-spectrum, as its own JSON says they read."""
    for path in sorted((bad / "csv-spectrum/csvs").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            for cell in filter(str.strip, row.values()):
                http.post(GOOD | {"statement": cell}, by="clerk-token")
                event = http.bench.events()[-1]
                assert http.bench.words(event.data.statement.document_id) == cell


def _statement(text):
    return json.dumps(GOOD | {"statement": text}).encode()
