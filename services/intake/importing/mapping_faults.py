"""Says what is wrong in a mapping file, in the words of whoever writes one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from services.intake.domain.history import Condition, FactRule, HistoryMapping
from services.intake.domain.mapping import TableMapping
from services.kernel.errors import FieldError

_PAGE: Final = "the page 'Import a file' shows a whole mapping file"
_EXAMPLES: Final[Mapping[str, str]] = {
    "format": 'Name the mapping: format = "shop".',
    "zone": 'Name the zone of its days: zone = "Asia/Shanghai".',
    "dates": 'List how it writes dates: dates = ["DD.MM.YYYY"].',
    "key": 'Name the column of its identifiers in braces: key = "shop:{No}".',
    "several_rows": "Write several_rows = true, or leave it out.",
    "occurred_on": 'Name the column of the day: occurred_on = "Date".',
    "statement": 'Name the column: statement = "Text".',
    "channel": 'Name the column: channel = "How".',
    "supplier": 'Name the column: supplier = "Maker".',
    "model": 'List the columns: model = ["Model"].',
    "category": 'List one to four columns: category = ["Topic", "Subtopic"].',
    "fields": 'Write [fields] and below it lines as order_no = "Order".',
    "channels": 'Write [channels] and below it lines as "call" = "phone".',
    "codes": 'Write [codes.model] and below it lines as "Heater 9+" = "heater-9-plus".',
    "history": "Write [[history.facts]] for each fact that a row may state.",
    "history.facts": "Write [[history.facts]] for each fact that a row may state.",
    "history.known": 'Write [history.known] and below it lines as "Column" = ["word"].',
    "history.facts.fact": "Say which fact it is.",
    "history.facts.when": 'List what must hold: when = [{ column = "State", one_of = ["Closed"] }].',
    "history.facts.when.column": 'Name the column: column = "State".',
    "history.facts.when.one_of": 'List the words: one_of = ["Closed"].',
    "history.facts.when.none_of": 'List the words: none_of = ["Open"].',
    "history.facts.overdue": 'Say what its words mean: overdue = { "LATE" = true }.',
}
"""What would be right, by the field without the numbers in its path."""

_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "": TableMapping,
    "history": HistoryMapping,
    "history.facts": FactRule,
    "history.facts.when": Condition,
}
_CODE: Final = "Use up to 64 letters, digits, '-' and '_', a letter or digit first."
_KEY: Final = "[key]"
_QUOTED: Final = re.compile(r"'([^']*)'")
_SAID: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "string_type": "is no text in quotes",
    "tuple_type": "is no list in square brackets",
    "dict_type": "is no table",
    "model_type": "is no table",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "too_short": "is empty",
}


def mapping_faults(refused: ValidationError) -> list[FieldError]:
    """Name each place at fault once, with what is wrong there and what would be right."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in refused.errors(include_url=False):
        found.setdefault(_place(each["loc"]), []).append(each)
    below = [f"{place}." for place in found]
    return [
        _fault(place, errors)
        for place, errors in found.items()
        if not (
            errors[0]["type"] == "too_short"
            and any(
                each.startswith(f"{place}.") for each in below if each != f"{place}."
            )
        )
    ]


def _place(loc: Sequence[int | str]) -> str:
    """Write a path as a mapping file has it, without pydantic's names of alternatives."""
    steps = [
        str(each)
        for each in loc
        if each != _KEY and not str(each).startswith(("literal[", "str-enum["))
    ]
    return ".".join(steps) or "mapping"


def _fault(place: str, errors: Sequence[Mapping[str, Any]]) -> FieldError:
    first = errors[0]
    kind, field = first["type"], re.sub(r"\.\d+", "", place)
    example = _EXAMPLES.get(field, f"Correct it: {_PAGE}.")
    said = _SAID.get(kind, "has not the right form")
    match kind:
        case "extra_forbidden":
            said, example = "is not known here", _known(field)
        case "literal_error" | "enum":
            words = [word for each in errors for word in _words(each)]
            said, example = "is not one of the words for it", _one_of(place, words)
        case "string_pattern_mismatch" if field == "key":
            said = "names no column in braces"
        case "string_pattern_mismatch":
            said, example = "is no code", _CODE
        case "too_long":
            said = f"has more than {first['ctx']['max_length']} entries"
        case "value_error":
            said = f"cannot be so: {first['ctx']['error']}"
        case _:
            pass
    return FieldError(place, said, example)


def _known(field: str) -> str:
    """Name the fields there are at a place, the likeliest first."""
    above, _, name = field.rpartition(".")
    model = _MODELS.get(above)
    if model is None:
        return f"Remove it: {_PAGE}."
    fields = list(model.model_fields)
    likely = get_close_matches(name, fields, 1)
    meant = f"Did you mean {likely[0]}? " if likely else ""
    return f"{meant}Use {', '.join(fields)}."


def _words(error: Mapping[str, Any]) -> Iterator[str]:
    yield from (word for word in _QUOTED.findall(error["ctx"]["expected"]) if word)


def _one_of(place: str, words: Sequence[str]) -> str:
    none = ', or "" where it is none of ours' if place.startswith("channels.") else ""
    return f"Use one of {', '.join(words)}{none}."
