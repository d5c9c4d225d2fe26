"""Whatever the models allow comes back from bytes unchanged; nothing else crashes."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events import codec, subjects
from events.catalogue import EVENTS
from events.codec import MalformedEventError, UnreadableEventError
from events.envelope import Envelope, Event
from tests.support.event_strategies import any_envelope, envelopes
from tests.support.read_quickly import same_when_quick

# Chance decides what it reaches: the report counts the tests of single cases alone.
pytestmark = pytest.mark.no_cover

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.__name__)
def test_decode_undoes_encode(event: type[Event]):
    @given(envelopes(event))
    def check(envelope: Envelope[Event]) -> None:
        body = codec.encode(envelope)
        assert codec.decode(body) == envelope
        assert codec.encode(codec.decode(body)) == body
        same_when_quick(envelope)
        assert codec.peek(body) == (
            envelope.case_id,
            envelope.version,
            envelope.type,
            envelope.schema_version,
        )
        assert subjects.headers(codec.heading(body)) == subjects.headers(envelope)
        told = codec.hearing(body)
        assert told.type == envelope.type
        assert (told.origin, told.departments) == (
            envelope.origin,
            envelope.departments,
        )

    check()


@given(any_envelope(), st.data())
def test_unknown_fields_and_other_versions_never_crash(
    envelope: Envelope[Event], data: st.DataObject
):
    body = json.loads(codec.encode(envelope))
    places = [body, body["data"], body["actor"]]
    for _ in range(data.draw(st.integers(1, 3))):
        place: dict[str, Any] = data.draw(st.sampled_from(places))
        place[data.draw(st.sampled_from(sorted(place) or ["new"]) | st.text())] = (
            data.draw(JSON)
        )
    body["schema_version"] = data.draw(st.integers(-1, 4) | JSON)
    with suppress(MalformedEventError, UnreadableEventError):
        codec.decode(json.dumps(body).encode())


@given(any_envelope(), st.dictionaries(st.text(), JSON, max_size=3))
def test_what_a_later_writer_adds_changes_nothing(
    envelope: Envelope[Event], added: dict[str, Any]
):
    body = json.loads(codec.encode(envelope))
    later = {f"later_{name}": value for name, value in added.items()}
    for place in (body, body["data"], body["actor"]):
        place.update(later)
    assert codec.decode(json.dumps(body).encode()) == envelope


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 10_000)
@example(b'{"type":"ComplaintClosed"}')
def test_bytes_that_are_no_event_are_malformed(body: bytes):
    with pytest.raises(MalformedEventError):
        codec.decode(body)
