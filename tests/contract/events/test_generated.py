"""What is generated from the models agrees with them: schemas and reference."""

import json
from pathlib import Path

import pytest

from events import codec, reference, schemas
from events.catalogue import EVENTS
from events.examples import EXAMPLES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "events.md"


def test_every_event_has_a_schema_and_nothing_else_has():
    assert {path.stem for path in schemas.FOLDER.glob("*.json")} == EVENTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_the_schema_is_that_of_the_model(name: str):
    written = (schemas.FOLDER / f"{name}.json").read_text("utf-8")
    assert written == schemas.schema(EVENTS[name]), "run python -m events.schemas"


@pytest.mark.parametrize("name", EVENTS)
def test_the_schema_names_its_type_and_stays_open(name: str):
    schema = json.loads((schemas.FOLDER / f"{name}.json").read_text("utf-8"))
    example = json.loads(codec.encode(EXAMPLES[name]))
    properties = schema["properties"]
    assert properties["type"]["const"] == name
    assert properties["schema_version"]["const"] == EVENTS[name].schema_version
    data = schema["$defs"][name]
    for part, value in ((schema, example), (data, example["data"])):
        assert value.keys() <= part["properties"].keys()
        assert set(part.get("required", ())) <= value.keys()
        assert "additionalProperties" not in part


def test_schemas_are_written_where_they_are_read(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    (tmp_path / "ComplaintForgotten.json").touch()
    (tmp_path / "ComplaintClosed.json").touch()
    schemas.write()
    assert {path.stem for path in tmp_path.iterdir()} == EVENTS.keys()
    assert json.loads((tmp_path / "ComplaintClosed.json").read_text("utf-8"))


def test_the_reference_is_that_of_the_models():
    assert PAGE.read_text("utf-8") == reference.reference(), (
        "run python -m events.reference docs/reference/events.md"
    )


@pytest.mark.parametrize("name", EVENTS)
def test_the_reference_tells_every_event(name: str):
    page = PAGE.read_text("utf-8")
    event = EVENTS[name]
    assert f"### {name}\n\n{event.__doc__}" in page
    assert f"* 中文: {event.zh}\n" in page
    assert f'"event_id": "{EXAMPLES[name].event_id}"' in page
