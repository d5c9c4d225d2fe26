"""Events of cases become rows: from CASES, and from handling's log what CASES lacks."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import structlog

from events.subjects import CASE_ID, CASE_VERSION
from services.analytics.application.recording import record
from services.analytics.domain.versions import Entry
from services.analytics.ports import Known
from services.kernel.broker.headers import COMMITTED_AT, POSITION
from services.kernel.errors import AmendsError, PoisonError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from events.envelope import Envelope, Event
    from services.analytics.ports import FactStore, Standing
    from services.kernel.inbox import Arrived, Decode, Effect, Fetch, Inbox
    from services.kernel.log_client import LogClient
    from services.kernel.store.database import Tx
    from services.kernel.store.writer import Writer
    from services.kernel.web.log_lines import LogLine

LOOK: Final = 1.0  # seconds between two looks at what is missing
ASK_IDLE: Final = 30  # looks without news until the log is asked whether it has any
PAGE: Final = 500

_log = structlog.get_logger(__name__)


def placed(read: Decode) -> Decode:
    """Read a message that tells its position and when it was known; others are poison."""

    def decode(body: bytes, headers: Mapping[str, str]) -> Arrived:
        for name in (POSITION, COMMITTED_AT):
            if not headers.get(name, "").isdecimal():
                raise PoisonError("analytics.no_position", f"There is no {name}.")
        return read(body, headers)

    return decode


def recording(store: FactStore) -> Effect:
    """Write rows, positions and how far they reach, all in the inbox's transaction."""

    def effect(tx: Tx, arrived: Sequence[Arrived]) -> None:
        entries = [
            Entry(each.position, cast("Envelope[Event]", each.event))
            for each in arrived
        ]
        known = [
            Known(each.position, int(each.headers[COMMITTED_AT])) for each in arrived
        ]
        unfit = record(store.live, tx, entries)
        store.live.note(tx, known)
        store.settle(tx, unfit=unfit)

    return effect


def from_line(line: LogLine, read: Decode) -> Arrived:
    """Give a line of the log as if it had come on the stream."""
    headers = {
        POSITION: str(line.position),
        COMMITTED_AT: str(line.committed_at),
        CASE_ID: str(line.case_id),
        CASE_VERSION: str(line.version),
    }
    return replace(read(line.body, headers), headers=headers)


def filling(log: LogClient, read: Decode) -> Fetch:
    """Fill the gaps of single cases from the log."""

    async def fetch(case_id: UUID, after_version: int) -> list[Arrived]:
        lines = await log.of_case(case_id, after_version)
        return [from_line(line, read) for line in lines]

    return fetch


class LogFollower:
    """Takes from the log what did not come on the stream and no later event misses.

    That is: positions that never were (a lost transaction on PostgreSQL), cases whose
    last events left the stream's window, everything while the broker is away. It asks
    only when the rows have not moved between two looks.
    """

    def __init__(
        self,
        store: FactStore,
        log: LogClient,
        *,
        inbox: Inbox,
        read: Decode,
        writer: Writer,
        pause: float = LOOK,
    ) -> None:
        self._store, self._log = store, log
        self._inbox, self._read, self._writer = inbox, read, writer
        self._effect = recording(store)
        self._pause = pause
        self._before: int | None = None
        self._idle = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Follow until `stop` or cancellation; no failure ends it."""
        while not self._stopping.is_set():
            try:
                while await self._look():
                    pass
            except AmendsError as error:
                _log.info("analytics.log_away", reason=error.code)
            except Exception:  # noqa: BLE001 logged; the next look tries again
                _log.exception("analytics.log_not_taken")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._stopping.wait()

    async def stop(self) -> None:
        self._stopping.set()

    async def _look(self) -> bool:
        """Take one page if something is missing; give whether to look on at once."""
        standing = await asyncio.to_thread(self._standing)
        after, before = standing.complete_to, self._before
        self._before = after
        if after != before:
            self._idle = 0
            return False
        missing = standing.last > after
        self._idle += 1
        if not missing and self._idle % ASK_IDLE != 1:
            return False
        page = await self._log.page(after, PAGE)
        if not page.lines or self._stopping.is_set():
            return False
        arrived = await asyncio.to_thread(
            lambda: [from_line(line, self._read) for line in page.lines]
        )
        await self._writer.run(partial(self._take, after, arrived))
        _log.info("analytics.taken_from_log", after=after, events=len(arrived))
        self._before, self._idle = page.lines[-1].position, 0
        return self._before < page.last_position

    def _standing(self) -> Standing:
        with self._store.snapshot() as rows:
            return rows.standing

    def _take(self, after: int, arrived: Sequence[Arrived]) -> None:
        positions = [after, *(each.position for each in arrived)]
        with self._store.transaction() as tx:
            self._inbox.apply(tx, arrived, self._effect)
            self._store.settle(tx, following=dict(pairwise(positions)))
