"""Access over HTTP: users, tokens, the first administrator's link, the history of both."""

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, SecretStr

from services.handling.application.looking import read_as_of
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import from_micros, rfc3339
from services.kernel.grants import Code, Department
from services.kernel.passwords import Passwords, check_password
from services.kernel.tokens import Token, TokenRegister, require_role
from services.kernel.users import ADMIN, User, UserRegister
from services.kernel.web.caller import caller

PAGE_LIMIT: Final = 1_000
LINK_PATH: Final = "/access/first/{secret}"


class NewToken(BaseModel):
    """Whom the token is for, and until when."""

    model_config = ConfigDict(extra="forbid")

    role: Code
    actor: Code | None = None
    department: Department | None = None
    channel: Code | None = None
    expires_at: AwareDatetime | None = None


class NewUser(BaseModel):
    """Who may come in, as what, where."""

    model_config = ConfigDict(extra="forbid")

    login: str
    name: str
    role: Code
    department: Department | None = None
    password: SecretStr


class Place(BaseModel):
    """What somebody is from now on."""

    model_config = ConfigDict(extra="forbid")

    role: Code
    department: Department | None = None


def router(
    tokens: TokenRegister,
    users: UserRegister,
    passwords: Passwords,
    authenticator: Authenticator,
    *,
    zone: ZoneInfo,
) -> APIRouter:
    """Build the routes, for the operator and administrators; auditors read history."""
    only = partial(_only, Depends(caller(authenticator)))
    routes = APIRouter(prefix="/api/handling", tags=["access"])
    _tokens(routes, tokens, admin=only("operator", ADMIN))
    _users(routes, users, passwords, admin=only("operator", ADMIN))
    _record(
        routes,
        users,
        operator=only("operator"),
        auditor=only("operator", ADMIN, "auditor"),
        zone=zone,
    )
    return routes


def _only(who: Any, *roles: str) -> Any:
    """Make a dependency that lets these roles pass."""

    def allowed(found: Annotated[Credential, who]) -> Credential:
        require_role(found, *roles)
        return found

    return Depends(allowed)


def _tokens(routes: APIRouter, tokens: TokenRegister, *, admin: Any) -> None:
    @routes.post("/tokens", status_code=201, summary="Issue a token, shown this once")
    def issue(wanted: NewToken, by: Annotated[Credential, admin]) -> dict[str, Any]:
        token, known = tokens.issue(by=by.actor, **dict(wanted))
        return {"token": token, **token_json(known)}

    @routes.get("/tokens", summary="Every token that ever was, oldest first")
    def listed(_: Annotated[Credential, admin]) -> dict[str, Any]:
        return {"rows": [token_json(token) for token in tokens.all()]}

    @routes.post("/tokens/{token_id}/revoke", summary="End a token")
    def revoke(token_id: UUID, by: Annotated[Credential, admin]) -> dict[str, Any]:
        return token_json(tokens.revoke(token_id, by=by.actor))


def _users(
    routes: APIRouter, users: UserRegister, passwords: Passwords, *, admin: Any
) -> None:
    @routes.post("/users", status_code=201, summary="Let somebody in")
    async def add(wanted: NewUser, by: Annotated[Credential, admin]) -> dict[str, Any]:
        password = wanted.password.get_secret_value()
        check_password(password, login=wanted.login)
        user = await asyncio.to_thread(
            users.add,
            by=by.actor,
            hashed=await passwords.hashed(password),
            **wanted.model_dump(exclude={"password"}),
        )
        return user_json(user)

    @routes.get("/users", summary="Everybody who ever was let in, oldest first")
    def listed(_: Annotated[Credential, admin]) -> dict[str, Any]:
        return {"rows": [user_json(user) for user in users.all()]}

    @routes.post("/users/{user_id}/change", summary="Change what somebody is")
    def change(
        user_id: UUID, place: Place, by: Annotated[Credential, admin]
    ) -> dict[str, Any]:
        return user_json(users.change(user_id, by=by.actor, **dict(place)))

    @routes.post(
        "/users/{user_id}/depart", summary="End somebody's sessions and tokens"
    )
    def depart(user_id: UUID, by: Annotated[Credential, admin]) -> dict[str, Any]:
        return user_json(users.depart(user_id, by=by.actor))

    @routes.post(
        "/users/{user_id}/forget", summary="Erase the name of somebody who departed"
    )
    def forget(user_id: UUID, _: Annotated[Credential, admin]) -> dict[str, Any]:
        return user_json(users.forget(user_id))


def _record(
    routes: APIRouter,
    users: UserRegister,
    *,
    operator: Any,
    auditor: Any,
    zone: ZoneInfo,
) -> None:
    @routes.post(
        "/access/admin-link",
        status_code=201,
        summary="Make the one-time link to the first administrator",
    )
    def admin_link(_: Annotated[Credential, operator]) -> dict[str, Any]:
        link = users.make_admin_link()
        return {
            "path": LINK_PATH.format(secret=link.secret),
            "ends_at": rfc3339(link.ends_at),
        }

    @routes.get("/access/history", summary="What was given to whom, as facts")
    def history(
        _: Annotated[Credential, auditor],
        as_of: str | None = None,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE_LIMIT,
    ) -> dict[str, Any]:
        store, when = users.store, read_as_of(as_of, zone)
        last = store.last_position()
        if isinstance(when, datetime):
            position = store.position_at(when)
        else:
            position = last if when is None else min(when, last)
        rows = [
            {
                "position": entry.position,
                "committed_at": rfc3339(from_micros(entry.committed_at)),
                **_shown(entry.body),
            }
            for entry in store.log(after, limit, upto=position)
        ]
        return {"rows": rows, "position": position}


def _shown(body: bytes) -> dict[str, Any]:
    """Give a fact as it is stored, but for the digest of a token."""
    fact: dict[str, Any] = json.loads(body)
    fact.pop("digest", None)
    return fact


def token_json(token: Token) -> dict[str, Any]:
    """Give what is known of a token as plain values."""
    return {name: _plain(value) for name, value in asdict(token).items()}


def user_json(user: User) -> dict[str, Any]:
    """Give what is known of somebody as plain values."""
    return {name: _plain(value) for name, value in asdict(user).items()}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return rfc3339(value)
    return str(value) if isinstance(value, UUID) else value
