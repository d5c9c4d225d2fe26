"""Whether complaints still come in by every channel and from every source (S2, S15, S16)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from events.vocabulary import Channel, Source
from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    Figure,
    Line,
    Number,
    Parts,
)
from services.analytics.application.figures.frequency import MEASURED
from services.analytics.application.figures.grouping import (
    grouped,
    plus,
    share,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from services.analytics.application.figures.answering import Kind
    from services.analytics.application.figures.grouping import Grouped
    from services.analytics.ports import Rhythm

WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "channel": tuple(channel.value for channel in Channel),
    "source": tuple(source.value for source in Source),
}
"""All of them are listed, also those through which nothing came."""

DAY: Final = timedelta(days=1)

LEAST: Final = timedelta(days=7)
"""No silence shorter than this is an alarm, however often complaints came before."""

UNKNOWN: Final = timedelta(days=30)
"""The longest silence where too little came to tell what is usual."""

ENOUGH: Final = 5
"""So many intervals tell what is usual."""


def coverage(asked: Asked) -> Answer:
    """Tell of each way how much came, when last, and whether it is silent too long."""
    question = asked.question
    at = asked.at
    if question.selection.received_to is not None:
        at = min(at, question.selection.received_to)
    everything = whole(asked, also=(MEASURED,))
    offset = at.astimezone(asked.zone).utcoffset() or timedelta()
    (dimension,) = question.dimensions
    found = {each.values[dimension]: each for each in grouped(asked, also=(MEASURED,))}
    # What is usual is told by all that came before, not by the days asked for.
    history = replace(question.selection, received_from=None)
    rhythms = asked.rows.rhythms(history, asked.known.position, dimension)
    delays = asked.rows.registration_days(
        question.selection, asked.known.position, dimension, offset=offset
    )
    lines = []
    for code in (*WAYS[dimension], *([None] if None in found else [])):
        numbers = {
            **_counted(found.get(code), everything.group.count),
            **_heard(rhythms.get(code), at),
            "registered_within": Number(_seconds(delays.get(code))),
        }
        if code is None:
            numbers["silent"] = Number(None)
        elif dimension == "source" and code not in rhythms:
            numbers["silent"] = Number(1)
        lines.append(_line({dimension: code}, numbers))
    return Answer(lines, _total(everything, lines), asked.known)


def _counted(found: Grouped | None, everything: int) -> dict[str, Number]:
    if found is None:
        return {
            "count": Number(0),
            "share": Number(share(0, everything)),
            "countermeasures": Number(0),
            "countermeasure_share": Number(None),
        }
    count, (measured,) = found.group.count, found.group.also
    return {
        "count": Number(count, found.cases),
        "share": Number(share(count, everything)),
        "countermeasures": Number(measured, plus(found.cases, MEASURED)),
        "countermeasure_share": Number(share(measured, count)),
    }


def limit(rhythm: Rhythm) -> timedelta:
    """Give the longest silence that is still usual: 99 of 100 intervals were shorter."""
    if rhythm.longest is None or rhythm.intervals < ENOUGH:
        return UNKNOWN
    return max(LEAST, rhythm.longest)


def _heard(rhythm: Rhythm | None, at: datetime) -> dict[str, Number]:
    if rhythm is None:
        names = ("last_received", "usual_interval", "silent_after", "silent")
        return dict.fromkeys(names, Number(None))
    usual, longest = rhythm.usual, limit(rhythm)
    return {
        "last_received": Number(rhythm.last.timestamp()),
        "usual_interval": Number(usual.total_seconds() if usual is not None else None),
        "silent_after": Number(longest.total_seconds()),
        "silent": Number(int(at - rhythm.last > longest)),
    }


def _seconds(days: float | None) -> float | None:
    return None if days is None else days * DAY.total_seconds()


def _line(values: Mapping[str, str | None], numbers: Mapping[str, Number]) -> Line:
    return Line(values, {name: numbers[name] for name in COLUMNS})


def _total(everything: Grouped, lines: Sequence[Line]) -> Mapping[str, Number]:
    counted = _counted(everything, everything.group.count)
    heard = [line.numbers["last_received"].value or 0 for line in lines]
    silent = any(line.numbers["silent"].value for line in lines)
    found = {
        **dict.fromkeys(COLUMNS, Number(None)),
        **counted,
        "last_received": Number(max(heard, default=0) or None),
        "silent": Number(int(silent)),
    }
    return {name: found[name] for name in COLUMNS}


COLUMNS: Final[Mapping[str, Kind]] = {
    "count": "count",
    "share": "share",
    "last_received": "instant",
    "usual_interval": "seconds",
    "silent_after": "seconds",
    "silent": "flag",
    "registered_within": "seconds",
    "countermeasures": "count",
    "countermeasure_share": "share",
}

COVERAGE: Final = Figure(
    name="coverage",
    counts="every complaint received, open or closed, once; `silent` is what was silent longer than 99 of 100 of its"
    " intervals (at least 7 days; 30 days before 5 intervals are known), and a source"
    " from which nothing ever came",
    by="occurred_at of ComplaintReceived, as claimed; `registered_within` is the median"
    " of whole days from the date of the source's document to it",
    columns=COLUMNS,
    shares={
        "share": Parts("count", "count", of_all=True),
        "countermeasure_share": Parts("countermeasures", "count"),
    },
    answer=coverage,
    out_of="all complaints counted; `countermeasure_share` of those of the line",
    parameters=("group_by",),
    by_default=("channel",),
    only=tuple(WAYS),
    source="S2",
)
