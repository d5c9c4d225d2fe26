"""An event loop without time, threads or sockets: the same seed gives the same run.

Waiting costs nothing, work for a thread is one step among others, and a `Life` that ended
never runs again: a crash between any two awaits, with no `finally` run.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import itertools
from asyncio import events
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from contextvars import Context

R = TypeVar("R")

_STUBBORN = 5
"""Awaits that the `finally` of one task may have, one in the other."""


class Life:
    """One run of one service, from its start to its crash."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended = False


LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("LIFE", default=None)
"""Whose step this is; None for the world around the services."""


class SimLoop(asyncio.AbstractEventLoop):
    """Runs one step after the other; `time` is that of the next step."""

    def __init__(
        self,
        *,
        latency: Callable[[], float],
        after_step: Callable[[], None] = lambda: None,
    ) -> None:
        """`latency` gives how long a thread takes; `after_step` follows each step."""
        self.steps = 0
        self.errors: list[str] = []
        self.after_step = after_step
        self._latency = latency
        self._now = 0.0
        self._count = itertools.count()
        self._due: list[tuple[float, int, events.Handle]] = []
        self._kept: list[Any] = []  # every task, else one that is collected runs on

    def run_until(self, done: Callable[[], bool], until: float) -> bool:
        """Run until `done`, or until that time; tells which."""
        with self.running():
            while not done():
                if not self._due or self._due[0][0] > until:
                    self._now = until
                    return False
                self._step()
        return True

    def _step(self) -> None:
        when, _, handle = heapq.heappop(self._due)
        if handle.cancelled():
            return
        self._now = max(self._now, when)
        context: Context = handle._context  # type: ignore[attr-defined]
        life = context.get(LIFE)
        if life is not None and life.ended:
            return
        self.steps += 1
        handle._run()
        self.after_step()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            yield
        finally:
            events._set_running_loop(before)

    def begin(self, life: Life, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Have a task run as part of a life."""
        context = contextvars.copy_context()
        context.run(LIFE.set, life)
        return self.create_task(work, context=context)

    def forget(self) -> None:
        """Let go of everything that will never run on.

        Each is closed here and not left to the collector of garbage, which CPython 3.11
        does not survive.
        """
        with self.running():
            for task in self._kept:
                task._log_destroy_pending = False
                for _ in range(_STUBBORN):
                    with contextlib.suppress(Exception):
                        task.get_coro().close()
                        break
        self._due.clear()
        self._kept.clear()

    # ------------------------------------------------------- what asyncio asks of a loop

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        heapq.heappush(self._due, (self._now, next(self._count), handle))
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there are no threads

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        handle = events.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._due, (max(when, self._now), next(self._count), handle))
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, R],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[R]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._kept.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self, _executor: None, func: Callable[..., R], *args: Any
    ) -> asyncio.Future[R]:
        answer: asyncio.Future[R] = self.create_future()

        def work() -> None:
            if answer.cancelled():
                return
            try:
                answer.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 it is the caller's answer
                answer.set_exception(error)

        self.call_later(self._latency(), work)
        return answer

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(f"{context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
