"""A department's feed by cursor: what is new behind it, at once or as soon as it comes."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from services.kernel.errors import (
    FieldError,
    MalformedError,
    RefusedError,
    TooManyError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.handling.ports import Copies, Copy

STREAMS: Final = 16
"""Open streams of one department at a time, in each process."""

_LOOK_AGAIN: Final = 1.0  # another process may have committed to the same database
_CURSOR: Final = re.compile(r"([0-9a-f]{1,64})\.(0|[1-9][0-9]{0,17})")


class Numbered(Protocol):
    """What a cursor says of a record: which one it is, and how far."""

    @property
    def epoch(self) -> str: ...

    def last_position(self) -> int: ...


class Stretch(NamedTuple):
    """Copies in the order of the record; `more` tells that others follow already."""

    copies: list[Copy]
    position: int
    more: bool


class Feeds:
    """What each department may read, in one event loop; `record` is what they come from."""

    def __init__(
        self, copies: Copies, record: Numbered, *, silent: bool = False
    ) -> None:
        """`silent` tells nobody anything: in a copy to try things on."""
        self._silent = silent
        self._copies = copies
        self._record = record
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: Counter[str] = Counter()
        copies.on_commit(self._committed)

    def cursor(self, position: int) -> str:
        """Name the place behind a position of this record."""
        return f"{self._record.epoch}.{position}"

    async def place(self, cursor: str | None) -> int:
        """Read what `cursor` gave; none is the beginning.

        Raises MalformedError, and RefusedError for a cursor of another record, and
        wherever nothing is told.
        """
        if self._silent:
            raise RefusedError(
                "staging.no_feed",
                "This is a copy to try things on: it tells departments nothing.",
            )
        if cursor is None:
            return 0
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            remedy = "take `cursor` of the last answer, or leave it out to begin"
            raise MalformedError(
                "handling.query",
                f"`after` was not given out here: {remedy}.",
                errors=[FieldError("after", "was not given out here", remedy)],
            )
        epoch, position = found[1], int(found[2])
        if epoch != self._record.epoch or position > await asyncio.to_thread(
            self._record.last_position
        ):
            raise RefusedError(
                "handling.cursor_of_another_record",
                "The record was restored since this cursor was given out: ask without"
                " one, and pass over the events whose `event_id` you have.",
            )
        return position

    async def read(
        self,
        department: str,
        after: int,
        *,
        limit: int,
        within: float,
        ending: asyncio.Event,
    ) -> Stretch:
        """Give what is behind `after`, as soon as there is anything.

        After `within` seconds, or when `ending` is set, it gives nothing.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        with self._listening(department) as bell:
            while True:
                bell.clear()  # before reading: what is committed now rings again
                found = await asyncio.to_thread(
                    self._copies.page, department, after, limit=limit + 1
                )
                left = end - loop.time()
                if found or left <= 0 or ending.is_set():
                    break
                if self._copies.shared:
                    left = min(left, _LOOK_AGAIN)
                await _either(bell, ending, within=left)
        copies = found[:limit]
        position = copies[-1].position if copies else after
        return Stretch(copies, position, len(found) > limit)

    @contextmanager
    def streaming(self, department: str) -> Iterator[None]:
        """Count an open stream. Raises TooManyError for one too many."""
        if self._streams[department] >= STREAMS:
            raise TooManyError(
                "handling.too_many_streams",
                f"This department has {STREAMS} open streams: close some of them,"
                " or share one.",
                retry_after=15,
            )
        self._streams[department] += 1
        try:
            yield
        finally:
            self._streams[department] -= 1

    @contextmanager
    def _listening(self, department: str) -> Iterator[asyncio.Event]:
        self._loop = asyncio.get_running_loop()
        bell = asyncio.Event()
        bells = self._bells.setdefault(department, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.discard(bell)

    def _committed(self, departments: frozenset[str]) -> None:
        """Wake who waits; called in the thread that committed."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._ring, departments)

    def _ring(self, departments: frozenset[str]) -> None:
        for department in departments:
            for bell in self._bells.get(department, ()):
                bell.set()


async def _either(*events: asyncio.Event, within: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
