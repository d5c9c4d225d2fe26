"""The five sets say what was lost, where it lay, and what was invented."""

import pytest

from tests.faults.sets import Lost, Tried, compared


def tried(writer: str, acked: str) -> dict[str, Tried]:
    """Name what one writer tried `a`, `b`, …; a `+` for each that was answered for."""
    return {
        f"{writer}{chr(ord('a') + number)}": Tried(writer, number, mark == "+")
        for number, mark in enumerate(acked)
    }


def test_what_is_read_and_answered_for_is_as_promised() -> None:
    found = compared(tried("w", "++-+"), ["wa", "wb", "wd"])
    assert (found.ok, found.lost.total, found.recovered, found.unknown) == (3, 0, 0, 1)


def test_what_nobody_was_answered_for_is_recovered_and_no_loss() -> None:
    found = compared(tried("w", "+-"), ["wa", "wb"])
    assert (found.ok, found.recovered, found.unknown, found.unexpected) == (1, 1, 0, 0)


def test_what_nobody_tried_is_unexpected() -> None:
    assert compared(tried("w", "+"), ["wa", "from elsewhere"]).unexpected == 1


@pytest.mark.parametrize(
    ("read", "lost"),
    [
        ("cdef", Lost(prefix=2)),
        ("abcd", Lost(postfix=2)),
        ("abef", Lost(middle=2)),
        ("bdf", Lost(prefix=1, middle=2)),
        ("", Lost(postfix=6)),
    ],
)
def test_losses_are_told_by_where_they_lie(read: str, lost: Lost) -> None:
    assert compared(tried("w", "++++++"), [f"w{each}" for each in read]).lost == lost


def test_each_writer_has_losses_of_its_own() -> None:
    both = tried("v", "++") | tried("w", "++")
    assert compared(both, ["vb", "wa"]).lost == Lost(prefix=1, postfix=1)
