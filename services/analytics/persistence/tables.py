"""The tables of one set of rows, and how a version of a complaint lies in its row."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from services.analytics.domain.facts import Facts
from services.analytics.domain.stays import Ended
from services.analytics.domain.versions import Version
from services.kernel.clock import from_micros, micros, within_stated_day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIVE: Final = ""
BESIDE: Final = "__rebuild"
REPLACED: Final = "__replaced"
"""Endings of the tables' names: in use, being rebuilt, put aside by a swap."""

TABLES: Final = ("complaint_row", "log_position")

STATE: Final = """
CREATE TABLE IF NOT EXISTS analytics_state (
    id BIGINT PRIMARY KEY,
    complete_to BIGINT NOT NULL,
    unfit BIGINT NOT NULL,
    generation BIGINT NOT NULL
)"""

SHAPE: Final = """
CREATE TABLE IF NOT EXISTS analytics_shape (digest TEXT NOT NULL)"""
"""Which columns the rows have that are there."""

_TYPES: Final = {
    "receipt_event": "UUID NOT NULL",
    "subject": "UUID NOT NULL",
    "received_at": "BIGINT NOT NULL",
    "documented_day": "BIGINT",
    "appeals": "BIGINT NOT NULL",
    "returns": "BIGINT NOT NULL",
    "state_since": "BIGINT",
    "held_since": "BIGINT",
    "state_took": "BIGINT",
    "holder_took": "BIGINT",
    "countermeasure_after": "BIGINT",
}
_FACTS: Final = tuple(field.name for field in fields(Facts))
_ENDED: Final = tuple(field.name for field in fields(Ended))
COLUMNS: Final = (
    "case_id",
    "from_position",
    "to_position",
    "applied",
    *_ENDED,
    *_FACTS,
)
SELECTED: Final = ", ".join(COLUMNS)
_facts_of: Final = attrgetter(*_FACTS)
_ended_of: Final = attrgetter(*_ENDED)
_AT: Final = _FACTS.index("received_at")
_SINCE: Final = (_FACTS.index("state_since"), _FACTS.index("held_since"))
_BY: Final = _FACTS.index("set_by")
_MOVES: Final = {
    "left_state": "state_took",
    "left_holder": "holder_took",
    "returned_by": "return_reason",
}
"""What a row says of a move, with what is told of it."""


def tables(suffix: str, generation: int) -> Iterator[str]:
    """Give the DDL of one set; only index names must be new in each generation."""
    facts = ", ".join(
        f"{name} {_TYPES.get(name, 'TEXT')}" for name in (*_ENDED, *_FACTS)
    )
    yield f"""
        CREATE TABLE complaint_row{suffix} (
            case_id UUID NOT NULL, from_position BIGINT NOT NULL, to_position BIGINT,
            applied BIGINT NOT NULL, {facts}, PRIMARY KEY (case_id, from_position)
        )"""
    yield f"""
        CREATE TABLE log_position{suffix} (
            position BIGINT PRIMARY KEY, committed_at BIGINT NOT NULL
        )"""
    yield f"""
        CREATE INDEX log_position_committed_at_{generation}
            ON log_position{suffix} (committed_at)"""
    # What a complaint went through is read from these alone, not from the wide rows.
    for left, told in _MOVES.items():
        yield f"""
            CREATE INDEX complaint_row_{left}_{generation}
                ON complaint_row{suffix} (case_id, from_position, {left}, {told})
                WHERE {left} IS NOT NULL"""


def shape() -> str:
    """Give a digest of the tables; rows of another shape are made anew from the log."""
    return hashlib.sha256("".join(tables(LIVE, 0)).encode()).hexdigest()


def values_of(row: Version) -> tuple[object, ...]:
    """Give what lies in the row: of a day an instant that is in it in every zone."""
    facts = list(_facts_of(row.facts))
    at, known = row.facts.received_at, row.facts.received_precision
    facts[_AT] = micros(within_stated_day(at) if known == "day" else at)
    # Names of fields and ids of events: nothing in them needs escaping.
    said = (f'"{name}": "{event_id}"' for name, event_id in row.facts.set_by)
    facts[_BY] = f"{{{', '.join(said)}}}"
    for place in _SINCE:
        facts[place] = None if facts[place] is None else micros(facts[place])
    return (
        row.case_id,
        row.from_position,
        row.to_position,
        row.applied,
        *_ended_of(row.ended),
        *facts,
    )


def version_of(row: Sequence[Any]) -> Version:
    case_id, from_position, to_position, applied, *rest = row
    ended, facts = Ended(*rest[: len(_ENDED)]), rest[len(_ENDED) :]
    facts[_AT] = from_micros(facts[_AT])
    for place in _SINCE:
        facts[place] = None if facts[place] is None else from_micros(facts[place])
    facts[_BY] = tuple(json.loads(facts[_BY]).items())
    return Version(case_id, from_position, to_position, applied, Facts(*facts), ended)


def stored_as(fact: str) -> str:
    """Give the type of a fact's column."""
    return _TYPES.get(fact, "TEXT")


def marks(values: Sequence[object]) -> str:
    """Give a placeholder for each value."""
    return ", ".join("?" * len(values))
