"""The facts of the access record: what was given to whom, changed, and ended.

One store holds those of tokens and those of users, so that what somebody was allowed
on a day can be replayed. A fact holds codes only: logins, names and hashes of
passwords lie in tables beside, where they can be erased.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Department = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: int
    at: datetime
    by: Code


class _TokenFact(_Fact):
    token_id: UUID

    @property
    def subject(self) -> UUID:
        return self.token_id


class TokenIssued(_TokenFact):
    """Somebody, or a system, was given a way in."""

    type: Literal["TokenIssued"] = "TokenIssued"
    actor: Code
    role: Code
    department: Department | None = None
    channel: Code | None = None
    expires_at: datetime | None = None
    digest: str


class TokenRevoked(_TokenFact):
    """The way in was closed."""

    type: Literal["TokenRevoked"] = "TokenRevoked"


class _UserFact(_Fact):
    user_id: UUID

    @property
    def subject(self) -> UUID:
        return self.user_id


class UserAdded(_UserFact):
    """Somebody may come in; `actor` is who they are in every later event."""

    type: Literal["UserAdded"] = "UserAdded"
    actor: Code
    role: Code
    department: Department | None = None


class UserRoleChanged(_UserFact):
    """What they are, from now on."""

    type: Literal["UserRoleChanged"] = "UserRoleChanged"
    role: Code


class UserDepartmentChanged(_UserFact):
    """Where they are, from now on; None: in no department."""

    type: Literal["UserDepartmentChanged"] = "UserDepartmentChanged"
    department: Department | None = None


class PasswordSet(_UserFact):
    """They, or an administrator, chose a password; not which."""

    type: Literal["PasswordSet"] = "PasswordSet"


class UserDeparted(_UserFact):
    """They left: their sessions and tokens ended with this."""

    type: Literal["UserDeparted"] = "UserDeparted"


UserFact = (
    UserAdded | UserRoleChanged | UserDepartmentChanged | PasswordSet | UserDeparted
)
Fact = TokenIssued | TokenRevoked | UserFact

_FACTS: Final[TypeAdapter[Fact]] = TypeAdapter(
    Annotated[Fact, Field(discriminator="type")]
)


class FactCodec:
    """Facts as JSON, for the event store."""

    def encode(self, event: Fact) -> bytes:
        return event.model_dump_json(exclude_none=True).encode()

    def decode(self, body: bytes) -> Fact:
        return _FACTS.validate_json(body)

    def key(self, event: Fact) -> tuple[UUID, int, str]:
        return event.subject, event.version, event.type


def peek(body: bytes) -> tuple[UUID, int, str]:
    """Read whose it is, version and type; raises ValueError for what is no fact."""
    return FactCodec().key(_FACTS.validate_json(body))
