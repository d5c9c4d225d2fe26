"""What is read to be folded has the values that the codec reads, or its error."""

from __future__ import annotations

import pytest

from events import codec, quick
from events.catalogue import EVENTS
from events.codec import MalformedEventError, NewerVersionError, UnknownTypeError
from events.examples import EXAMPLES
from tests.support.given import STAGES, enveloped
from tests.support.read_quickly import same_when_quick


@pytest.mark.parametrize("name", EVENTS)
def test_every_type_is_read_as_the_codec_reads_it(name: str):
    same_when_quick(EXAMPLES[name])


@pytest.mark.parametrize("stage", STAGES)
def test_the_events_of_a_life_are(stage: str):
    for event in enveloped(STAGES[stage]):
        same_when_quick(event)


def test_whatever_does_not_fit_is_as_the_codec_has_it():
    event = EXAMPLES["ComplaintInvestigated"]
    body = codec.encode(event)
    older = body.replace(b'"schema_version":2', b'"schema_version":1').replace(
        b'"facts_match":"yes"', b'"facts_match":true'
    )
    assert older != body
    assert quick.decode(event.type, older) == codec.decode(older)
    newer = body.replace(b'"schema_version":2', b'"schema_version":9')
    with pytest.raises(NewerVersionError):
        quick.decode(event.type, newer)
    for wrong in (b"{}", b"[1", body.replace(b'"version":', b'"Version":')):
        with pytest.raises(MalformedEventError):
            quick.decode(event.type, wrong)
    with pytest.raises(UnknownTypeError):
        quick.decode("Later", body.replace(b"ComplaintInvestigated", b"Later"))
    other = EXAMPLES["ComplaintClosed"]
    assert quick.decode(event.type, codec.encode(other)) == other, "the bytes decide"
