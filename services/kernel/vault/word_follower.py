"""Takes what was written into the index of words, behind the commit that keeps it.

Nobody who hands in or writes waits for it. It follows the service's own log: how far it
is lies in the transaction that keeps the words, so that a crash or a stop only puts
them off. Who looks for words has it catch up first, for a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from services.kernel.clock import from_micros
from services.kernel.errors import AmendsError
from services.kernel.store.database import about_the_store
from services.kernel.tasks import end
from services.kernel.vault.word_index import PART, Worded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from services.kernel.store.database import Database, Tx
    from services.kernel.store.recorder import LogEntry
    from services.kernel.store.writer import Writer
    from services.kernel.vault.documents import Document, Vault
    from services.kernel.vault.word_index import WordIndex

MOST: Final = 256
"""Events of one lot."""
LOT_SECONDS: Final = 0.02
"""How long a lot may hold up others who write."""
SHARE: Final = 0.03
"""Of the writer's time, while others write too."""
QUIET: Final = 1.0
"""Seconds without others after which all of the time is taken."""
GATHERED: Final = 0.1
"""Seconds in which events gather before a lot begins."""
PATIENCE: Final = 1.0
"""Seconds that a search waits for what is not taken in yet."""
AGAIN: Final = 5.0
"""Seconds until a lot that failed is tried once more."""

_TEXT: Final = "text/plain"
_log = structlog.get_logger(__name__)


class _Log(Protocol):
    def log(self, after: int, limit: int) -> Sequence[LogEntry]: ...

    def last_position(self) -> int: ...

    def on_commit(self, callback: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A document to be found by its words, and the event that it came with."""

    position: int
    case_id: UUID
    document_id: UUID


class WordFollower:
    """Keeps the index of one service up with its log.

    `texts` names the documents of events; `erased` those of some people who were.
    """

    def __init__(
        self,
        name: str,
        log: _Log,
        database: Database,
        writer: Writer,
        *,
        index: WordIndex,
        vault: Vault,
        texts: Callable[[Sequence[LogEntry]], Iterable[Text]],
        erased: Callable[[Tx, Collection[UUID]], set[UUID]],
    ) -> None:
        self._name = name
        self._log = log
        self._database = database
        self._writer = writer
        self._index = index
        self._vault = vault
        self._texts = texts
        self._erased = erased
        self._size = 16
        self._passed = 0
        self._took = 0.0
        self._seen, self._others_at = 0, 0.0
        self._due = asyncio.Event()
        self._asleep = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        log.on_commit(self._wake)

    def start(self) -> None:
        """Begin, and return at once."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave off; the next start goes on."""
        if self._task is not None:
            await end(self._task)
            self._loop = None

    async def caught_up(self) -> datetime | None:
        """Take in what is there now, for a second; say since when something is left."""
        wanted = await asyncio.to_thread(self._log.last_position)
        ends = time.monotonic() + PATIENCE
        while (reach := await self._writer.run(self.take)) < wanted:
            if time.monotonic() > ends:
                left = await asyncio.to_thread(self._log.log, reach, 1)
                return from_micros(left[0].committed_at) if left else None
        return None

    def reach(self) -> int:
        """Say how far all is taken in, or holds no words."""
        with self._database.read() as tx:
            return max(self._index.reach(tx), self._passed)

    def take(self) -> int:
        """Take in the next lot, in the writer's thread; say how far it all is now."""
        begun = time.perf_counter()
        with self._database.read() as tx:
            after = self._index.reach(tx)
        entries = self._log.log(max(after, self._passed), self._size)
        if not entries:
            self._took = 0.0
            return max(after, self._passed)
        worded = self._worded(entries)
        upto = entries[-1].position
        if not worded and upto - after < PART:  # nothing to keep: no commit for that
            self._passed = upto
            self._took = time.perf_counter() - begun
            return upto
        with self._database.write() as tx:
            if self._index.reach(tx, alone=True) != after:
                return after  # another process was first
            gone = self._erased(tx, {each.subject_id for each in worded})
            self._index.put(
                tx,
                [each for each in worded if each.subject_id not in gone],
                after=after,
                upto=upto,
            )
        self._took = time.perf_counter() - begun
        if self._size == len(entries):
            better = round(self._size * LOT_SECONDS / self._took)
            self._size = min(MOST, max(1, better), 2 * self._size)
        return upto

    def _worded(self, entries: Sequence[LogEntry]) -> list[Worded]:
        texts = list(self._texts(entries))
        documents = self._vault.readable([each.document_id for each in texts])
        of_event: defaultdict[tuple[int, UUID], list[Document]] = defaultdict(list)
        for each in texts:
            document = documents.get(each.document_id)
            if document is not None and document.media_type.startswith(_TEXT):
                of_event[each.position, each.case_id].append(document)
        return [
            Worded(
                position,
                case_id,
                papers[0].subject_id,
                self._index.digests(
                    paper.plaintext.decode(errors="replace") for paper in papers
                ),
            )
            for (position, case_id), papers in of_event.items()
        ]

    def _wake(self) -> None:
        """Tell that something was committed; from any thread."""
        if self._asleep and self._loop is not None:
            self._asleep = False
            self._loop.call_soon_threadsafe(self._due.set)

    async def _run(self) -> None:
        while True:
            try:
                await self._catch_up()
            except Exception as error:  # noqa: BLE001 nothing else depends on it
                if isinstance(error, AmendsError) or about_the_store(error):
                    _log.warning("words.left_off", service=self._name, why=str(error))
                else:
                    _log.exception("words.failed", service=self._name)
                await asyncio.sleep(AGAIN)
            else:
                await self._due.wait()
                self._due.clear()
                await asyncio.sleep(GATHERED)

    async def _catch_up(self) -> None:
        """Take in all that is there, giving way to others who write."""
        reach = -1
        while True:
            self._asleep = True  # what is committed from here on is told
            now = await self._writer.run(self.take)
            if self._writer.handled > self._seen + 1:
                self._others_at = time.monotonic()
            self._seen = self._writer.handled
            if now == reach:
                return
            reach = now
            if time.monotonic() - self._others_at < QUIET:
                await asyncio.sleep(self._took * (1 - SHARE) / SHARE)
