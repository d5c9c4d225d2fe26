"""`GET /api/<service>/log`: the second road between services, for all who fell behind.

Rebuild, reconcile, audit and gap filling read it; each line as in `log_lines`.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final, Protocol
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from services.kernel.access import Authenticator
from services.kernel.web.caller import caller
from services.kernel.web.log_lines import Stored, log_line

MEDIA_TYPE: Final = "application/x-ndjson"
_PAGE: Final = 500
_LAST: Final = 2**63 - 1


class StoredLog(Protocol):
    """What an event store offers to those who read it from the beginning."""

    @property
    def name(self) -> str: ...
    @property
    def epoch(self) -> str: ...
    def log(
        self,
        after: int,
        limit: int,
        *,
        upto: int | None = None,
        case_id: UUID | None = None,
    ) -> Sequence[Stored]: ...
    def last_position(self) -> int: ...


def log_router(
    source: StoredLog, authenticator: Authenticator, *, path: str | None = None
) -> APIRouter:
    """Serve the log of `source` to services, at `/api/<its name>/log` if not told else.

    An answer ends at the last position when it began (`Amends-Last-Position`), or
    after `limit` lines. Pages of 500 are read in a thread; a cut connection is an
    answer without an end, never a short one.
    """
    router = APIRouter(tags=["log"])
    only_services = Depends(caller(authenticator, service=True))

    @router.get(path or f"/api/{source.name}/log", dependencies=[only_services])
    async def log(
        after: Annotated[int, Query(ge=0, le=_LAST)] = 0,
        limit: Annotated[int, Query(ge=1, le=_LAST)] = _LAST,
        case_id: UUID | None = None,
    ) -> StreamingResponse:
        upto = await run_in_threadpool(source.last_position)
        pages = _pages(source, after, limit, upto, case_id)
        return StreamingResponse(
            pages,
            media_type=MEDIA_TYPE,
            headers={"Amends-Epoch": source.epoch, "Amends-Last-Position": str(upto)},
        )

    return router


async def _pages(
    source: StoredLog, after: int, limit: int, upto: int, case_id: UUID | None
) -> AsyncIterator[bytes]:
    epoch = source.epoch
    while limit > 0:
        wanted = min(_PAGE, limit)
        rows = await run_in_threadpool(
            source.log, after, wanted, upto=upto, case_id=case_id
        )
        yield b"".join(log_line(row, epoch) for row in rows)
        if len(rows) < wanted:
            return
        after = rows[-1].position
        limit -= wanted
