"""Cut short what computes without end in a thread that others wait for.

Python can be stopped between two of its steps, so that is where the error is raised.
Work that hangs inside one call of a C library is not reached; statements are bounded by
their database.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST: Final = 30.0
"""Seconds on the clock after which work is cut short although it computes little."""

_LOOK: Final = 0.01  # seconds between two looks at work that goes on


class HungError(BaseException):
    """The work was cut short. No `except Exception` of the work itself may catch it."""


def within(seconds: float, work: Callable[[], None]) -> None:
    """Do `work`; raises HungError once it has computed for `seconds` in this thread.

    What counts is the thread's own time on a processor: a busy machine, or a slow disk,
    makes nothing a culprit.
    """
    job = _Job(threading.get_ident(), seconds)
    _watch.add(job)
    try:
        work()
    finally:
        try:
            _watch.remove(job)
        except HungError:  # it came when all was done: so it was not hanging
            _watch.remove(job)


@dataclass(slots=True, eq=False)
class _Job:
    thread: int
    seconds: float
    begun: float = field(init=False)
    until: float = field(init=False)
    cut: bool = False

    def __post_init__(self) -> None:
        self.begun = _computed(self.thread)
        self.until = time.monotonic() + LONGEST

    def hangs(self) -> bool:
        computed = _computed(self.thread) - self.begun
        return computed > self.seconds or time.monotonic() > self.until


def _computed(thread: int) -> float:
    """Give the seconds that a thread has had a processor; 0 where nobody counts them."""
    if sys.platform == "darwin":
        return 0.0
    return time.clock_gettime(time.pthread_getcpuclockid(thread))


class _Watch:
    """One thread that looks after all work; it sleeps while there is none."""

    def __init__(self) -> None:
        self._jobs: set[_Job] = set()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, job: _Job) -> None:
        with self._lock:
            self._jobs.add(job)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._look, name="patience", daemon=True
                )
                self._thread.start()
        self._some.set()

    def remove(self, job: _Job) -> None:
        """Look after it no more; an error that is under way to it is met here."""
        with self._lock:
            self._jobs.discard(job)
        if job.cut:
            _meet(job.thread)

    def _look(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_LOOK)
            with self._lock:
                if not self._jobs:
                    self._some.clear()
                for job in self._jobs:
                    if not job.cut and job.hangs():
                        job.cut = True
                        _raise_in(job.thread, HungError)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(error)
    )


def _meet(this_thread: int) -> None:
    """Let an error that may be under way to this thread strike here and nowhere else.

    One that was already met is sent anew. Taking it back (`SetAsyncExc` with no error)
    leaves the interpreter looking for it ever after; with a tracer such as coverage,
    Python 3.11 then never gets past its next call.
    """
    with suppress(HungError):
        _raise_in(this_thread, HungError)
        while True:
            pass


_watch = _Watch()
