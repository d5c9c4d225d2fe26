"""The AsyncAPI document says of every event where it is published, and nothing else."""

from urllib.parse import unquote

from events.catalogue import EVENTS
from events.subjects import Stream
from events.vocabulary import Audience
from services.documentation.asyncapi import describe


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
    assert set(channels) == wanted


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
