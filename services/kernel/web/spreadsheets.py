"""Tables on their way out as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from services.kernel.spreadsheets import CSV, XLSX, csv_parts, xlsx_file
from services.kernel.web.downloads import download_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

    from services.kernel.spreadsheets import Table

Ending = Literal["csv", "xlsx"]
ENDINGS: Final[tuple[Ending, ...]] = ("csv", "xlsx")
MEDIA_TYPES: Final[dict[Ending, str]] = {"csv": CSV, "xlsx": XLSX}
_CHUNK: Final = 64 * 1024


async def table_file(make: Callable[[], Table], ending: Ending) -> StreamingResponse:
    """Make the table in a thread and send it: CSV as it is read, a workbook whole."""
    table = await run_in_threadpool(make)
    headers = download_headers(f"{table.name}.{ending}")
    if ending == "csv":
        return StreamingResponse(csv_parts(table), media_type=CSV, headers=headers)
    file = await run_in_threadpool(xlsx_file, table)
    return StreamingResponse(_read(file), media_type=XLSX, headers=headers)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
