"""Events told to people: what each says, fact by fact, and which words it names."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel

from events.catalogue import StatementConfirmed
from events.envelope import DocumentRef, Money
from events.vocabulary import DocumentKind
from services.handling.application.reading import documents_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from services.handling.application.cases import Known

Form = Literal["code", "day", "document", "money", "text", "when", "yes"]

_LEFT_OUT: Final = frozenset(
    {"receipt_no", "subject_id"}
)  # the head of the page says it
_TABLES: Final = {
    "category": "category",
    "path": "cause",
    **dict.fromkeys(
        ("department", "previous", "responsible_unit", "suggested"), "department"
    ),
}
"""Strings that are codes, by their fields, and the tables of their words."""
_PEOPLE: Final = frozenset({"handler", "reviewer"})


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that an event says; `label` is the key of its words."""

    label: str
    form: Form
    values: tuple[Any, ...]
    kind: str = ""
    """The table that codes are in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history."""

    known: Known
    actor: str
    facts: tuple[Fact, ...]


def entries(events: list[Known], names: Mapping[str, str]) -> list[Entry]:
    """Tell events, the latest first; `names` are those of the people who act."""
    papers = {each.ref.document_id: each.ref for each in documents_of(events)}
    return [
        Entry(
            known,
            names.get(known.event.actor.id, known.event.actor.id),
            _joined(
                (
                    *_confirmed(known.event.data, papers),
                    *_facts(known.event.data, names),
                )
            ),
        )
        for known in reversed(events)
    ]


def _confirmed(data: BaseModel, papers: Mapping[UUID, DocumentRef]) -> Iterator[Fact]:
    """Name what was confirmed, but for the words that the entry names itself."""
    if isinstance(data, StatementConfirmed):
        for name in data.confirmed:
            ref = papers.get(name)
            if ref is not None and ref != data.restated:
                yield Fact("confirmed", "document", (ref,))


def _joined(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Tell in one what an event says several times in a row."""
    told: list[Fact] = []
    for fact in facts:
        if told and told[-1].label == fact.label:
            told[-1] = replace(told[-1], values=told[-1].values + fact.values)
        else:
            told.append(fact)
    return tuple(told)


def _facts(part: BaseModel, names: Mapping[str, str]) -> Iterator[Fact]:
    for name in type(part).model_fields:
        if name not in _LEFT_OUT:
            yield from _fact(name, getattr(part, name), names)


def _fact(  # noqa: C901, PLR0912 one line a kind of value
    name: str, value: Any, names: Mapping[str, str]
) -> Iterator[Fact]:
    match value:
        case None | () | "":
            return
        case int() if name == "level" and not value:  # before any appeal
            return
        case bool():
            yield Fact(name, "yes", (value,))
        case Enum():
            yield Fact(name, "code", (value.value,), _table(type(value)))
        case DocumentRef():
            finding = value.kind is DocumentKind.FINDING
            yield Fact("findings" if finding else name, "document", (value,))
        case Money():
            yield Fact(name, "money", (value,))
        case BaseModel():
            yield from _facts(value, names)
        case tuple():
            for each in value:
                yield from _fact(name, each, names)
        case dt.datetime():
            yield Fact(name, "when", (value,))
        case dt.date():
            yield Fact(name, "day", (value,))
        case str() if name in _TABLES:
            yield Fact(name, "code", (value,), _TABLES[name])
        case str() if name in _PEOPLE:
            yield Fact(name, "text", (names.get(value, value),))
        case str() | int():
            yield Fact(name, "text", (str(value),))
        case _:  # ids of events and documents say nothing to people
            return


def _table(enum: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", enum.__name__).lower()
