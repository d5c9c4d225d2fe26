"""A case's state as bytes: the same state gives the same bytes on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel

if TYPE_CHECKING:
    from services.handling.domain.case import Case

VERSION = 2
"""Of the form: bytes of different versions do not compare. 1 named the fields of a case."""


def canonical(case: Case) -> bytes:
    """Give all of the state as compact JSON, in the order of the case's fields."""
    return _ENCODER.encode(case)


def _fields(value: Any) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} has no canonical form here")


_ENCODER = msgspec.json.Encoder(enc_hook=_fields, order="sorted")
