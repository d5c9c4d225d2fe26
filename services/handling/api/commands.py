"""Commands over HTTP: one at a time, or many in one request."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from services.handling.application.asking import (
    asked,
    carried_out,
    done_json,
    fault,
    foreseen,
    read_asked,
    require_object,
)
from services.handling.application.cases import no_case
from services.handling.application.commanding import Commanding
from services.handling.domain.commands import COMMANDS
from services.handling.ports import Opened, Receipts
from services.kernel.access import Authenticator, Credential
from services.kernel.errors import UnauthenticatedError
from services.kernel.store.writer import Writer
from services.kernel.web.batch import NDJSON, answer_lines
from services.kernel.web.caller import Bearer, caller
from services.kernel.web.limiter import Limiter
from services.kernel.web.reading import Line, strict_json

_VERSION: Final = re.compile(r'"([0-9]{1,9})"')
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Done, or done before under this key"},
    401: {
        "description": "A token, or a receipt with an access code, that opens nothing"
    },
    403: {"description": "Not this caller's to do"},
    404: {"description": "No such case or command"},
    409: {"description": "Refused in the present state, with a stable code"},
    412: {"description": "The case has changed since"},
    422: {"description": "Fields at fault, each named with its remedy"},
    503: {"description": "Not certain to be done; ask again with the same key"},
}


def router(
    commanding: Commanding,
    writer: Writer,
    authenticator: Authenticator,
    receipts: Receipts,
    *,
    limiter: Limiter,
) -> APIRouter:
    """Build the routes. Bodies are read by hand, strictly and once (hot path 7)."""
    routes = APIRouter(prefix="/api/handling", tags=["commands"])

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
        sender: Annotated[
            Credential, Depends(_Sender(authenticator, receipts, limiter))
        ],
    ) -> JSONResponse:
        body = await request.body()
        payload = require_object("", strict_json(body) if body else {})
        headers = request.headers
        wanted = asked(
            sender,
            case_id=case_id,
            name=command,
            payload=payload,
            key=headers.get("idempotency-key"),
            version=_if_match(headers.get("if-match")),
        )
        done = done_json(await carried_out(commanding, writer, wanted))
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
    async def batch(
        request: Request,
        sender: Annotated[Credential, Depends(caller(authenticator))],
    ) -> Response:
        async def one(line: Line) -> Mapping[str, Any]:
            wanted = read_asked(sender, line.value)
            done = await carried_out(commanding, writer, wanted)
            return {"status": 200, **done_json(done)}

        return await answer_lines(request.stream(), one)

    @routes.post(
        "/commands:check",
        summary="What would become of many commands, each by itself; nothing is done",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {NDJSON: {"schema": {"type": "string"}}},
            }
        },
    )
    async def check(
        request: Request,
        sender: Annotated[Credential, Depends(caller(authenticator))],
    ) -> Response:
        async def one(line: Line) -> Mapping[str, Any]:
            wanted = read_asked(sender, line.value)
            done = await foreseen(commanding, writer, wanted)
            return {"status": 200, **done_json(done)}

        return await answer_lines(request.stream(), one)

    return routes


class _Sender(Bearer):
    """Knows the sender by a token, or as the one who holds the case's receipt."""

    def __init__(
        self, authenticator: Authenticator, receipts: Receipts, limiter: Limiter
    ) -> None:
        self._limiter = limiter
        self._authenticator = authenticator
        self._receipts = receipts

    async def __call__(self, case_id: UUID, request: Request) -> Credential:
        header = request.headers.get("authorization")
        if _shows_receipt(header):
            self._limiter.hit(request)
        own = await _opened(self._receipts, header)
        if own is None:
            return self._authenticator.authenticate(header)
        if own.case_id != case_id:  # of the case of another one learns nothing
            raise no_case()
        return Credential(actor=f"receipt-{own.receipt_no}", role="complainant")


def _shows_receipt(header: str | None) -> bool:
    return (header or "").partition(" ")[0].lower() == "receipt"


async def _opened(receipts: Receipts, header: str | None) -> Opened | None:
    """Give what `Receipt NUMBER CODE` opens; None where the header shows no receipt."""
    if header is None or not _shows_receipt(header):
        return None
    _, _, shown = header.partition(" ")
    number, _, code = shown.strip().rpartition(" ")
    return await receipts.opened(number, code)


def uploader(
    authenticator: Authenticator, receipts: Receipts
) -> Callable[[Request], Awaitable[str]]:
    """Say whose an upload is: who holds a token, a session or a receipt."""
    known = caller(authenticator)

    async def owner(request: Request) -> str:
        own = await _opened(receipts, request.headers.get("authorization"))
        if own is not None:
            return f"receipt-{own.receipt_no}"
        found = await known(request)
        if found.anonymous:
            raise UnauthenticatedError(
                "handling.who_uploads", "Sign in, or show a token or a receipt."
            )
        return found.actor

    return owner


def _if_match(header: str | None) -> int | None:
    if header is None:
        return None
    found = _VERSION.fullmatch(header.strip())
    if found is None:
        raise fault("If-Match", "is no version", 'Send it as If-Match: "3".')
    return int(found[1])


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
