"""Time and identifiers: the one place that asks the machine for either.

Everything below an edge takes `now` and ids as arguments; edges get them here.
"""

import datetime as dt
import os
import re
import secrets
import threading
import uuid
from collections.abc import Callable
from typing import Final

Clock = Callable[[], dt.datetime]
"""Gives the present as an aware datetime in UTC."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TO_STATED_DAY: Final = dt.timedelta(hours=13)
_WITHIN_DAY: Final = dt.time(10, 30)
_POSITION_DIGITS: Final = 18
_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]"
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


def system_clock() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def micros(instant: dt.datetime) -> int:
    """Microseconds since the Unix epoch; ValueError for a naive datetime."""
    if instant.utcoffset() is None:
        message = f"{instant!r} has no time zone"
        raise ValueError(message)
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(microseconds: int) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=microseconds)


def point_in_time(text: str, zone: dt.tzinfo) -> int | dt.datetime:
    """Read what `as_of` may be: a position, an instant, or a day of `zone` to its end.

    Raises ValueError or OverflowError.
    """
    if text.isascii() and text.isdigit() and len(text) <= _POSITION_DIGITS:
        return int(text)
    if _DAY.fullmatch(text):
        end = dt.datetime.combine(dt.date.fromisoformat(text), dt.time.max, zone)
        return end.astimezone(dt.UTC)
    return parse_rfc3339(text)


def first_moment(text: str, zone: dt.tzinfo) -> dt.datetime:
    """Read an instant, or a day of `zone`, which means its beginning.

    Raises ValueError or OverflowError.
    """
    if _DAY.fullmatch(text):
        start = dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), zone)
        return start.astimezone(dt.UTC)
    return parse_rfc3339(text)


def last_day(end: dt.datetime, zone: dt.tzinfo) -> dt.date:
    """Give the day that `end` closes: for a midnight the day before."""
    return (end.astimezone(zone) - dt.timedelta(microseconds=1)).date()


def stated_day(instant: dt.datetime) -> dt.date:
    """Give the day that a source stated, from its midnight there.

    A fact known to the day holds the first moment of the day in the source's zone, which
    the event does not name. 13 hours later it is that day in UTC too, for every zone
    from UTC-10:30 to UTC+13:00: from Hawaii to New Zealand in summer. Of the same day
    is whatever `within_stated_day` gives.
    """
    try:
        return (instant.astimezone(dt.UTC) + _TO_STATED_DAY).date()
    except OverflowError:
        return dt.date.max


def within_stated_day(instant: dt.datetime) -> dt.datetime:
    """Give 10:30 UTC of the stated day, which is that day in each of those zones."""
    return dt.datetime.combine(stated_day(instant), _WITHIN_DAY, dt.UTC)


def rfc3339(instant: dt.datetime) -> str:
    """`2026-01-02T03:04:05.000006Z`: always UTC, always six digits, so it sorts."""
    utc = from_micros(micros(instant)).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def stated(instant: dt.datetime, precision: str) -> str:
    """Write when something happened as exactly as known: an instant, a day, `≥ day`."""
    if precision == "day":
        return stated_day(instant).isoformat()
    text = rfc3339(instant)
    return f"≥ {text[:10]}" if precision == "not_before" else text


def parse_rfc3339(text: str) -> dt.datetime:
    """Parse to UTC; digits beyond microseconds are cut off.

    Raises ValueError for everything that RFC 3339 does not allow, above all a missing
    offset (`datetime.fromisoformat` takes that, week dates and more), and for leap
    seconds, which datetime cannot hold.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        message = f"{text[:40]!r} is not an instant like 2026-01-02T03:04:05Z"
        raise ValueError(message)
    *fields, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, fields)
    microsecond = int(((fraction or "") + "000000")[:6])
    offset = dt.timedelta()
    if sign is not None:
        if int(hours) > 23 or int(minutes) > 59:  # noqa: PLR2004 - a clock's numbers
            message = f"{text!r} has an offset beyond 23:59"
            raise ValueError(message)
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes))
    local = dt.datetime(
        year, month, day, hour, minute, second, microsecond, tzinfo=dt.UTC
    )
    try:
        return local + offset if sign == "-" else local - offset
    except OverflowError:
        message = f"{text!r} lies outside the years 1 to 9999 in UTC"
        raise ValueError(message) from None


class _Uuid7:
    """The 74 bits after the time: grow by a random step, so they always rise.

    RFC 9562 section 6.2, method 2, with one counter for the whole process: ids of one
    millisecond rise in the order they were made even when callers come with instants
    that interleave. A step has 32 random bits; the start leaves room for 2^41 ids.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._lock = threading.Lock()
        self._tail = secrets.randbits(73)

    def next(self, milliseconds: int) -> uuid.UUID:
        step = 1 + secrets.randbits(32)
        with self._lock:
            self._tail = tail = self._tail + step
        high, low = tail >> 62 & 0xFFF, tail & 0x3FFF_FFFF_FFFF_FFFF
        return uuid.UUID(
            int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
        )


_uuid7: Final = _Uuid7()
if hasattr(os, "register_at_fork"):  # a forked child must not repeat its parent's ids
    os.register_at_fork(after_in_child=_uuid7.restart)


def new_uuid7(now: dt.datetime) -> uuid.UUID:
    """Make a UUIDv7 of the given instant; ids of one millisecond rise. Thread-safe.

    Raises ValueError for an instant without time zone or before 1970.
    """
    milliseconds = micros(now) // 1000
    if milliseconds < 0:
        message = f"{now!r} is before 1970, which a UUIDv7 cannot hold"
        raise ValueError(message)
    return _uuid7.next(milliseconds)
