"""The AsyncAPI document says of every event where it is published, and nothing else."""

from datetime import UTC, datetime
from urllib.parse import unquote

from events.catalogue import EVENTS
from events.subjects import Stream
from events.vocabulary import Audience
from services.documentation.asyncapi import HANDED_IN, describe
from services.intake.domain.submission import Submission


def test_every_event_of_the_catalogue_is_described_on_its_streams() -> None:
    channels = describe("1")["channels"]
    wanted = {f"{Stream.CASES}.{name}" for name in EVENTS} | {
        "INTAKE.ComplaintReceived"
    }
    wanted |= {
        f"{Stream.DEPARTMENTS}.{name}"
        for name, event in EVENTS.items()
        if event.audience is Audience.DEPARTMENTS
    }
    assert set(channels) == wanted | {HANDED_IN}


def test_what_channels_hand_in_is_described_as_received() -> None:
    document = describe("1")
    channel = document["channels"][HANDED_IN]
    assert channel["address"] == "amends.submit.{channel}"
    assert channel["x-consumers"] == ["intake"]
    assert document["operations"][HANDED_IN]["action"] == "receive"
    message = document["components"]["messages"][f"{HANDED_IN}:Message"]
    schema = document["components"]["schemas"][message["payload"]["$ref"][21:]]
    assert set(schema["properties"]) == set(Submission.model_fields)
    (example,) = message["examples"]
    Submission.parse(example["payload"], now=datetime(2026, 1, 1, tzinfo=UTC))


def test_each_message_has_the_fields_of_its_event() -> None:
    document = describe("1")
    schemas = document["components"]["schemas"]
    messages = document["components"]["messages"]
    for name, event in EVENTS.items():
        payload = messages[f"CASES.{name}:Message"]["payload"]["$ref"]
        envelope = schemas[unquote(payload.rsplit("/", 1)[1])]
        assert envelope["properties"]["type"]["const"] == name
        data = envelope["properties"]["data"]["$ref"].rsplit("/", 1)[1]
        assert set(schemas[data]["properties"]) == set(event.model_fields)


def test_each_message_has_an_example_and_each_channel_its_readers() -> None:
    document = describe("1")
    for name in EVENTS:
        [example] = document["components"]["messages"][f"CASES.{name}:Message"][
            "examples"
        ]
        assert example["payload"]["type"] == name
        channel = document["channels"][f"CASES.{name}"]
        assert channel["x-consumers"] == ["analytics", "intake"]


def test_the_document_is_the_same_at_every_call() -> None:
    assert describe("1") == describe("1")
