"""The workload is what it says it is, and the oracle knows what must come of it."""

import ast
import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from bench import oracle as oracle_module
from bench.oracle import Oracle
from bench.workload import CHANNELS, EARLIER_BY, Workload

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
SEED = 20260302
DOCUMENT = {
    "statement": "It leaks.",
    "category": "product/leak",
    "contact": {"phone": "1"},
}


@pytest.fixture(scope="module")
def messages():
    return Workload(SEED, START).messages(1_000)


def test_the_same_seed_gives_the_same_messages_and_another_others(messages):
    assert Workload(SEED, START).messages(1_000) == messages
    assert Workload(SEED + 1, START).messages(10) != messages[:10]


def test_it_holds_what_comes_twice_what_is_invalid_and_what_conflicts(messages):
    oracle = Oracle()
    taken = Counter(oracle.take(m.key, m.channel, m.document) for m in messages)
    assert taken["received"] == len(oracle.cases) == 1_000
    assert all(taken[each] for each in ("repeated", "invalid", "reused"))
    assert sum(taken.values()) < 1_040


def test_customers_and_channels_are_as_zipf_has_it(messages):
    channels = Counter(each.channel for each in messages)
    assert set(channels) == set(CHANNELS)
    assert channels[CHANNELS[0]] > 2 * channels[CHANNELS[-1]]
    oracle = Oracle()
    for each in messages:
        oracle.take(each.key, each.channel, each.document)
    assert 50 < oracle.people < 900


def test_they_arrive_in_another_order_than_they_claim(messages):
    claimed = [each.document["occurred_at"] for each in messages]
    assert claimed != sorted(claimed)
    earliest = (START - EARLIER_BY).isoformat(timespec="seconds")
    assert earliest[:19] <= min(claimed)[:19]
    assert max(claimed) < START.isoformat()


def test_words_are_of_300_to_4000_characters_in_both_languages(messages):
    words = [
        each.document["statement"] for each in messages if "statement" in each.document
    ]
    lengths = [len(each) for each in words if each.count(" ") > 20]
    assert min(lengths) >= 299
    assert max(lengths) <= 4_000
    assert any("投诉" in each for each in words)
    assert any(" the " in each for each in words)


def test_cases_live_for_four_to_twelve_events_and_a_few_commands_are_refused(messages):
    workload, oracle = Workload(SEED, START), Oracle()
    for message in messages:
        if oracle.take(message.key, message.channel, message.document) == "received":
            for step in workload.life(message):
                oracle.do(message.key, message.channel, step.command, step.payload)
    lengths = Counter(len(case.events) for case in oracle.cases.values())
    assert set(lengths) == set(range(4, 13))
    assert 0 < oracle.refused < 60


def test_the_oracle_follows_a_case_to_its_end():
    oracle = Oracle()
    oracle.take("k", "web", DOCUMENT)
    accept = {"category": "product/leak", "first_contact": True}
    assert oracle.do("k", "web", "resolve", {}) is None
    assert oracle.do("k", "web", "accept", accept) == ("ComplaintAccepted",)
    assert oracle.do("k", "web", "resolve", {}) == (
        "EvidenceAdded",
        "ComplaintResolved",
    )
    assert oracle.cases["web/k"].state == "RESOLVED"
    assert oracle.refused == 1
    assert oracle.count("state") == {"RESOLVED": 1}


def test_the_oracle_takes_a_key_once():
    oracle = Oracle()
    assert oracle.take("k", "web", DOCUMENT) == "received"
    assert oracle.take("k", "web", dict(DOCUMENT)) == "repeated"
    assert oracle.take("k", "phone", DOCUMENT) == "received"
    other = {**DOCUMENT, "statement": "Something else."}
    assert oracle.take("k", "web", other) == "reused"
    assert oracle.take("n", "web", {**DOCUMENT, "colour": "green"}) == "invalid"
    assert oracle.rejected == {"intake.key_reused": 1, "intake.invalid": 1}


def test_the_oracle_shares_no_code_with_what_it_judges():
    """Were it to import the product, a fault of the product would be its own."""
    tree = ast.parse(Path(oracle_module.__file__).read_text())
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {
        "__future__",
        "collections",
        "collections.abc",
        "dataclasses",
        "typing",
    }
