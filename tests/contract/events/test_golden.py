"""The bytes of every released version are read for ever, and written as before.

A golden file is written once, by the first run of this test that misses it; look at
it and commit it. Once its version is released it never changes.
A field that is added later is absent from these bytes and must stay absent from
what is written anew: it defaults to None, or the event gets a new version.
"""

import json
from pathlib import Path

import pytest

from events import codec
from events.catalogue import EVENTS
from events.examples import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"
RELEASED = [
    (name, version)
    for name, event in EVENTS.items()
    for version in range(1, event.schema_version + 1)
]


def golden(name: str, version: int) -> bytes:
    return (GOLDEN / f"{name}.v{version}.json").read_bytes()


def test_every_version_of_every_event_has_its_bytes_and_nothing_else_has():
    expected = {f"{name}.v{version}.json" for name, version in RELEASED}
    assert {path.name for path in GOLDEN.iterdir()} == expected


@pytest.mark.parametrize(("name", "version"), RELEASED)
def test_released_bytes_read_as_the_example(name: str, version: int):
    body = golden(name, version)
    assert codec.peek(body)[2:] == (name, version)
    assert codec.decode(body) == EXAMPLES[name]


@pytest.mark.parametrize(("name", "version"), RELEASED)
def test_what_was_read_is_written_as_the_current_bytes(name: str, version: int):
    current = golden(name, EVENTS[name].schema_version)
    assert codec.encode(codec.decode(golden(name, version))) == current


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_is_written_as_it_was_released(name: str):
    written = codec.encode(EXAMPLES[name])
    path = GOLDEN / f"{name}.v{EVENTS[name].schema_version}.json"
    if not path.exists():
        path.write_bytes(written)
        pytest.fail(f"{path.name} was not there and is now: look at it, commit it")
    assert path.read_bytes() == written


def test_the_first_version_of_an_investigation_differs():
    old = json.loads(golden("ComplaintInvestigated", 1))["data"]["facts_match"]
    new = json.loads(golden("ComplaintInvestigated", 2))["data"]["facts_match"]
    assert (old, new) == (True, "yes")
