"""Handling's log over HTTP: for the rebuild, and for what the stream no longer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx

from services.analytics.application.rebuilding import Page
from services.kernel.errors import UnavailableError
from services.kernel.web.log_lines import LogLine, parse_log_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

PATH: Final = "/api/handling/log"
LAST_POSITION: Final = "Amends-Last-Position"
TIMEOUT: Final = httpx.Timeout(30, connect=5)


class HandlingLog:
    """Reads the log with a service's token; every failure is `UnavailableError`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def page(self, after: int, limit: int) -> Page:
        """Give at most `limit` lines behind a position, and where the log ends."""
        lines, answer = await self._read({"after": str(after), "limit": str(limit)})
        try:
            return Page(lines, int(answer.headers[LAST_POSITION]))
        except (KeyError, ValueError):
            raise _away(f"an answer without {LAST_POSITION}") from None

    async def of_case(self, case_id: UUID, after_version: int) -> list[LogLine]:
        """Give a case's events from the version after `after_version` on."""
        lines, _ = await self._read({"case_id": str(case_id)})
        return [line for line in lines if line.version > after_version]

    async def close(self) -> None:
        await self._client.aclose()

    async def _read(
        self, query: Mapping[str, str]
    ) -> tuple[list[LogLine], httpx.Response]:
        try:
            answer = await self._client.get(PATH, params=query)
        except httpx.HTTPError as error:
            raise _away(type(error).__name__) from error
        if not answer.is_success:
            raise _away(f"status {answer.status_code}")
        return [parse_log_line(line) for line in _lines(answer.content)], answer


def open_log(url: str, token: str) -> HandlingLog:
    """Reach handling at `url` (`http://host:port`) with a service's token."""
    return HandlingLog(
        httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            trust_env=False,  # a proxy of the environment is not for our own services
        )
    )


def _lines(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line]


def _away(what: str) -> UnavailableError:
    return UnavailableError(
        "analytics.handling_away",
        f"Handling's log could not be read ({what}): see whether handling runs, then"
        " try again.",
        retry_after=5,
    )
