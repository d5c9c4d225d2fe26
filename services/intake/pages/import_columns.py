"""The columns of an import as a form: which column is which field, and how it is read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from events.vocabulary import Channel
from services.intake.domain.guessing import channels_of
from services.intake.domain.mapping import TableMapping
from services.kernel.i18n import msgid
from services.kernel.web.pages import Form

LABELS: Final[Mapping[str, str]] = {
    "key": msgid("Number of the complaint"),
    "occurred_on": msgid("Day of the complaint"),
    "statement": msgid("What happened"),
    "channel": msgid("Channel"),
    "category": msgid("Category"),
    "model": msgid("Product or model"),
    "supplier": msgid("Supplier"),
    "contact.name": msgid("Customer's name"),
    "contact.email": msgid("E-mail address"),
    "contact.phone": msgid("Telephone number"),
    "contact.customer_no": msgid("Customer number"),
    "order_no": msgid("Order number"),
    "upstream_no": msgid("Number with the dealer or elsewhere"),
    "product.serial": msgid("Serial number"),
    "product.lot": msgid("Lot number"),
    "purchase_date": msgid("Bought on"),
    "event_at": msgid("It happened on"),
    "desired_outcome": msgid("What would put it right"),
}
_NEEDED: Final = ("key", "occurred_on")
_SINGLE: Final = ("occurred_on", "statement", "channel", "supplier")
_JOINED: Final = ("category", "model")
_KEY: Final = re.compile(r"(?P<before>[^{}]*)\{(?P<column>[^{}]+)\}")


_DOUBTS: Final = (
    (
        re.compile(r"(?P<name>[\w.]+) may be (?P<columns>.+)\."),
        msgid("%(name)s may be %(columns)s."),
    ),
    (
        re.compile(r"(?P<name>[\w.]+) is not known: .*"),
        msgid("%(name)s: choose the column, none is known by its name."),
    ),
    (
        re.compile(r"dates are written in no known way: (?P<text>.*)"),
        msgid("Days are written in no known way: %(text)s"),
    ),
    (
        re.compile(r"dates are (?P<forms>.+)\."),
        msgid("Days may be written as %(forms)s: choose one."),
    ),
    (
        re.compile(
            r"(?P<column>.+) '(?P<word>.*)' is none of our channels, or which one\?"
        ),
        msgid(
            "%(word)s in the column %(column)s is none of our channels, or which one?"
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One field, and the column that is taken for it.

    `fixed` says what is taken where that is more than a column: it is not changed here.
    """

    field: str
    label: str
    column: str
    fixed: str
    needed: bool


def choices(values: Mapping[str, Any]) -> list[Choice]:
    """Give every field as the mapping has it."""
    return [
        Choice(name, label, *_taken(values, name), needed=name in _NEEDED)
        for name, label in LABELS.items()
    ]


def doubts(
    told: Sequence[str], say: Callable[[str], str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Give each doubt as a message of the page, and what stands in it."""
    for each in told:
        for pattern, message in _DOUBTS:
            if found := pattern.fullmatch(each):
                values = found.groupdict()
                if (label := LABELS.get(values.get("name", ""))) is not None:
                    values["name"] = say(label)
                yield message, values
                break


def words(values: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
    """Give the words of the channel's column, and the channel of each as it stands."""
    told = values.get("channels", {})
    there = _words_of(found, values.get("channel", ""))
    return {word: told.get(word, "") or "" for word in dict.fromkeys([*told, *there])}


def changed(
    values: Mapping[str, Any], form: Form, found: Mapping[str, Any]
) -> dict[str, Any]:
    """Give the mapping with what the form says; a column that is not there is none.

    Words for channels come as `word` and `word_channel`, in the same order.
    """
    columns = {each["name"] for each in found["columns"]}
    made = dict(values)
    fields = dict(values.get("fields", {}))
    for name in LABELS:
        _, fixed = _taken(values, name)
        column = form.raw(f"column.{name}")
        if fixed or f"column.{name}" not in form or column not in {*columns, ""}:
            continue
        if name in _NEEDED and not column:
            continue
        _put(made, fields, name, column)
    made["fields"] = fields
    made["zone"] = form.one("zone") or values["zone"]
    if dates := [each.strip() for each in form.one("dates").split(";") if each.strip()]:
        made["dates"] = dates
    made["channels"] = _channels(values, made, form, found)
    return made


def columns_of(values: Mapping[str, Any], *, history: bool) -> set[str]:
    """Name the columns that are taken for something."""
    return set(TableMapping.model_validate(values).columns(history=history))


def _taken(values: Mapping[str, Any], name: str) -> tuple[str, str]:
    """Give the column of a field, or, where there are several, all of them to be shown."""
    if name == "key":
        only = _KEY.fullmatch(values["key"])
        return (only["column"], "") if only else ("", values["key"])
    if name in _JOINED:
        several = values.get(name, ())
        if len(several) > 1:
            return "", " + ".join(several)
        return (several[0] if several else ""), ""
    if name in _SINGLE:
        return values.get(name) or "", ""
    return values.get("fields", {}).get(name, ""), ""


def _put(made: dict[str, Any], fields: dict[str, str], name: str, column: str) -> None:
    if name == "key":
        only = _KEY.fullmatch(made["key"])
        before = only["before"] if only else ""
        made["key"] = f"{before}{{{column}}}"
    elif name in _JOINED:
        made[name] = [column] if column else []
    elif name in _SINGLE:
        made[name] = column or None
    elif column:
        fields[name] = column
    else:
        fields.pop(name, None)


def _channels(
    before: Mapping[str, Any],
    made: Mapping[str, Any],
    form: Form,
    found: Mapping[str, Any],
) -> dict[str, str]:
    column = made.get("channel")
    if not column:
        return {}
    if column != before.get("channel"):  # other words: guess them
        return channels_of(_words_of(found, column))
    known = {each.value for each in Channel}
    chosen = dict(zip(form.many("word"), form.many("word_channel"), strict=False))
    told = dict(before.get("channels", {}))
    told |= {word: each if each in known else "" for word, each in chosen.items()}
    return told


def _words_of(found: Mapping[str, Any], column: str) -> Sequence[str]:
    for each in found["columns"]:
        if each["name"] == column:
            listed: Sequence[str] = each["words"]
            return listed
    return ()
