"""Resumable uploads over HTTP: tus 1.0.0 with creation, expiration, termination, checksum.

An offset is told after the bytes before it are durable. A sender that falls silent is
let go; it, or the next one, asks for the offset and goes on.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from email.utils import format_datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute

from services.kernel.errors import (
    AmendsError,
    FieldError,
    MalformedError,
    StaleError,
    TooLargeError,
    UnavailableError,
    UnreadableError,
)
from services.kernel.vault import Receiving, Upload, Uploads
from services.kernel.vault.uploads import unknown
from services.kernel.web.limiter import Limiter
from services.kernel.web.problems import problem

VERSION: Final = "1.0.0"
MEDIA_TYPE: Final = "application/offset+octet-stream"
CHECKED_LIMIT: Final = 8 * 1024**2
"""Most bytes of one request with a checksum: none is kept before all are checked."""
SILENCE: Final = 10.0
"""Seconds without a byte after which a sender is let go."""

_FLUSH: Final = 5.0  # seconds after which slow bytes are kept, before the piece is full
_OWN: Final = {"upload.media_type": 415, "upload.checksum": 460}
"""Statuses that tus asks for; 460 is its own."""
_ALGORITHMS: Final = ("sha1", "sha256")
_CREATED: Final = 201
_DONE: Final = 204
_NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_LONGEST_METADATA: Final = 4_096
_TUS: Final = {"Tus-Resumable": VERSION}

Owner = Callable[[Request], Awaitable[str]]


def uploads_router(
    service: str, uploads: Uploads, owner: Owner, *, limiter: Limiter
) -> APIRouter:
    """Build the routes; `owner` says whose an upload is, and refuses who may not."""
    routes = APIRouter(
        prefix=f"/api/{service}/uploads",
        tags=[service],
        route_class=_TusRoute,
        responses=_ANSWERS,
    )
    door = _Door(uploads, limiter, f"/api/{service}/uploads")
    who = Depends(owner)

    @routes.options("", include_in_schema=False)
    @routes.options("/{upload_id}", include_in_schema=False)
    async def options() -> Response:
        return door.options()

    @routes.post(
        "",
        summary="Begin a resumable upload (tus 1.0.0)",
        status_code=_CREATED,
        openapi_extra={"parameters": [_RESUMABLE, _LENGTH, _METADATA]},
    )
    async def create(request: Request, by: Annotated[str, who]) -> Response:
        return await door.create(request, by)

    @routes.head(
        "/{upload_id}",
        summary="How far an upload is (tus 1.0.0)",
        openapi_extra={"parameters": [_RESUMABLE]},
    )
    async def offset(
        upload_id: UUID, request: Request, by: Annotated[str, who]
    ) -> Response:
        return await door.offset(request, by, upload_id)

    @routes.patch(
        "/{upload_id}",
        summary="Send bytes of an upload, from its offset on (tus 1.0.0)",
        status_code=_DONE,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
            },
            "parameters": [_RESUMABLE, _OFFSET, _CHECKSUM],
        },
    )
    async def send(
        upload_id: UUID, request: Request, by: Annotated[str, who]
    ) -> Response:
        return await door.send(request, by, upload_id)

    @routes.delete(
        "/{upload_id}",
        summary="Remove an upload (tus 1.0.0)",
        status_code=_DONE,
        openapi_extra={"parameters": [_RESUMABLE]},
    )
    async def remove(
        upload_id: UUID, request: Request, by: Annotated[str, who]
    ) -> Response:
        return await door.remove(request, by, upload_id)

    return routes


class _TusRoute(APIRoute):
    """Answers refusals as problems, with the protocol's headers."""

    def get_route_handler(
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def serve(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError:  # what is no UUID is no upload either
                return problem(unknown(), headers=_TUS)
            except AmendsError as error:
                headers = {**_TUS, "Tus-Version": VERSION}
                return problem(error, status=_OWN.get(error.code), headers=headers)

        return serve


class _Door:
    def __init__(self, uploads: Uploads, limiter: Limiter, address: str) -> None:
        self._uploads = uploads
        self._limiter = limiter
        self._address = address

    def options(self) -> Response:
        return Response(
            status_code=_DONE,
            headers={
                **_TUS,
                "Tus-Version": VERSION,
                "Tus-Extension": "creation,expiration,termination,checksum",
                "Tus-Max-Size": str(self._uploads.limit),
                "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
            },
        )

    async def create(self, request: Request, by: str) -> Response:
        self._let_in(request)
        size = _number(request, "Upload-Length")
        if size == 0:  # nobody means to hand in nothing: it got lost on the way
            raise _empty()
        given = metadata_of(request.headers.get("upload-metadata", ""))
        name = given.get("filename", "")
        made = await asyncio.to_thread(
            self._uploads.create, owner=by, size=size, name=name
        )
        location = {"Location": f"{self._address}/{made.upload_id}"}
        return Response(status_code=_CREATED, headers={**_told(made), **location})

    async def offset(self, request: Request, by: str, upload_id: UUID) -> Response:
        self._let_in(request)
        upload = await asyncio.to_thread(self._uploads.find, upload_id, owner=by)
        name = base64.b64encode(upload.name.encode()).decode()
        more = {
            "Upload-Length": str(upload.size),
            "Upload-Metadata": f"filename {name}",
        }
        return Response(headers={**_told(upload), **more})

    async def send(self, request: Request, by: str, upload_id: UUID) -> Response:
        self._let_in(request)
        if request.headers.get("content-type", "") != MEDIA_TYPE:
            raise UnreadableError("upload.media_type", f"Send {MEDIA_TYPE}.")
        begin = _number(request, "Upload-Offset")
        claimed = _checksum(request.headers.get("upload-checksum"))
        receiving = await asyncio.to_thread(
            self._uploads.hold, upload_id, owner=by, offset=begin
        )
        try:
            if claimed is None:
                await _received(receiving, request.stream())
            else:
                await _checked(receiving, request.stream(), claimed)
        finally:
            await asyncio.to_thread(receiving.release)
        upload = await asyncio.to_thread(self._uploads.inspect, upload_id, owner=by)
        return Response(status_code=_DONE, headers=_told(upload))

    async def remove(self, request: Request, by: str, upload_id: UUID) -> Response:
        self._let_in(request)
        await asyncio.to_thread(self._uploads.remove, upload_id, owner=by)
        return Response(status_code=_DONE, headers=_TUS)

    def _let_in(self, request: Request) -> None:
        self._limiter.hit(request)
        if request.headers.get("tus-resumable") != VERSION:
            raise StaleError(
                "upload.protocol", f"Send Tus-Resumable: {VERSION} with each request."
            )


def _told(upload: Upload) -> dict[str, str]:
    headers = {
        **_TUS,
        "Upload-Offset": str(upload.received),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
    }
    if upload.fingerprint:
        headers["Amends-Fingerprint"] = upload.fingerprint
        headers["Amends-Media-Type"] = upload.media_type
    return headers


async def _received(receiving: Receiving, stream: AsyncIterator[bytes]) -> None:
    """Keep what comes, a piece at a time; what came before a break is kept too."""
    loop = asyncio.get_running_loop()
    waiting, since = bytearray(), loop.time()
    try:
        async for content in _unless_silent(stream):
            waiting += content
            while len(waiting) >= receiving.gap or loop.time() - since > _FLUSH:
                # More than was announced has no gap, and is refused here.
                some = bytes(waiting[: receiving.gap or len(waiting)])
                if not some:
                    break
                del waiting[: len(some)]
                try:
                    await asyncio.to_thread(receiving.take, some)
                except BaseException:
                    waiting.clear()  # what comes after a hole is not kept
                    raise
                since = loop.time()
    finally:
        if waiting:
            await asyncio.to_thread(receiving.take, bytes(waiting))


async def _checked(
    receiving: Receiving, stream: AsyncIterator[bytes], claimed: tuple[str, bytes]
) -> None:
    """Keep what comes if it is what was meant."""
    algorithm, digest = claimed
    content = bytearray()
    async for some in _unless_silent(stream):
        content += some
        if len(content) > CHECKED_LIMIT:
            raise TooLargeError(
                "upload.checked_too_large",
                f"Send at most {CHECKED_LIMIT} bytes at a time with a checksum.",
            )
    found = hashlib.new(algorithm, content, usedforsecurity=False).digest()
    if not hmac.compare_digest(found, digest):
        raise UnreadableError(
            "upload.checksum", "Send these bytes again: they were damaged on their way."
        )
    if content:
        await asyncio.to_thread(receiving.take, bytes(content))


async def _unless_silent(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                content = await anext(stream, None)
        except TimeoutError:
            raise UnavailableError(
                "upload.silent", "Nothing came for a while: go on from the offset."
            ) from None
        if content is None:
            return
        if content:
            yield content


def metadata_of(header: str) -> Mapping[str, str]:
    """Read `Upload-Metadata`: names, each with a value in base64. Raises UnreadableError."""
    if len(header) > _LONGEST_METADATA:
        raise _unreadable("Upload-Metadata", f"Send at most {_LONGEST_METADATA} bytes.")
    found: dict[str, str] = {}
    for pair in header.split(",") if header.strip() else ():
        name, _, value = pair.strip().partition(" ")
        try:
            plain = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise _unreadable("Upload-Metadata", "Encode values in base64.") from None
        found[name] = plain.decode("utf-8", "replace")
    return found


def _checksum(header: str | None) -> tuple[str, bytes] | None:
    if header is None:
        return None
    algorithm, _, value = header.strip().partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if algorithm not in _ALGORITHMS or not digest:
        raise _unreadable("Upload-Checksum", f"Use one of {', '.join(_ALGORITHMS)}.")
    return algorithm, digest


def _number(request: Request, name: str) -> int:
    stated = request.headers.get(name.lower(), "")
    if not _NUMBER.fullmatch(stated):
        raise _unreadable(name, "Send it: a number of bytes.")
    return int(stated)


def _unreadable(field: str, remedy: str) -> MalformedError:
    return UnreadableError(
        "upload.header",
        f"Correct the header {field}.",
        errors=[FieldError(field, "is missing or unfit", remedy)],
    )


def _empty() -> MalformedError:
    return MalformedError(
        "upload.empty",
        "This file is empty: choose it again.",
        errors=[FieldError("Upload-Length", "is 0", "Send a file that has bytes.")],
    )


def _header(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


_RESUMABLE: Final = _header("Tus-Resumable", f"Always {VERSION}.")
_LENGTH: Final = _header("Upload-Length", "Bytes of the whole file.")
_OFFSET: Final = _header("Upload-Offset", "The offset that HEAD told.")
_METADATA: Final = _header(
    "Upload-Metadata", "`filename` with a label in base64.", required=False
)
_CHECKSUM: Final = _header(
    "Upload-Checksum", "sha1 or sha256, and the digest in base64.", required=False
)
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "A header that is missing or unfit"},
    401: {
        "description": "A credential that proves nothing, or none where one is asked"
    },
    404: {"description": "No such upload: used, expired, removed, or somebody else's"},
    409: {"description": "Another offset, or somebody is sending"},
    412: {"description": "Another version of the protocol"},
    413: {"description": "More than the limit, or more than was announced"},
    415: {"description": "Another media type than tus asks for"},
    422: {"description": "Empty, or refused by the operator's check of files"},
    429: {"description": "Too many requests from one address"},
    460: {"description": "The checksum is another one; nothing was kept"},
    503: {"description": "No room, or not checked: go on later"},
}
