"""Complaints grouped as a question asks: by dimensions, by the period of their receipt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from services.analytics.domain.figures import Group, narrowed, ranked, within
from services.analytics.domain.periods import buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.analytics.application.figures.answering import Asked
    from services.analytics.domain.figures import Filters, Selection
    from services.analytics.domain.periods import Bucket


class Grouped(NamedTuple):
    """One group: what its complaints share, its counts, and the selection of them."""

    values: dict[str, str | None]
    group: Group
    cases: Selection


def grouped(
    asked: Asked,
    *,
    selection: Selection | None = None,
    also: Sequence[Filters] = (),
    customers: bool = False,
) -> list[Grouped]:
    """Group the complaints of `selection`, by default all that the question speaks of.

    Periods come in order, the most frequent groups first in each. Groups without a
    complaint are left out. Raises `TooManyPeriodsError`, `TooManyGroupsError`.
    """
    question, position = asked.question, asked.known.position
    chosen = question.selection if selection is None else selection
    spans: Sequence[Bucket] = ()
    if question.period is not None:
        span = asked.rows.span(chosen, position)
        if span is None:
            return []
        spans = buckets(question.period, *span, asked.zone)
    groups = asked.rows.groups(
        chosen,
        position,
        dimensions=question.dimensions,
        starts=[bucket.start for bucket in spans],
        also=also,
        level=question.level,
        customers=customers,
    )
    found = []
    for group in ranked(groups):
        values = dict(zip(question.dimensions, group.values, strict=True))
        cases = narrowed(chosen, values, question.level)
        if group.bucket is not None:
            bucket = spans[group.bucket]
            values = {"period": bucket.label, **values}
            cases = within(cases, bucket)
        found.append(Grouped(values, group, cases))
    return found


def whole(
    asked: Asked,
    *,
    selection: Selection | None = None,
    also: Sequence[Filters] = (),
    customers: bool = False,
) -> Grouped:
    """Give all complaints of `selection` as one group, also where there is none.

    People are counted once here, however many groups they are in.
    """
    chosen = asked.question.selection if selection is None else selection
    found = asked.rows.groups(
        chosen, asked.known.position, dimensions=(), also=also, customers=customers
    )
    nothing = Group((), 0, None, (0,) * len(also))
    return Grouped({}, next(iter(found), nothing), chosen)


def plus(selection: Selection, filters: Filters) -> Selection:
    """Select only those complaints that answer to these filters too."""
    return replace(selection, filters=(*selection.filters, *filters))


def share(part: int, of: int) -> float | None:
    """Give a share from 0 to 1, None of nothing."""
    return part / of if of else None
