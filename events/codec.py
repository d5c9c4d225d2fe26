"""Envelopes to bytes and back: the bytes that are stored are the bytes published.

A writer cannot misspell a field, since the models refuse what they do not have;
a reader ignores it, since the writer may be newer.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, TypeVar
from uuid import UUID

from pydantic import GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, core_schema, from_json, to_json

from events.catalogue import EVENTS, Count
from events.envelope import (
    Code,
    DepartmentCodes,
    Envelope,
    Event,
    Heading,
    Part,
    envelope_type,
)
from events.upcasts import upcast
from events.vocabulary import Origin

T = TypeVar("T")


class Peek(NamedTuple):
    """What ordering needs to know of an event, even of one that cannot be read."""

    case_id: UUID
    version: int
    type: str
    schema_version: int


class MalformedEventError(ValueError):
    """These bytes are no event and never will be; quoted without what they hold."""


class UnreadableEventError(ValueError):
    """An event of a later release: hold it, with its case, until upgraded."""

    def __init__(self, about: Peek) -> None:
        super().__init__(
            f"cannot read {about.type} version {about.schema_version}: upgrade"
        )
        self.about = about


class UnknownTypeError(UnreadableEventError):
    """The catalogue has no such type."""


class NewerVersionError(UnreadableEventError):
    """The catalogue has the type, but not this version."""


class Hearing(Part):
    """What of a heading says who is told of an event; read at a third of the cost."""

    type: Code
    origin: Origin = Origin.LIVE
    departments: DepartmentCodes = ()


class _PeekFields(Part):
    case_id: UUID
    version: Count
    type: Code
    schema_version: Count


class _AnyEnvelope:
    """The union of all envelopes, told apart by `type` while the JSON is parsed."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.tagged_union_schema(
            {
                name: handler.generate_schema(envelope_type(event))
                for name, event in EVENTS.items()
            },
            discriminator="type",
        )


_ENVELOPES: Final[TypeAdapter[Envelope[Event]]] = TypeAdapter(
    Annotated[Any, _AnyEnvelope]
)
_HEADINGS: Final = TypeAdapter(Heading)
_HEARINGS: Final = TypeAdapter(Hearing)
_PEEKS: Final = TypeAdapter(_PeekFields)


def encode(envelope: Envelope[Event]) -> bytes:
    """Give the one byte form of an envelope: compact JSON, fields that are None left out."""
    return to_json(envelope, exclude_none=True)


def decode(body: bytes) -> Envelope[Event]:
    """Read any released version as today's.

    Raises MalformedEventError, UnknownTypeError, NewerVersionError.
    """
    try:
        envelope = _ENVELOPES.validate_json(body, strict=True, extra="ignore")
    except ValidationError:  # quotes its input: nothing may be raised in here
        envelope = None
    if envelope and envelope.schema_version == envelope.data.schema_version:
        return envelope
    return _decode_other(body)


def key(envelope: Envelope[Event]) -> tuple[UUID, int, str]:
    """Give case, version and type: where a store keeps the event."""
    return envelope.case_id, envelope.version, envelope.type


def peek(body: bytes) -> Peek:
    """Read case, version, type and schema version alone; raises MalformedEventError."""
    it = _validated(_PEEKS.validate_json, body)
    return Peek(it.case_id, it.version, it.type, it.schema_version)


def heading(body: bytes) -> Heading:
    """Read all but the data, whatever type and version; raises MalformedEventError.

    It says what the bytes say: `schema_version` is the stored one.
    """
    return _validated(_HEADINGS.validate_json, body)


def hearing(body: bytes) -> Hearing:
    """Read who is told of it alone; raises MalformedEventError."""
    return _validated(_HEARINGS.validate_json, body)


def _decode_other(body: bytes) -> Envelope[Event]:
    """Read what is not of a current version, or say why it cannot be read."""
    about = peek(body)
    event = EVENTS.get(about.type)
    if event is None:
        raise UnknownTypeError(about)
    if about.schema_version > event.schema_version:
        raise NewerVersionError(about)
    if about.schema_version < event.schema_version:
        try:
            body = to_json(upcast(from_json(body), to=event.schema_version))
        except (KeyError, TypeError, ValueError):
            raise MalformedEventError(
                f"{about.type} version {about.schema_version} cannot be upcast"
            ) from None  # whose message may be a value of the data
    return _validated(_ENVELOPES.validate_json, body)


def _validated(validate: Callable[..., T], body: bytes) -> T:
    try:
        return validate(body, strict=True, extra="ignore")
    except ValidationError as error:
        # Without the input, which may be words, and without the chained error,
        # which quotes it.
        faults = error.errors(
            include_input=False, include_url=False, include_context=False
        )
        raise MalformedEventError(
            "; ".join(f"{_place(fault['loc'])}: {fault['type']}" for fault in faults)
        ) from None


def _place(loc: tuple[Any, ...]) -> str:
    """Name where a fault lies; what follows `policy` is the input's own key."""
    known = loc[: loc.index("policy") + 1] if "policy" in loc else loc
    return ".".join(map(str, known)) or "event"
