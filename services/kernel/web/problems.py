"""Refusals over HTTP: every one an `application/problem+json` (RFC 9457) with a code.

The one table from families of errors to statuses. A body never repeats what was sent.
"""

import json
from http import HTTPStatus
from http.client import responses
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.kernel import errors
from services.kernel.errors import AmendsError, MalformedError, UnreadableError
from services.kernel.logs import correlation_id
from services.kernel.web.reading import field_errors

MEDIA_TYPE: Final = "application/problem+json"
_TYPE: Final = "urn:amends:problem:"

STATUSES: Final[dict[type[AmendsError], int]] = {
    errors.UnreadableError: 400,
    errors.UnauthenticatedError: 401,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.RefusedError: 409,
    errors.StaleError: 412,
    errors.TooLargeError: 413,
    errors.MalformedError: 422,
    errors.TooManyError: 429,
    errors.UnavailableError: 503,
}
# Codes of the framework's own refusals; others are named by their number, because the
# standard library has renamed phrases before.
_HTTP: Final = {
    404: ("http.not_found", "Check the address against the documentation."),
    405: ("http.method_not_allowed", "Use a method that the Allow header names."),
}
_UNEXPECTED: Final = AmendsError(
    "internal.unexpected",
    "Something failed here. The outcome is unknown: ask again with the same key, "
    "and quote the correlation id if it fails again.",
)


def status_of(error: AmendsError) -> int:
    """Give the status of the nearest family; an error of none is our own fault."""
    return next((STATUSES[c] for c in type(error).__mro__ if c in STATUSES), 500)


def problem_of(error: AmendsError, *, status: int | None = None) -> dict[str, Any]:
    """Build the members of a problem, also for one line's result of a batch."""
    status = status or status_of(error)
    return {
        "type": _TYPE + error.code,
        "title": responses.get(status, "Refused"),
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "errors": [
            {"field": e.field, "message": e.message, "remedy": e.remedy}
            for e in error.errors
        ],
        "correlation_id": correlation_id(),
    }


def problem(
    error: AmendsError,
    *,
    status: int | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    members = problem_of(error, status=status)
    added = dict(headers or {})
    if isinstance(error, errors.TooManyError | errors.UnavailableError):
        added["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.UnauthenticatedError):
        added["WWW-Authenticate"] = "Bearer"
    return Response(
        json.dumps(members, separators=(",", ":")),
        status_code=members["status"],
        headers=added,
        media_type=MEDIA_TYPE,
    )


def unexpected() -> Response:
    """Tell that something failed, not what; the log has that."""
    return problem(_UNEXPECTED)


def install(app: Starlette) -> None:
    """Answer every refusal of `app`, its framework's too, by a problem."""
    app.add_exception_handler(AmendsError, _amends)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(
        ClientDisconnect,
        _gone,  # type: ignore[arg-type] # starlette sends nothing for None
    )
    app.add_exception_handler(Exception, _exception)


async def _amends(_request: Request, error: Exception) -> Response:
    assert isinstance(error, AmendsError)  # noqa: S101 - as registered, for mypy
    return problem(error)


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as registered, for mypy
    status, headers = error.status_code, dict(error.headers or {})
    if status < HTTPStatus.BAD_REQUEST:
        return Response(status_code=status, headers=headers)
    code, detail = _HTTP.get(status, (f"http.{status}", str(error.detail)))
    return problem(AmendsError(code, detail), status=status, headers=headers)


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(UnreadableError("json.syntax", "Send a body of correct JSON."))
    named = [{**fault, "loc": fault["loc"][1:] or fault["loc"]} for fault in faults]
    return problem(
        MalformedError(
            "request.invalid",
            "Correct the named fields; nothing was stored.",
            errors=field_errors(named),
        )
    )


async def _gone(_request: Request, _error: Exception) -> None:
    """Answer nothing: the caller hung up, nobody would hear it."""


async def _exception(_request: Request, _error: Exception) -> Response:
    return unexpected()
