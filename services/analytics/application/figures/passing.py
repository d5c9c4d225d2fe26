"""How long complaints stay in a state and with a department, and who gives them back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from events.vocabulary import ReturnReason
from services.analytics.application.figures.answering import (
    Answer,
    Figure,
    Line,
    Number,
    Parts,
)
from services.analytics.domain.figures import OPEN, narrowed, within
from services.analytics.domain.periods import buckets
from services.analytics.domain.stays import NOBODY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.analytics.application.figures.answering import Asked
    from services.analytics.application.figures.answering import Kind as NumberKind
    from services.analytics.domain.figures import Filters, Selection
    from services.analytics.domain.periods import Bucket
    from services.analytics.domain.stays import Kind, Passed, Returned

_GROUPING: Final = ("group_by", "period")
_RECEIPT: Final = "the time of receipt as claimed (`occurred_at` of ComplaintReceived)"


def dwell(asked: Asked, kind: Kind) -> Answer:
    """Measure stays: the states in their order, or the holders of most stays first."""
    spans = _spans(asked)
    if spans is None:
        return Answer([], _measured(None, asked.question.selection, kind), asked.known)
    question, position = asked.question, asked.known.position
    found = asked.rows.passed(
        kind,
        question.selection,
        position,
        at=asked.at,
        dimensions=question.dimensions,
        starts=[each.start for each in spans],
    )
    whole = asked.rows.passed(
        kind, question.selection, position, at=asked.at, dimensions=(), whole=True
    )
    found.sort(key=lambda each: (each.bucket or 0, _order(each, kind)))
    lines = [
        Line(
            {**_labelled(asked, spans, each), _PLACE[kind]: _place(each.place)},
            _measured(each, _of_line(asked, spans, each), kind),
        )
        for each in found
    ]
    total = _measured(whole[0] if whole else None, question.selection, kind)
    return Answer(lines, total, asked.known)


def returns(asked: Asked) -> Answer:
    """Count what departments had and gave back; those with most returns first."""
    question, position = asked.question, asked.known.position
    spans = _spans(asked)
    if spans is None:
        return Answer([], _counted(None, question.selection), asked.known)
    found = asked.rows.returned(
        question.selection,
        position,
        dimensions=question.dimensions,
        starts=[each.start for each in spans],
    )
    whole = asked.rows.returned(question.selection, position, dimensions=(), whole=True)
    found.sort(key=attrgetter("department"))
    found.sort(key=lambda each: (each.bucket or 0, -each.returns))
    lines = [
        Line(
            {**_labelled(asked, spans, each), "had_by": each.department},
            _counted(each, _of_line(asked, spans, each)),
        )
        for each in found
    ]
    total = _counted(whole[0] if whole else None, question.selection, _units(found))
    return Answer(lines, total, asked.known)


def _units(found: Sequence[Returned]) -> tuple[str, ...]:
    return tuple(sorted({each.department for each in found if each.department}))


_PLACE: Final[dict[Kind, str]] = {"state": "in_state", "holder": "holder"}
_THERE: Final[dict[Kind, str]] = {"state": "was_in", "holder": "held_by"}


def _place(place: str | None) -> str | None:
    return None if place == NOBODY else place


def _order(each: Passed, kind: Kind) -> tuple[int, str, tuple[str, ...]]:
    first = OPEN.index(each.place) if kind == "state" and each.place else -each.stays
    return first, each.place or "", tuple(value or "" for value in each.values)


def _spans(asked: Asked) -> Sequence[Bucket] | None:
    """Give the periods of receipt, if any; None where there is no complaint."""
    period = asked.question.period
    if period is None:
        return ()
    span = asked.rows.span(asked.question.selection, asked.known.position)
    return None if span is None else buckets(period, *span, asked.zone)


def _labelled(
    asked: Asked, spans: Sequence[Bucket], each: Passed | Returned
) -> dict[str, str | None]:
    values = dict(zip(asked.question.dimensions, each.values, strict=True))
    if each.bucket is None:
        return values
    return {"period": spans[each.bucket].label, **values}


def _of_line(
    asked: Asked, spans: Sequence[Bucket], each: Passed | Returned
) -> Selection:
    values = dict(zip(asked.question.dimensions, each.values, strict=True))
    cases = narrowed(asked.question.selection, values)
    return cases if each.bucket is None else within(cases, spans[each.bucket])


def _and(cases: Selection, *filters: tuple[str, tuple[str, ...]]) -> Selection:
    return replace(cases, filters=(*cases.filters, *filters))


def _measured(passed: Passed | None, cases: Selection, kind: Kind) -> dict[str, Number]:
    if passed is None:
        return {
            name: Number(None if of == "seconds" else 0) for name, of in _STAYS.items()
        }
    there, still = cases, _and(cases, ("state", OPEN))
    if passed.place is not None:
        place = (passed.place,)
        there = _and(cases, (_THERE[kind], place))
        now: Filters = (("state", OPEN), ("department", place))
        still = _and(cases, *((("state", place),) if kind == "state" else now))
    return {
        "complaints": Number(passed.cases, there),
        "stays": Number(passed.stays),
        "still": Number(passed.open, still),
        "left_out": Number(passed.left_out),
        "median": Number(passed.median),
        "p90": Number(passed.p90),
        "mean": Number(passed.mean),
        "longest": Number(passed.longest),
    }


def _counted(
    found: Returned | None, cases: Selection, units: tuple[str, ...] = ()
) -> dict[str, Number]:
    """Give the numbers of one department, or of all `units` together."""
    if found is None:
        return {
            name: Number(None if of == "share" else 0) for name, of in _RETURNS.items()
        }
    departments = (found.department,) if found.department else units
    had = _and(cases, ("held_by", departments))
    gave = _and(cases, ("returned_by", departments))
    return {
        "assigned": Number(found.assigned, had),
        "returned": Number(found.cases, gave),
        "returned_share": Number(
            found.cases / found.assigned if found.assigned else None
        ),
        "returns": Number(found.returns),
        **{
            reason.value: Number(count)
            for reason, count in zip(ReturnReason, found.reasons, strict=True)
        },
    }


_STAYS: Final[Mapping[str, NumberKind]] = {
    "complaints": "count",
    "stays": "count",
    "still": "count",
    "left_out": "count",
    "median": "seconds",
    "p90": "seconds",
    "mean": "seconds",
    "longest": "seconds",
}
_MEASURED: Final = (
    "times go by `occurred_at`, what is known to the day from its beginning; one that"
    " lasts still runs to the instant of `as_of`; where only `not_before` is known of one"
    " end a stay is left out of the times; median and p90 are stays, by rank; closed,"
    " declined and withdrawn complaints stay nowhere"
)

DWELL: Final = Figure(
    name="dwell",
    counts=f"every stay of a complaint in an open state; {_MEASURED}",
    by=_RECEIPT,
    columns=_STAYS,
    answer=partial(dwell, kind="state"),
    parameters=_GROUPING,
    source="S108",
)

HOLDING: Final = Figure(
    name="holding",
    counts="every stay of an open complaint with a lead department, or with none"
    f" before and between; {_MEASURED}",
    by=_RECEIPT,
    columns=_STAYS,
    answer=partial(dwell, kind="holder"),
    parameters=_GROUPING,
    source="S78",
)

_RETURNS: Final[Mapping[str, NumberKind]] = {
    "assigned": "count",
    "returned": "count",
    "returned_share": "share",
    "returns": "count",
    **{reason.value: "count" for reason in ReturnReason},
}

RETURNS: Final = Figure(
    name="returns",
    counts="every complaint that a department had as its lead, and those it gave back;"
    " returns, and the reasons, count each time",
    out_of="those that the department had",
    by=_RECEIPT,
    columns=_RETURNS,
    shares={"returned_share": Parts("returned", "assigned")},
    answer=returns,
    parameters=_GROUPING,
    source="S57",
)
