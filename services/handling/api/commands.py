"""Commands over HTTP: one at a time, or many in one request."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from events.envelope import Actor
from events.vocabulary import Channel
from services.handling.application.commanding import Asked, Commanding, Done
from services.handling.domain.commands import COMMANDS
from services.kernel.access import Authenticator, Credential
from services.kernel.errors import (
    FieldError,
    ForbiddenError,
    MalformedError,
)
from services.kernel.logs import correlation_id, new_correlation_id
from services.kernel.store.writer import Writer
from services.kernel.web.batch import NDJSON, answer_lines
from services.kernel.web.caller import caller
from services.kernel.web.reading import Line, strict_json

_LINE: Final = frozenset({"case_id", "command", "with", "idempotency_key", "version"})
_VERSION: Final = re.compile(r'"([0-9]{1,9})"')
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Done, or done before under this key"},
    403: {"description": "Not this caller's to do"},
    404: {"description": "No such case or command"},
    409: {"description": "Refused in the present state, with a stable code"},
    412: {"description": "The case has changed since"},
    422: {"description": "Fields at fault, each named with its remedy"},
    503: {"description": "Not certain to be done; ask again with the same key"},
}


def router(
    commanding: Commanding, writer: Writer, authenticator: Authenticator
) -> APIRouter:
    """Build the routes. Bodies are read by hand, strictly and once (hot path 7)."""
    routes = APIRouter(prefix="/api/handling", tags=["commands"])
    who = Depends(caller(authenticator))

    async def carried_out(asked: Asked) -> dict[str, Any]:
        commanding.check(asked)
        return done_json(await writer.call(commanding.carry_out, asked))

    @routes.post(
        "/cases/{case_id}/commands/{command}",
        summary=f"Give a command: {', '.join(COMMANDS)}",
        responses=_ANSWERS,
        openapi_extra={
            "requestBody": {"content": {"application/json": {"schema": _ANY}}},
            "parameters": _HEADERS,
        },
    )
    async def command(
        case_id: UUID,
        command: str,
        request: Request,
        sender: Annotated[Credential, who],
    ) -> JSONResponse:
        body = await request.body()
        payload = _object("", strict_json(body) if body else {})
        headers = request.headers
        asked = _asked(
            sender,
            case_id=case_id,
            name=command,
            payload=payload,
            key=headers.get("idempotency-key"),
            version=_if_match(headers.get("if-match")),
        )
        done = await carried_out(asked)
        return JSONResponse(done, headers={"ETag": f'"{done["version"]}"'})

    @routes.post(
        "/commands:batch",
        summary="Give many commands, one JSON object a line; a result for each line",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {NDJSON: {"schema": {"type": "string"}}},
            }
        },
    )
    async def batch(request: Request, sender: Annotated[Credential, who]) -> Response:
        async def one(line: Line) -> Mapping[str, Any]:
            done = await carried_out(_asked_in_line(sender, line))
            return {"status": 200, **done}

        return await answer_lines(request.stream(), one)

    return routes


def done_json(done: Done) -> dict[str, Any]:
    """Give what a command did as every interface tells it."""
    return {
        "case_id": str(done.case_id),
        "version": done.version,
        "state": done.state,
        "events": list(done.events),
        "repeated": done.repeated,
    }


def _asked(
    sender: Credential,
    *,
    case_id: UUID,
    name: str,
    payload: Mapping[str, Any],
    key: str | None,
    version: int | None,
) -> Asked:
    if sender.anonymous:
        raise ForbiddenError(
            "handling.who", "Send a token: commands are recorded with who gave them."
        )
    return Asked(
        case_id=case_id,
        name=name,
        payload=payload,
        actor=Actor(id=sender.actor, role=sender.role, department=sender.department),
        correlation_id=correlation_id() or new_correlation_id(),
        key=key,
        expected_version=version,
        channel=Channel(sender.channel) if sender.channel else None,
    )


def _asked_in_line(sender: Credential, line: Line) -> Asked:
    """Read `{"case_id", "command", "with"?, "idempotency_key"?, "version"?}`."""
    given = _object("", line.value)
    if unknown := sorted(set(given) - _LINE):
        raise _fault(
            unknown[0], "is not known here", f"Use {', '.join(sorted(_LINE))}."
        )
    try:
        case_id = UUID(given.get("case_id", ""))
    except (ValueError, TypeError, AttributeError):
        raise _fault("case_id", "is no case id", "Send the UUID of the case.") from None
    name, key = given.get("command"), given.get("idempotency_key")
    version = given.get("version")
    if not isinstance(name, str):
        raise _fault("command", "is missing", f"Use one of {', '.join(COMMANDS)}.")
    if key is not None and not isinstance(key, str):
        raise _fault("idempotency_key", "is no string", "Send a string.")
    if version is not None and (not isinstance(version, int) or version is True):
        raise _fault("version", "is no number", "Send the version of the case.")
    payload = _object("with", given.get("with", {}))
    return _asked(
        sender, case_id=case_id, name=name, payload=payload, key=key, version=version
    )


def _if_match(header: str | None) -> int | None:
    if header is None:
        return None
    found = _VERSION.fullmatch(header.strip())
    if found is None:
        raise _fault("If-Match", "is no version", 'Send it as If-Match: "3".')
    return int(found[1])


def _object(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _fault(field or "body", "is no object", "Send a JSON object.")
    return value


def _fault(field: str, message: str, remedy: str) -> MalformedError:
    return MalformedError(
        "request.invalid",
        "Correct the named fields; nothing was done.",
        errors=[FieldError(field, message, remedy)],
    )


_ANY: Final = {"type": "object", "description": "The command's own fields"}
_HEADERS: Final = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key and content again gives the same answer.",
        "schema": {"type": "string", "maxLength": 200},
    },
    {
        "name": "If-Match",
        "in": "header",
        "required": False,
        "description": "The version that the decision was made on, in quotes.",
        "schema": {"type": "string"},
    },
]
