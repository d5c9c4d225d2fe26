"""What every event carries around its data: identity, time, actor, authority."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, cast
from uuid import UUID

from pydantic import (
    UUID7,
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from events.vocabulary import Audience, Channel, DocumentKind, Origin, Precision, State

_AMOUNT = r"^[0-9]{1,14}(\.[0-9]{1,4})?$"


def _rfc3339(instant: datetime) -> str:
    return f"{instant.isoformat(timespec='microseconds')[:26]}Z"  # it is in UTC


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is UTC:
        return instant
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("an instant lies between the years 1 and 9999") from None


def _exact(amount: object) -> Decimal:
    if isinstance(amount, Decimal):
        return amount
    if isinstance(amount, str) and re.fullmatch(_AMOUNT, amount):
        return Decimal(amount)
    raise ValueError("an amount is a decimal string")


def _plain(amount: Decimal) -> str:
    return f"{abs(amount):f}"


def _sorted_codes(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(codes))) if len(codes) > 1 else codes


def _sorted_keys(policy: Mapping[str, str]) -> Mapping[str, str]:
    return dict(sorted(policy.items())) if len(policy) > 1 else policy


Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""A word of a list that is kept elsewhere: policy, register of users, of products."""

DepartmentCode = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
]
"""A department; without a dot, since it is one token of a subject on the bus."""

DepartmentCodes = Annotated[tuple[DepartmentCode, ...], AfterValidator(_sorted_codes)]

CategoryPath = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}){0,3}$"
    ),
]
"""One to four codes of a tree, from the root, joined by `/` (S33)."""

CorrelationId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")
]

Instant = Annotated[
    AwareDatetime,
    Field(strict=True),
    AfterValidator(_utc),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
]
"""A point in time in UTC; a naive one is refused, another zone's is converted."""


class Part(BaseModel):
    """Frozen, and refuses a field it does not have; only the codec's readers ignore one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Leave the schema open: readers ignore what they do not know."""
        schema = handler(core_schema)
        handler.resolve_ref_schema(schema).pop("additionalProperties", None)
        return schema


class Money(Part):
    """An amount of one currency, never a float."""

    amount: Annotated[
        Decimal,
        Field(ge=0, max_digits=18, decimal_places=4),
        BeforeValidator(_exact),
        PlainSerializer(_plain, return_type=str, when_used="json"),
        WithJsonSchema({"type": "string", "pattern": _AMOUNT}),
    ]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    """ISO 4217."""


class DocumentRef(Part):
    """Where words lie and how to prove them unchanged; never the words."""

    document_id: UUID
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of salt and plaintext; the salt lies beside the document."""
    kind: DocumentKind


class Actor(Part):
    """Who did it, as the credential says."""

    id: Code
    role: Code
    department: DepartmentCode | None = None


class Event(Part):
    """The data of one fact; a subclass is one type of the catalogue."""

    schema_version: ClassVar[int] = 1
    audience: ClassVar[Audience]
    leads_to: ClassVar[State | None] = None
    """The state of the case after it, None where the state stays."""
    zh: ClassVar[str]
    """The field's term in Chinese."""

    def state_after(self, state: State | None) -> State | None:
        """Give the state of the case after this event, `state` being the one before."""
        return self.leads_to or state


class Heading(Part):
    """All of an envelope but its data: what routing, ordering and audit need."""

    event_id: UUID7
    case_id: UUID
    version: Annotated[int, Field(ge=1)]
    """Place in the case's history: 1, 2, 3, … without a hole."""
    type: Code
    schema_version: Annotated[int, Field(ge=1)]
    occurred_at: Instant
    """When it happened, as claimed."""
    occurred_precision: Precision = Precision.INSTANT
    recorded_at: Instant
    """When the deciding host recorded it, by that host's clock."""
    origin: Origin = Origin.LIVE
    tenant: Code
    actor: Actor
    channel: Channel | None = None
    causation_id: UUID | None = None
    """The event or command that this one follows from."""
    correlation_id: CorrelationId
    policy: Annotated[Mapping[Code, Code], AfterValidator(_sorted_keys)] = Field(
        default_factory=dict
    )
    """The version of each policy that the decision followed (S176)."""
    departments: DepartmentCodes = ()
    """Every department that the event concerns."""

    @property
    def originator_id(self) -> UUID:
        """The case, by the name that the event store uses."""
        return self.case_id

    @property
    def originator_version(self) -> int:
        """The version, by the name that the event store uses."""
        return self.version


EventT = TypeVar("EventT", bound=Event)
EventT_co = TypeVar("EventT_co", bound=Event, covariant=True)


class Envelope(Heading, Generic[EventT_co]):
    """One event as it is stored and published; made by `envelop`."""

    data: EventT_co

    @model_validator(mode="after")
    def _names_its_data(self) -> Self:
        if type(self.data) is not type(self).model_fields["data"].annotation:
            raise ValueError("an envelope is parametrised by its data: use envelop()")
        if self.type != type(self.data).__name__:
            raise ValueError("type is not the data's")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Name the one type and version that this envelope may hold."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        data = cls.model_fields["data"].annotation
        if isinstance(data, type) and issubclass(data, Event):
            properties = handler.resolve_ref_schema(schema)["properties"]
            properties["type"] = {"const": data.__name__, "type": "string"}
            properties["schema_version"] = {
                "const": data.schema_version,
                "type": "integer",
            }
        return schema


@cache
def envelope_type(data_type: type[EventT]) -> type[Envelope[EventT]]:
    """`Envelope[data_type]`, made once; pydantic's own cache is weak and slower."""
    return cast("type[Envelope[EventT]]", cast("Any", Envelope)[data_type])


def envelop(
    data: EventT,
    *,
    event_id: UUID,
    case_id: UUID,
    version: int,
    occurred_at: datetime,
    recorded_at: datetime,
    tenant: str,
    actor: Actor,
    correlation_id: str,
    occurred_precision: Precision = Precision.INSTANT,
    origin: Origin = Origin.LIVE,
    channel: Channel | None = None,
    causation_id: UUID | None = None,
    policy: Mapping[str, str] | None = None,
    departments: tuple[str, ...] = (),
) -> Envelope[EventT]:
    """Put data into its envelope; pydantic's ValidationError names what is wrong."""
    fields = {
        "event_id": event_id,
        "case_id": case_id,
        "version": version,
        "type": type(data).__name__,
        "schema_version": data.schema_version,
        "occurred_at": occurred_at,
        "occurred_precision": occurred_precision,
        "recorded_at": recorded_at,
        "origin": origin,
        "tenant": tenant,
        "actor": actor,
        "channel": channel,
        "causation_id": causation_id,
        "correlation_id": correlation_id,
        "policy": policy or {},
        "departments": departments,
        "data": data,
    }
    # Through its constructor, pydantic takes twice as long.
    return envelope_type(type(data)).model_validate(fields)
