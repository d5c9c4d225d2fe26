"""Reads days and times as other people's tables write them; guesses nothing.

A form is written as it looks: `YYYY-MM-DD`, `M/D/YYYY h:mm:ss AM`, `YYYY年M月D日`.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from events.vocabulary import Precision

_TOKENS: Final = {
    "YYYY": r"(?P<year>[0-9]{4})",
    "MM": r"(?P<month>[0-9]{2})",
    "DD": r"(?P<day>[0-9]{2})",
    "hh": r"(?P<hour>[0-9]{2})",
    "mm": r"(?P<minute>[0-9]{2})",
    "ss": r"(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?",
    "AM": r"(?P<half>[AaPp][Mm])",
    "M": r"(?P<month>[0-9]{1,2})",
    "D": r"(?P<day>[0-9]{1,2})",
    "h": r"(?P<hour>[0-9]{1,2})",
    "Z": r"(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})",
}
_TOKEN: Final = re.compile("|".join(_TOKENS))
_PLAIN: Final = re.compile(
    r"[-/. :,T年月日时分秒]*"
)  # what may stand between the parts
_NOON: Final = 12

ISO_FORMS: Final = ("YYYY-MM-DD", "YYYY-MM-DD hh:mm:ss", "YYYY-MM-DDThh:mm:ssZ")
"""Forms that no country reads in two ways."""


@dataclass(frozen=True, slots=True)
class Stated:
    """An instant in UTC, and how exactly the text says it."""

    at: dt.datetime
    precision: Precision


class UnreadDateError(ValueError):
    """The text is no date of these forms; the message says what is wrong with it."""


def known_form(form: str) -> str:
    """Give the form back. Raises ValueError where it names no whole date."""
    between = _TOKEN.sub("", form)
    try:
        names = set(_pattern(form).groupindex)
    except re.error:  # a part twice
        names = set()
    timed = names & {"hour", "minute", "second", "half", "offset"}
    if (
        not {"year", "month", "day"} <= names
        or not _PLAIN.fullmatch(between)
        or (timed and not {"hour", "minute"} <= names)
    ):
        message = f"{form!r} is no form of a date like YYYY-MM-DD or M/D/YYYY hh:mm"
        raise ValueError(message)
    return form


DateForm = Annotated[str, AfterValidator(known_form)]
"""How a column writes its dates, as `DD.MM.YYYY`."""


def read_date(
    text: str, forms: Sequence[str], zone: str, *, also: Sequence[str] = ()
) -> Stated:
    """Read a date by the first form that fits; those in `also` go without saying.

    A day becomes its first moment in the zone; a time without an offset is the zone's.
    One that happens twice, when clocks go back, is the earlier, and nothing more exact
    is claimed. Raises `UnreadDateError` for any other text, for days and times that
    there are not, and for those that the zone's clocks skipped.
    """
    for form in (*forms, *also):
        if found := _pattern(form).fullmatch(text.strip()):
            return _instant(found.groupdict(), zone)
    kind = "date" if any("h" in form for form in forms) else "day"
    raise UnreadDateError(f"is no {kind} written as {' or '.join(forms)}")


def written(form: str) -> str:
    """Show a form by an example."""
    example = {
        "YYYY": "2015", "MM": "03", "DD": "19", "hh": "09", "mm": "05", "ss": "30",
        "AM": "AM", "M": "3", "D": "19", "h": "9", "Z": "+00:00",
    }  # fmt: skip
    return _TOKEN.sub(lambda token: example[token[0]], form)


@cache
def _pattern(form: str) -> re.Pattern[str]:
    pieces = re.split(f"({_TOKEN.pattern})", form)
    return re.compile("".join(_TOKENS.get(each) or re.escape(each) for each in pieces))


def _instant(parts: dict[str, str | None], zone: str) -> Stated:
    try:
        day = dt.date(*(int(parts[name] or "") for name in ("year", "month", "day")))
    except ValueError:
        raise UnreadDateError("is no day of the calendar") from None
    try:
        if parts.get("hour") is None:
            return Stated(_first_moment(day, zone), Precision.DAY)
        local = dt.datetime.combine(day, _time(parts))
        if offset := parts.get("offset"):
            shifted = local.replace(tzinfo=_offset(offset))
            return Stated(shifted.astimezone(dt.UTC), Precision.INSTANT)
        return _in_zone(local, zone)
    except OverflowError:
        raise UnreadDateError("lies outside the years 1 to 9999") from None


def _time(parts: dict[str, str | None]) -> dt.time:
    hour = int(parts["hour"] or "")
    if half := parts.get("half"):
        if not 1 <= hour <= _NOON:
            raise UnreadDateError("is no time of a day")
        hour = hour % _NOON + (_NOON if half.upper() == "PM" else 0)
    fraction = (parts.get("fraction") or "").ljust(6, "0")
    try:
        return dt.time(
            hour,
            int(parts["minute"] or ""),
            int(parts.get("second") or 0),
            int(fraction),
        )
    except ValueError:
        raise UnreadDateError("is no time of a day") from None


def _offset(text: str) -> dt.tzinfo:
    try:
        found = dt.datetime.strptime(text, "%z").tzinfo
    except ValueError:
        found = None
    if found is None:
        raise UnreadDateError("has an offset that no clock has")
    return found


def _first_moment(day: dt.date, zone: str) -> dt.datetime:
    first = dt.datetime.combine(day, dt.time(), ZoneInfo(zone)).astimezone(dt.UTC)
    if first.astimezone(ZoneInfo(zone)).date() != day:
        raise UnreadDateError(f"is a day that was left out in {zone}")
    return first


def _in_zone(local: dt.datetime, zone: str) -> Stated:
    there = local.replace(tzinfo=ZoneInfo(zone))
    at = there.astimezone(dt.UTC)
    if at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        raise UnreadDateError(f"is a time that the clocks skipped in {zone}")
    twice = there.utcoffset() != there.replace(fold=1).utcoffset()
    return Stated(at, Precision.NOT_BEFORE if twice else Precision.INSTANT)
