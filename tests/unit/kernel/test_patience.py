"""Work that computes without end is cut short; all other work is left alone."""

import random
import time
from contextlib import suppress

import pytest

from services.kernel.inbox.patience import HungError, within


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_what_computes_without_end_is_cut_short_whatever_it_catches():
    def endless() -> None:
        while True:
            with suppress(Exception):
                compute(0.001)

    with pytest.raises(HungError):
        within(0.05, endless)


def test_what_waits_without_computing_is_no_culprit():
    """A slow disk or a busy machine keeps work waiting too."""
    within(0.01, lambda: time.sleep(0.1))


def test_what_it_raises_itself_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        within(1, lambda: compute(1 / 0))


def test_work_that_ends_as_it_is_cut_leaves_no_error_behind():
    """The error of one piece of work never strikes in another, nor outside of both."""
    chance = random.Random(7)  # noqa: S311  (no secret)
    ended = cut = 0
    for _ in range(200):
        try:
            within(0.002, lambda: compute(chance.uniform(0.001, 0.02)))
            ended += 1
        except HungError:
            cut += 1
        compute(0.0005)
    assert ended
    assert cut
