"""Many requests in one: NDJSON in, one result a line out, in the same order."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from services.kernel.errors import AmendsError, TooLargeError
from services.kernel.web.problems import problem_of
from services.kernel.web.reading import Line, ndjson

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Mapping

NDJSON: Final = "application/x-ndjson"
LINES: Final = 10_000
"""Most lines of one request; their results are held until its end."""

_TOGETHER: Final = 500


async def answer_lines(
    chunks: AsyncIterable[bytes],
    handle: Callable[[Line], Awaitable[Mapping[str, Any]]],
) -> Response:
    """Have each line handled, up to 500 together, and answer when all are.

    `handle` gives the members of a result, among them `status`; a refusal that it
    raises becomes a problem with the line's number, as a line that could not be read.
    The whole request is read before the answer begins: a client that writes first and
    reads later would otherwise stop both sides.
    """
    results: list[bytes] = []
    waiting: list[asyncio.Future[bytes]] = []
    async for line in ndjson(chunks):
        if len(results) > LINES:
            continue  # heard out, so that the answer is heard as well
        if len(results) + len(waiting) == LINES:
            results += await asyncio.gather(*waiting)
            waiting = []
            results.append(_encoded(line, problem_of(_too_many())))
            continue
        waiting.append(asyncio.ensure_future(_answered(handle, line)))
        if len(waiting) == _TOGETHER:
            results += await asyncio.gather(*waiting)
            waiting = []
    results += await asyncio.gather(*waiting)
    return Response(b"".join(results), media_type=NDJSON)


async def _answered(
    handle: Callable[[Line], Awaitable[Mapping[str, Any]]], line: Line
) -> bytes:
    try:
        if line.fault is not None:
            raise line.fault
        return _encoded(line, await handle(line))
    except AmendsError as error:
        return _encoded(line, problem_of(error))


def _encoded(line: Line, result: Mapping[str, Any]) -> bytes:
    members = {"line": line.number, **result}
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def _too_many() -> TooLargeError:
    return TooLargeError(
        "batch.too_long",
        f"Send at most {LINES} lines; this one and all behind it were not read.",
    )
