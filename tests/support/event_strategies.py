"""Hypothesis strategies for every event, built from the models themselves."""

import operator
import types
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from functools import reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from annotated_types import Ge, MinLen
from hypothesis import strategies as st
from pydantic import AwareDatetime, StringConstraints
from pydantic.fields import FieldInfo
from pydantic.types import UuidVersion

from events.catalogue import EVENTS
from events.envelope import Envelope, Event, Heading, Part, envelop

_ZONES = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
_INSTANTS = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=_ZONES,
)


@st.composite
def _amounts(draw: st.DrawFn) -> Decimal:
    places = draw(st.integers(0, 4))
    return Decimal(draw(st.integers(0, 10**14 - 1))).scaleb(-places)


def uuid7s() -> st.SearchStrategy[UUID]:
    """Any UUID of version 7."""
    return st.integers(0, 2**128 - 1).map(
        lambda bits: UUID(
            int=bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
        )
    )


def of_model(model: type[Part]) -> st.SearchStrategy[Any]:
    """Every instance that `model` allows."""
    return st.builds(
        model, **{name: of_hint(hint) for name, hint in hints(model).items()}
    )


def hints(model: type[Part]) -> dict[str, Any]:
    """The annotations of a model's fields, with their constraints."""
    found = get_type_hints(model, include_extras=True)
    return {name: found[name] for name in model.model_fields}


def of_hint(  # noqa: PLR0911 - one line for each kind of annotation
    hint: Any,
) -> st.SearchStrategy[Any]:
    """Every value that an annotation allows."""
    args = get_args(hint)
    origin = get_origin(hint)
    if origin is Annotated:
        return _constrained(args[0], _flat(args[1:]))
    if origin in {Union, types.UnionType}:
        return reduce(operator.or_, map(of_hint, args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return _constrained(hint, ())
    if issubclass(origin or hint, Mapping):
        return st.dictionaries(of_hint(args[0]), of_hint(args[1]), max_size=3)
    if issubclass(hint, Part):
        return of_model(hint)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    return {
        UUID: st.uuids(),
        date: st.dates(),
        bool: st.booleans(),
        types.NoneType: st.none(),
    }[hint]


def _constrained(  # noqa: PLR0911 - one line for each kind of value
    hint: Any, constraints: tuple[Any, ...]
) -> st.SearchStrategy[Any]:
    by_type = {type(constraint): constraint for constraint in constraints}
    least = by_type[Ge].ge if Ge in by_type else 0
    if hint is str:
        pattern = by_type[StringConstraints].pattern
        return st.from_regex(pattern, fullmatch=True)
    if hint is int:
        return st.integers(least, 2**31)
    if hint is AwareDatetime:
        return _INSTANTS
    if hint is Decimal:
        return _amounts()
    if hint is UUID and by_type[UuidVersion].uuid_version == 7:
        return uuid7s()
    if get_origin(hint) is tuple:
        shortest = by_type[MinLen].min_length if MinLen in by_type else 0
        items = st.lists(of_hint(get_args(hint)[0]), min_size=shortest, max_size=3)
        return items.map(tuple)
    return of_hint(hint)


def _flat(constraints: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        inner
        for constraint in constraints
        for inner in (
            (constraint, *constraint.metadata)
            if isinstance(constraint, FieldInfo)
            else (constraint,)
        )
    )


def envelopes(event: type[Event]) -> st.SearchStrategy[Envelope[Event]]:
    """Every envelope around every instance of `event`."""
    given = hints(Heading)
    del given["type"], given["schema_version"]
    return st.builds(
        envelop,
        of_model(event),
        **{name: of_hint(hint) for name, hint in given.items()},
    )


def any_envelope() -> st.SearchStrategy[Envelope[Event]]:
    """Envelopes of all types."""
    return st.sampled_from(list(EVENTS.values())).flatmap(envelopes)
