"""Programs started by tests end with the tests, also when those are cut off."""

from __future__ import annotations

import ctypes
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def dying_with_us(how: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """Give what `Popen` takes as `preexec_fn`: Linux sends `how` when we are gone.

    Start the program from the main thread: to the kernel "we" are the thread that did.
    """
    return partial(_ask_for, how)


def _ask_for(how: signal.Signals) -> None:
    """Ask the kernel and nobody else, since other threads may have held locks."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, how)
