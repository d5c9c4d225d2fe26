"""Bytes are read in one pass; what cannot be read is told apart and never quoted."""

import json
import traceback
from typing import Any

import pytest

from events import codec, upcasts
from events.catalogue import EVENTS
from events.codec import MalformedEventError, NewerVersionError, UnknownTypeError
from events.examples import EXAMPLES

RECEIVED = EXAMPLES["ComplaintReceived"]
BODY = codec.encode(RECEIVED)
WORDS = "Wang Fang 13800138000"


def changed(type_: str = "ComplaintReceived", **changes: Any) -> bytes:
    """An example's bytes with fields replaced; a dot reaches into the data."""
    body = json.loads(codec.encode(EXAMPLES[type_]))
    for path, value in changes.items():
        *above, field = path.split("__")
        target = body
        for name in above:
            target = target[name]
        target[field] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize("type_", EVENTS)
def test_an_example_survives_the_way_through_bytes(type_: str):
    example = EXAMPLES[type_]
    read = codec.decode(codec.encode(example))
    assert read == example
    assert type(read) is type(example)
    assert type(read.data) is EVENTS[type_]


def test_bytes_are_compact_and_hold_no_empty_field():
    text = BODY.decode()
    assert ": " not in text
    assert "null" not in text
    assert '"price":{"amount":"249.00","currency":"CNY"}' in text


def test_a_reader_ignores_what_it_does_not_know():
    body = changed(
        from_the_future={"a": [1, {}]},
        actor__shoe_size=43,
        data__mood="good",
        data__product__colour="red",
    )
    assert codec.decode(body) == RECEIVED


def test_peek_reads_what_ordering_needs_even_of_what_cannot_be_read():
    assert codec.peek(BODY) == (RECEIVED.case_id, 1, "ComplaintReceived", 1)
    body = changed(type="ComplaintPraised", schema_version=7, data=[], actor=None)
    assert codec.peek(body) == (RECEIVED.case_id, 1, "ComplaintPraised", 7)


def test_heading_reads_all_but_the_data():
    body = changed("ComplaintInvestigated", schema_version=1, data={})
    heading = codec.heading(body)
    example = EXAMPLES["ComplaintInvestigated"]
    assert heading.schema_version == 1
    assert heading.departments == example.departments
    assert heading.event_id == example.event_id


def test_an_unknown_type_is_held():
    with pytest.raises(
        UnknownTypeError, match="ComplaintPraised version 1: upgrade"
    ) as it:
        codec.decode(changed(type="ComplaintPraised"))
    assert it.value.about == (RECEIVED.case_id, 1, "ComplaintPraised", 1)


@pytest.mark.parametrize(
    "change",
    [{}, {"data": {"all": "new"}}, {"channel": "telepathy"}, {"actor": "someone"}],
)
def test_a_newer_version_is_held_whatever_it_holds(change: dict[str, Any]):
    with pytest.raises(NewerVersionError) as it:
        codec.decode(changed(**change, schema_version=2))
    assert it.value.about == (RECEIVED.case_id, 1, "ComplaintReceived", 2)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"words"',
        BODY[:-1],
        BODY + b"}",
        b"\xff" + BODY,
        BODY.decode().encode("utf-16"),
        b"[" * 100_000,
        BODY.replace(b'"default"', b'"\\ud800"'),
        BODY.replace(b'"default"', b'"a\\u0000"'),
        changed(version=0),
        changed(version="1"),
        changed(version=1.5),
        changed(schema_version=0),
        changed(schema_version=None),
        changed(event_id="6f0c2a51-93de-8b47-a1f4-0d7a3c52e901"),
        changed(case_id="kettle"),
        changed(occurred_at="2025-09-01T08:30:00"),
        changed(occurred_at=1_756_715_400),
        changed(occurred_at="0001-01-01T00:00:00+08:00"),
        changed(channel="telepathy"),
        changed(policy={"clocks": 1}),
        changed(data=None),
        changed(data__product__price__amount=249.0),
        changed(data__demand="repair"),
        changed(data__receipt_no=4837291500627714),
        changed("ComplaintInvestigated", data__findings=[]),
        changed("ComplaintInvestigated", data__systemic=1),
        changed("ComplaintInvestigated", schema_version=1, data=[]),
        changed("ComplaintInvestigated", schema_version=1, data={}),
        changed("ComplaintInvestigated", schema_version=1, data="facts_match"),
    ],
)
def test_what_is_no_event_is_malformed(body: bytes):
    with pytest.raises(MalformedEventError):
        codec.decode(body)


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError])
def test_data_that_cannot_be_upcast_is_malformed(monkeypatch, error: type[Exception]):
    def step(_data: object) -> None:
        raise error(WORDS)

    monkeypatch.setitem(upcasts.UPCASTS, ("ComplaintInvestigated", 1), step)
    with pytest.raises(MalformedEventError, match="version 1 cannot be upcast") as it:
        codec.decode(changed("ComplaintInvestigated", schema_version=1))
    assert "Wang" not in "".join(traceback.format_exception(it.value))


@pytest.mark.parametrize(
    "body",
    [
        changed(tenant=WORDS),
        changed(channel=WORDS),
        changed(policy={WORDS: "1"}),
        changed(data__receipt_no=WORDS),
        changed(data={WORDS: WORDS}),
        changed("SatisfactionRecorded", data__score=WORDS),
        changed("ComplaintInvestigated", schema_version=1, data={WORDS: WORDS}),
        f'{{"{WORDS}'.encode(),
        WORDS.encode(),
    ],
)
def test_a_fault_names_the_field_and_quotes_nothing(body: bytes):
    with pytest.raises(MalformedEventError) as it:
        codec.decode(body)
    assert "Wang" not in str(it.value)
    assert "138" not in str(it.value)
    assert "Wang" not in "".join(traceback.format_exception(it.value))


def test_a_fault_names_its_place():
    with pytest.raises(MalformedEventError, match=r"data\.receipt_no: string_pattern"):
        codec.decode(changed(data__receipt_no="1"))
