"""A case's state as bytes: the same state gives the same bytes on every machine."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel

if TYPE_CHECKING:
    from services.handling.domain.case import Case


def canonical(case: Case) -> bytes:
    """Give all of the state as compact JSON: names and members of sets in order."""
    return json.dumps(
        _plain(case), ensure_ascii=False, sort_keys=True, separators=(",", ":")
    ).encode()


def _plain(value: object) -> Any:  # noqa: PLR0911 one line a kind of value
    match value:
        case Enum():  # before str and int, which most of ours are too
            return value.value
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case UUID():
            return str(value)
        case BaseModel():
            return value.model_dump(mode="json")
        case frozenset():
            return sorted(map(_plain, value))
        case tuple():
            return [_plain(each) for each in value]
        case _ if is_dataclass(value):
            return {of.name: _plain(getattr(value, of.name)) for of in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form here")
