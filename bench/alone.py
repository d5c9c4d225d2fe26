"""Work in a process of its own: what it took of the processors, and of memory."""

from __future__ import annotations

import multiprocessing
import re
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.measuring import Run


class Took(NamedTuple):
    """What some work came to; `cpu` counts the processes that it started and awaited."""

    result: Any
    wall: float
    cpu: float
    peak_mib: float


def alone(run: Run, work: Callable[..., Any], *given: object) -> Took:
    """Call a function of a module in a new process, so that its memory is its own.

    A quick run, whose figures nobody judges, calls it where it is.
    """
    if run.quick:
        return _measured(work, given)
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(_measured, work, given).result()


def _measured(work: Callable[..., Any], given: tuple[object, ...]) -> Took:
    begun, spent = time.perf_counter(), _spent()
    result = work(*given)
    wall, cpu = time.perf_counter() - begun, _spent() - spent
    # `ru_maxrss` would be that of the process which started this one, if it had more.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return Took(result, wall, cpu, int(found[1]) / 1024 if found else 0)


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
