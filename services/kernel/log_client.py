"""Reads another service's log over HTTP: the second road between services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import httpx

from services.kernel.broker.headers import POSITION
from services.kernel.errors import UnavailableError
from services.kernel.web.log_lines import LogLine, parse_log_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from services.kernel.inbox import Arrived, Decode, Fetch

LAST_POSITION: Final = "Amends-Last-Position"
TIMEOUT: Final = httpx.Timeout(30, connect=5)


class Page(NamedTuple):
    """A stretch of a log, and where the log ended when it was asked for."""

    lines: list[LogLine]
    last_position: int


class LogClient:
    """The log of one service, read with a service's token.

    Every failure is `UnavailableError`: ask again later.
    """

    def __init__(self, client: httpx.AsyncClient, service: str) -> None:
        self._client = client
        self._service = service

    async def page(self, after: int, limit: int) -> Page:
        """Give at most `limit` lines behind a position, and where the log ends."""
        lines, answer = await self._read({"after": str(after), "limit": str(limit)})
        try:
            return Page(lines, int(answer.headers[LAST_POSITION]))
        except (KeyError, ValueError):
            raise self._away(f"an answer without {LAST_POSITION}") from None

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
            answer = await self._client.get(f"/api/{self._service}/log", params=query)
        except httpx.HTTPError as error:
            raise self._away(type(error).__name__) from error
        if not answer.is_success:
            raise self._away(f"status {answer.status_code}")
        lines = answer.content.split(b"\n")
        return [parse_log_line(line) for line in lines if line], answer

    def _away(self, what: str) -> UnavailableError:
        return UnavailableError(
            "log.away",
            f"The log of {self._service} could not be read ({what}): see whether it"
            " runs, then try again.",
            retry_after=5,
        )


def filling(log: LogClient, read: Decode) -> Fetch:
    """Fill a consumer's gaps from the log of the service that it follows."""

    async def fetch(case_id: UUID, after_version: int) -> list[Arrived]:
        return [
            read(line.body, {POSITION: str(line.position)})
            for line in await log.of_case(case_id, after_version)
        ]

    return fetch


def open_log(url: str, token: str, service: str) -> LogClient:
    """Reach `service` at `url` (`http://host:port`) with a service's token."""
    return LogClient(
        httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT,
            trust_env=False,  # a proxy of the environment is not for our own services
        ),
        service,
    )
