"""Writes the reference of all events as Markdown: `python -m events.reference FILE`."""

import inspect
import json
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from events import catalogue, envelope, vocabulary
from events.catalogue import EVENTS
from events.codec import encode
from events.envelope import Event, Heading, Part
from events.examples import EXAMPLES

Schema = dict[str, Any]

_PLAIN: Final = {
    "uuid": "UUID",
    "uuid7": "UUIDv7",
    "date": "date",
    "date-time": "instant",
    "boolean": "yes or no",
    "integer": "integer",
}

_INTRODUCTION: Final = """\
# Events

<!-- Written by `python -m events.reference`; a test compares it with the models. -->

Every fact about a complaint is one of these {count} events.
An event holds codes, never words: what people wrote lies in a vault, and the event
names the document and a digest of it.
A field that does not apply is left out.
A reader ignores fields that it does not know, reads older versions as the current
one, and holds an event of a newer version until it is upgraded.
"""

_NOTES: Final = """\
An instant is RFC 3339 in UTC with six decimals, an amount is a decimal string.
"""


class Field(NamedTuple):
    """One field; what it `holds` is Markdown with links to `#<part in lower case>`."""

    name: str
    holds: str
    required: bool
    meaning: str


def reference() -> str:
    """Give the whole page."""
    return "\n".join(
        (
            _INTRODUCTION.format(count=len(EVENTS)),
            *_overview(),
            "## The envelope\n",
            _NOTES,
            *_fields(Heading),
            "## The events\n",
            *(line for event in EVENTS.values() for line in _event(event)),
            "## Parts\n",
            *(line for part in parts() for line in _section(part, _fields(part))),
            "## Codes\n",
            *(f"* **{name}**: `{shape['pattern']}`" for name, shape in codes()),
            "",
            "## Vocabulary\n",
            *(line for words in vocabularies() for line in _words(words)),
        )
    )


def _overview() -> Iterator[str]:
    yield "| event | 中文 | the case is then | audience |"
    yield "|---|---|---|---|"
    for name, event in EVENTS.items():
        yield (
            f"| [{name}](#{name.lower()}) | {event.zh} "
            f"| {event.leads_to or 'as before'} | {event.audience} |"
        )
    yield ""


def _event(event: type[Event]) -> Iterator[str]:
    yield from _section(event, _fields(event))
    yield f"* 中文: {event.zh}"
    yield f"* Schema version: {event.schema_version}"
    yield f"* Audience: {event.audience}"
    yield f"* The case is then: {event.leads_to or 'as before'}"
    yield ""
    example = json.loads(encode(EXAMPLES[event.__name__]))
    yield "```json"
    yield json.dumps(example, ensure_ascii=False, indent=2)
    yield "```\n"


def _section(part: type[Part], fields: Iterator[str]) -> Iterator[str]:
    yield f"### {part.__name__}\n"
    yield f"{inspect.getdoc(part)}\n"
    yield from fields


def _fields(part: type[Part]) -> Iterator[str]:
    yield "| field | holds | meaning |"
    yield "|---|---|---|"
    for field in fields(part):
        optional = "" if field.required else ", optional"
        yield f"| `{field.name}` | {field.holds}{optional} | {field.meaning} |"
    yield ""


def fields(part: type[Part]) -> Iterator[Field]:
    """Describe what an event or a part of one is made of."""
    schema = part.model_json_schema()
    for name, field in schema["properties"].items():
        meaning = " ".join(field.get("description", "").split())
        yield Field(name, _holds(field), name in schema.get("required", ()), meaning)


def _holds(field: Schema) -> str:
    """Say in words what a field may hold."""
    match field:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            said = f"[{name}](#{name.lower()})"
        case {"anyOf": [only, {"type": "null"}]}:
            said = _holds(only)
        case {"anyOf": [*several]}:
            said = " or ".join(map(_holds, several))
        case {"enum": words}:
            said = ", ".join(map(str, words))
        case {"pattern": pattern}:
            said = _NAMES[pattern]
        case {"type": "array", "items": items}:
            said = f"list of {_holds(items)}" + _least(field.get("minItems"))
        case {"type": "object"}:
            said = "Code for each Code"
        case _:
            kind = field.get("format") or field["type"]
            said = _PLAIN[kind] + _least(field.get("minimum"))
    return said


def _least(bound: int | None) -> str:
    return "" if bound is None else f", at least {bound}"


def codes() -> Iterator[tuple[str, Schema]]:
    """Name each pattern that a string may be bound to."""
    for name in ("Code", "DepartmentCode", "CategoryPath", "CorrelationId"):
        yield name, TypeAdapter(getattr(envelope, name)).json_schema()
    yield "ReceiptNo", TypeAdapter(catalogue.ReceiptNo).json_schema()
    money, document = envelope.Money, envelope.DocumentRef
    correction = catalogue.Correction
    for name, part, field in (
        ("Amount", money, "amount"),
        ("Currency", money, "currency"),
        ("Digest", document, "digest"),
        ("FieldPath", correction, "field"),
        ("CodedValue", correction, "value"),
    ):
        shape = part.model_json_schema()["properties"][field]
        yield name, shape.get("anyOf", [shape])[0]


_NAMES: Final = {shape["pattern"]: name for name, shape in codes()}


def parts() -> Iterator[type[Part]]:
    """Give the parts that events are made of, in the order in which they are defined."""
    for module in (envelope, catalogue):
        for it in vars(module).values():
            if (
                inspect.isclass(it)
                and issubclass(it, Part)
                and it.__module__ == module.__name__
                and it is not Part
                and not issubclass(it, Event | Heading)
            ):
                yield it


def vocabularies() -> Iterator[type[Enum]]:
    for it in vars(vocabulary).values():
        if (
            inspect.isclass(it)
            and issubclass(it, Enum)
            and it.__module__ == vocabulary.__name__
        ):
            yield it


def _words(words: type[Enum]) -> Iterator[str]:
    yield f"### {words.__name__}\n"
    yield f"{inspect.getdoc(words)}\n"
    yield ", ".join(f"`{word.value}`" for word in words) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
