"""Writes the JSON Schema of every event into schemas/: `python -m events.schemas`."""

import json
from pathlib import Path
from typing import Final

from events.catalogue import EVENTS
from events.envelope import Event, envelope_type

FOLDER: Final = Path(__file__).parent / "schemas"


def schema(event: type[Event]) -> str:
    """Give the schema of one event in its envelope, as the file's text."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **envelope_type(event).model_json_schema(),
        "title": event.__name__,
        "description": event.__doc__,
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def write() -> None:
    """Write all schemas and remove those of types that there are no longer."""
    for path in FOLDER.glob("*.json"):
        if path.stem not in EVENTS:
            path.unlink()
    for name, event in EVENTS.items():
        (FOLDER / f"{name}.json").write_text(schema(event), encoding="utf-8")


if __name__ == "__main__":
    write()
