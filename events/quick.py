"""Stored events read at a fifth of the cost, to be folded again: types, no rules.

What is in a store was held against every rule when it was written. Here its JSON becomes
structs made from the models of the catalogue: the same fields with the same values, types
checked, patterns and limits not. Whatever does not fit, or is of another version, goes to
the codec, which reads it as always or says what is wrong with it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from types import GenericAlias, UnionType
from typing import Annotated, Any, Final, Union, cast, get_args, get_origin

import msgspec
from pydantic import AwareDatetime, BaseModel

from events import codec
from events.catalogue import EVENTS, Remedy
from events.envelope import Envelope, Event, Heading, Money

_LEFT_OUT: Final = frozenset(
    {"tenant", "causation_id", "correlation_id", "policy", "departments"}
)
"""What no fold reads of a heading."""

_KEPT: Final[tuple[type[BaseModel], ...]] = (Money, Remedy)
"""Parts that states keep, and decisions compare: these are the models themselves."""


def decode(name: str, body: bytes) -> Envelope[Event]:
    """Read an event whose type is known, as `codec.decode` reads it, for folding only.

    Gives what has the attributes of the envelope and of its data, without the heading's
    tenant, policy, departments, causation and correlation. Raises what the codec raises.
    """
    decoder = _DECODERS.get(name)
    if decoder is not None:
        try:
            read = cast("Envelope[Event]", decoder.decode(body))
        except (msgspec.MsgspecError, ValueError):  # the latter of a model
            return codec.decode(body)
        if read.schema_version == read.data.schema_version:
            return read
    return codec.decode(body)


@cache
def _struct(model: type[BaseModel]) -> type[msgspec.Struct]:
    """Make a struct of a model's fields, with its class variables and its methods."""
    return _made(model, {}, {})


def _envelope(event: type[Event]) -> type[msgspec.Struct]:
    own = {"data": _struct(event)}
    return _made(Heading, own, {"type": event.__name__}, tag=event.__name__)


def _made(
    model: type[BaseModel],
    own: dict[str, Any],
    namespace: dict[str, Any],
    tag: str | None = None,
) -> type[msgspec.Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = list(own.items())
    for name, field in model.model_fields.items():
        if name in namespace or (tag and name in _LEFT_OUT):
            continue
        if field.is_required():
            fields.append((name, _type(field.annotation)))
        else:
            fields.append((name, _type(field.annotation), field.default))
    kept = {
        name: getattr(model, name)
        for name in (*model.__class_vars__, "state_after")
        if hasattr(model, name) and name != "model_config"
    }
    return msgspec.defstruct(
        tag or model.__name__,
        fields,
        namespace={**kept, **namespace},
        tag=tag,
        tag_field="type" if tag else None,
        frozen=True,
        kw_only=True,
        gc=False,  # they hold no circles
    )


def _type(annotation: Any) -> Any:
    """Give the type that msgspec reads where the model has this one."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin in {Union, UnionType}:
        return Union[tuple(map(_type, parts))]  # noqa: UP007 made while running
    if origin is tuple:
        return GenericAlias(tuple, (_type(parts[0]), ...))
    if annotation is AwareDatetime:
        return datetime
    if (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and annotation not in _KEPT
    ):
        return _struct(annotation)
    return annotation


def _model(kind: type[BaseModel], found: object) -> BaseModel:
    return kind.model_validate(found)


LEFT_TO_THE_CODEC: Final = frozenset({"RecordCorrected"})
"""Types with a field that may be of two enums, which msgspec does not tell apart."""

_DECODERS: Final = {
    name: msgspec.json.Decoder(_envelope(event), strict=True, dec_hook=_model)
    for name, event in EVENTS.items()
    if name not in LEFT_TO_THE_CODEC
}
