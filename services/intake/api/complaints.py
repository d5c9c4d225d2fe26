"""Complaints over HTTP: hand one in, hand in many, ask where one stands."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from services.intake.application.inquiries import Inquiries
from services.intake.application.submitting import Intake
from services.intake.domain.submission import Submission
from services.intake.ports import ChannelAccess, Record
from services.kernel.access import Authenticator, Credential
from services.kernel.clock import Clock, rfc3339
from services.kernel.errors import FieldError, MalformedError, NotFoundError
from services.kernel.logs import correlation_id, new_correlation_id
from services.kernel.store.writer import Writer
from services.kernel.tokens import require_role
from services.kernel.web.batch import NDJSON, answer_lines
from services.kernel.web.caller import ANONYMOUS_TOO, caller
from services.kernel.web.limiter import Limiter
from services.kernel.web.reading import Line, strict_json


def router(
    intake: Intake,
    inquiries: Inquiries,
    authenticator: Authenticator,
    *,
    now: Clock,
    limiter: Limiter,
) -> APIRouter:
    """Build the routes. Bodies are read by hand, strictly and once (hot path 7)."""
    routes = APIRouter(prefix="/api/intake", tags=["intake"])
    who = Depends(caller(authenticator))

    @routes.post(
        "/complaints",
        summary="Hand in one complaint and get its receipt",
        status_code=201,
        responses=_ANSWERS,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": submission_schema()}},
            },
            "parameters": [_KEY_PARAMETER],
            **ANONYMOUS_TOO,
        },
    )
    async def submit(
        request: Request, sender: Annotated[Credential, who]
    ) -> JSONResponse:
        document = strict_json(await request.body())
        receipt = await intake.submit(
            document,
            key=request.headers.get("idempotency-key"),
            caller=sender,
            correlation_id=correlation_id() or new_correlation_id(),
        )
        told = receipt.told()
        return JSONResponse(
            told,
            status_code=200 if receipt.repeated else 201,
            headers={"Location": told["status_url"]},
        )

    @routes.post(
        "/complaints:batch",
        summary="Hand in many, one JSON object a line; a result for each line",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {NDJSON: {"schema": {"type": "string"}}},
            },
            **ANONYMOUS_TOO,
        },
    )
    async def batch(request: Request, sender: Annotated[Credential, who]) -> Response:
        async def one(line: Line) -> dict[str, Any]:
            return await _submitted(intake, line.value, sender)

        return await answer_lines(request.stream(), one)

    @routes.get(
        "/complaints/{receipt_no}",
        summary="Where a complaint stands; spaces in the number are welcome",
        openapi_extra={**ANONYMOUS_TOO},
    )
    async def status(
        receipt_no: str, request: Request, sender: Annotated[Credential, who]
    ) -> JSONResponse:
        if not sender.service:
            limiter.hit(request)
        progress = await run_in_threadpool(inquiries.progress, receipt_no)
        return JSONResponse(
            {
                "receipt_no": progress.receipt_no,
                "state": progress.standing.state,
                "unit": progress.standing.unit,
                "received_at": rfc3339(progress.received_at),
                "promised": [rfc3339(at) for at in progress.promised],
                "timeline": [
                    {"type": step.type, "at": rfc3339(step.at)}
                    for step in progress.steps
                ],
                "as_of": rfc3339(now()),
            }
        )

    return routes


def channels_router(
    entrances: Mapping[str, ChannelAccess], authenticator: Authenticator
) -> APIRouter:
    """Build the route that tells secrets: to operators and administrators alone."""
    routes = APIRouter(prefix="/api/intake/channels", tags=["intake"])
    who = Depends(caller(authenticator))

    @routes.post(
        "/{channel}/credentials",
        summary="How the channel's system hands in on the bus, with its secret",
    )
    def credentials(channel: str, sender: Annotated[Credential, who]) -> dict[str, str]:
        require_role(sender, "operator", "admin")
        if channel not in entrances:
            raise NotFoundError(
                "intake.no_channel",
                "No such channel has a user on the broker: choose one of"
                f" {', '.join(entrances)}."
                if entrances
                else "The broker has no users: set AMENDS_NATS_CREDENTIALS.",
            )
        return entrances[channel]._asdict()

    return routes


def uploader(authenticator: Authenticator) -> Callable[[Request], Awaitable[str]]:
    """Say whose an upload is: a token's holder's, or, without one, a stranger's.

    No cookie is read: the form is the customer's, whoever is signed in beside it.
    """

    async def owner(request: Request) -> str:
        return authenticator.authenticate(request.headers.get("authorization")).actor

    return owner


class ErasedBefore(BaseModel):
    """A person who had been erased, with their cases."""

    model_config = ConfigDict(extra="ignore")

    subject_id: UUID
    case_ids: list[UUID]
    erased_at: AwareDatetime


class Again(BaseModel):
    """Rows of the register of erasures, as handling gives them."""

    model_config = ConfigDict(extra="forbid")

    rows: list[ErasedBefore]


def privacy_router(
    record: Record, writer: Writer, authenticator: Authenticator
) -> APIRouter:
    """Build the route by which a restored intake learns again who was erased."""
    routes = APIRouter(prefix="/api/intake/privacy", tags=["privacy"])
    who = Depends(caller(authenticator, service=True))

    @routes.post(
        "/reapply",
        summary="Erase anew who had been erased before a restore",
        dependencies=[who],
    )
    async def reapply(given: Again) -> dict[str, int]:
        people = [
            (each.subject_id, each.case_ids, each.erased_at) for each in given.rows
        ]
        await writer.run(lambda: record.erase_again(people))
        return {"applied": len(people)}

    return routes


async def _submitted(
    intake: Intake, document: object, sender: Credential
) -> dict[str, Any]:
    """Take one line of a batch: a submission with its `idempotency_key` in it."""
    document, key = own_key(document)
    receipt = await intake.submit(
        document,
        key=key,
        caller=sender,
        correlation_id=correlation_id() or new_correlation_id(),
    )
    return {"status": 200 if receipt.repeated else 201, **receipt.told()}


def own_key(document: object) -> tuple[object, str | None]:
    """Take the key out of a line of a batch. Raises MalformedError."""
    if not isinstance(document, dict):
        return document, None
    rest = dict(document)
    key = rest.pop("idempotency_key", None)
    if key is not None and not isinstance(key, str):
        raise _key_no_string()
    return rest, key


def _key_no_string() -> MalformedError:
    remedy = "Send idempotency_key as a string."
    return MalformedError(
        "intake.key_needed",
        remedy,
        errors=[FieldError("idempotency_key", "is no string", remedy)],
    )


def submission_schema() -> dict[str, Any]:
    """Give the JSON Schema of a submission, without references."""
    schema = Submission.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in part]
        if not isinstance(part, dict):
            return part
        name = str(part.get("$ref", "")).removeprefix("#/$defs/")
        found = {**definitions[name], **part} if name else part
        return {key: inlined(value) for key, value in found.items() if key != "$ref"}

    whole: dict[str, Any] = inlined(schema)
    return whole


_KEY_PARAMETER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and content again gives the same answer. Callers"
    " without credentials must send a UUID.",
    "schema": {"type": "string", "maxLength": 200},
}
_RECEIPT_SCHEMA: Final = {
    "type": "object",
    "required": [
        "receipt_no",
        "access_code",
        "case_id",
        "status_url",
        "received_at",
    ],
    "properties": {
        "receipt_no": {"type": "string", "pattern": "^[0-9]{16}$"},
        "access_code": {"type": "string"},
        "case_id": {"type": "string", "format": "uuid"},
        "status_url": {"type": "string"},
        "received_at": {"type": "string", "format": "date-time"},
    },
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    201: {
        "description": "Received: committed, with its number",
        "content": {"application/json": {"schema": _RECEIPT_SCHEMA}},
    },
    200: {
        "description": "Received before under this key: the same answer again",
        "content": {"application/json": {"schema": _RECEIPT_SCHEMA}},
    },
    400: {"description": "Not JSON"},
    401: {"description": "A credential that proves nothing"},
    403: {"description": "Not this caller's channel, origin or time"},
    409: {"description": "The key was used for another complaint"},
    413: {"description": "More than 1 MiB"},
    422: {"description": "Fields at fault, each named with its remedy"},
    503: {"description": "Not certain to be kept; ask again with the same key"},
}
