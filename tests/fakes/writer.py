"""A writer without a thread: each batch is a step of the event loop."""

import asyncio
import queue
from collections.abc import Callable, Sequence
from typing import Any

from services.kernel.store.writer import Writer


class SteppedWriter(Writer):
    """`pause` gives the seconds that a batch waits for others to join it."""

    def __init__(self, name: str, *, pause: Callable[[], float]) -> None:
        super().__init__(name)
        self._pause = pause
        self._next: Any = None
        self._due = False

    def start(self) -> None:
        self._thread = _NoThread()  # type: ignore[assignment]  # nothing to wait for

    def stop(self) -> None:
        while self._step():
            pass
        super().stop()

    async def call(
        self,
        handler: Callable[[Sequence[Any]], Sequence[Any]],
        item: Any,
        *,
        ours: bool = False,
    ) -> Any:
        asyncio.get_running_loop().call_soon(self._schedule)
        return await super().call(handler, item, ours=ours)

    def _schedule(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(self._pause(), self._round)

    def _round(self) -> None:
        self._due = False
        if self._step():
            self._schedule()

    def _step(self) -> bool:
        """Handle one batch; tells whether there was one."""
        try:
            job = self._next or self._jobs.get_nowait()
        except queue.Empty:
            return False
        self._next = None if job is None else self._batch(job)
        return job is not None


class _NoThread:
    def join(self) -> None:
        """There is nothing to wait for."""
