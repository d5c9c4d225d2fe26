"""The one thread of a service that writes: what waits together commits together."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from services.kernel.errors import UnavailableError
from services.kernel.measures import (
    BATCH_ITEMS,
    BATCH_SECONDS,
    ITEMS,
    QUEUE,
    QUEUE_LIMIT,
    SECONDS,
    Sample,
    Spread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

I = TypeVar("I")  # noqa: E741 item in
R = TypeVar("R")

BATCH = 500
"""At most this many items are handed to a handler at once."""
LIMIT = 2_000
"""At most this many items wait: four batches, some seconds of work. Whoever comes when
there are as many is refused at once, instead of a receipt that would come too late."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job:
    handler: Callable[[Sequence[Any]], Sequence[Any]]
    item: Any
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]


class Writer:
    """Runs writing work in one thread, in the order in which it came.

    `call` gathers items of one handler that wait together into one batch, so that one
    commit serves them all; nobody is answered before the handler returned.
    """

    def __init__(self, name: str, *, limit: int = LIMIT) -> None:
        self._name = name
        self.limit = limit
        self._items, self._seconds = Spread(ITEMS), Spread(SECONDS)
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.handled = 0
        """Items handled so far: who works beside others sees by it how busy they are."""

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name=f"writer-{self._name}")
        self._thread.start()

    def stop(self) -> None:
        """Finish what was taken, then end the thread; what comes later is refused."""
        self._stopping = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        while True:  # a call may have slipped in behind the end
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                _answer([job], [_stopping()])

    async def call(
        self,
        handler: Callable[[Sequence[I]], Sequence[R | Exception]],
        item: I,
        *,
        ours: bool = False,
    ) -> R:
        """Have `item` handled in a batch and give its result.

        `handler` takes 1 to 500 items and gives as many results, in order; a result
        that is an exception is raised to that caller alone. What `handler` raises is
        raised to every caller of the batch. Raises `UnavailableError` when stopping, and
        when too many wait already; `ours` is work of the service itself, which comes one
        piece after the other and is never turned away.
        """
        if self._stopping or self._thread is None:
            raise _stopping()
        if not ours and self._jobs.qsize() >= self.limit:
            raise _full()
        loop = asyncio.get_running_loop()
        job = _Job(handler, item, loop, loop.create_future())
        self._jobs.put(job)
        result: R = await job.answer
        return result

    async def run(self, work: Callable[[], R]) -> R:
        """Run one piece of work alone in the thread."""

        def alone(_: Sequence[None]) -> Sequence[R]:
            return (work(),)

        return await self.call(alone, None, ours=True)

    def figures(self) -> list[Sample]:
        """Tell how many wait, how many were committed together, and how long it took."""
        return [
            QUEUE.of(self._jobs.qsize(), self._name),
            QUEUE_LIMIT.of(self.limit, self._name),
            BATCH_ITEMS.of(self._items, self._name),
            BATCH_SECONDS.of(self._seconds, self._name),
        ]

    def _work(self) -> None:
        job = self._jobs.get()
        while job is not None:
            job = self._batch(job) or self._jobs.get()

    def _batch(self, first: _Job) -> _Job | None:
        """Handle a job with those that wait for the same; give another that was met."""
        batch, other = self._gather(first)
        begun = time.perf_counter()
        try:
            results = batch[0].handler([each.item for each in batch])
        except Exception as error:  # noqa: BLE001 it is every caller's answer
            results = [error] * len(batch)
        self.handled += len(batch)
        self._items.add(len(batch))
        self._seconds.add(time.perf_counter() - begun)
        _answer(batch, results)
        return other

    def _gather(self, first: _Job) -> tuple[list[_Job], _Job | None]:
        """Take the jobs of the same handler that wait; give the next other one too."""
        batch = [first]
        while len(batch) < BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, None
            if job is None:
                self._jobs.put(None)  # stop comes after this batch
                return batch, None
            if job.handler != first.handler:
                return batch, job
            batch.append(job)
        return batch, None


def _stopping() -> UnavailableError:
    return UnavailableError(
        "service.stopping",
        "The service is stopping: send the same again in a few seconds.",
        retry_after=5,
    )


def _full() -> UnavailableError:
    return UnavailableError(
        "service.busy",
        "More is waiting here than can be kept now: send the same again in a few seconds.",
        retry_after=2,
    )


def _answer(batch: Sequence[_Job], results: Sequence[Any]) -> None:
    """Answer the whole batch with one wake-up of each loop that waits."""
    waiting: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any]]] = {}
    for job, result in zip(batch, results, strict=True):
        waiting.setdefault(job.loop, []).append((job, result))
    for loop, pairs in waiting.items():
        try:
            loop.call_soon_threadsafe(_resolve, pairs)
        except RuntimeError:  # the loop has ended; the work is committed all the same
            _log.warning("writer.answer_lost", answers=len(pairs))


def _resolve(pairs: Sequence[tuple[_Job, Any]]) -> None:
    for job, result in pairs:
        if job.answer.done():  # the caller went away
            continue
        if isinstance(result, Exception):
            job.answer.set_exception(result)
        else:
            job.answer.set_result(result)
