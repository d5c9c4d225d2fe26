"""After a flush that failed nothing goes on as if it had not; what is refused is refused."""

import os

import pytest

from services.kernel.store import sqlite
from tests.faults.counted import Points, one_failure
from tests.faults.injected import FLUSH, WRITE, Fault, missing

injecting = pytest.mark.skipif(
    missing() is not None, reason=f"NO FAULT CAN BE INJECTED HERE: {missing()}"
)

SECOND = Fault(FLUSH, "EIO", "2+")
"""The first complaint's key is flushed, the complaint is not."""


@injecting
def test_a_process_whose_flush_failed_ends_and_the_next_one_goes_on() -> None:
    points = Points()
    assert one_failure(points, SECOND, control=False, opened=True)
    assert (points.halted, points.went_on, points.false_receipts) == (1, 0, 0)
    assert points.whole == 1


def test_a_log_that_cannot_be_written_keeps_no_process_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError

    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sqlite, "_log", type("Log", (), {"critical": full}))
    with pytest.raises(OSError):  # noqa: PT011 what was raised above, and nothing else
        sqlite.halt("disk I/O error")
    assert ended == [sqlite.HALTED]


@injecting
def test_a_store_that_takes_no_notice_gives_false_receipts() -> None:
    points = Points()
    assert one_failure(points, SECOND, control=True, opened=True)
    assert points.went_on == 1
    assert points.false_receipts > 0


@injecting
def test_a_full_disk_is_answered_and_ends_nothing() -> None:
    points = Points()
    assert one_failure(points, Fault(WRITE, "ENOSPC", "9+"), control=False, opened=True)
    assert (points.halted, points.false_receipts, points.whole) == (0, 0, 1)
    assert points.refused > 0
