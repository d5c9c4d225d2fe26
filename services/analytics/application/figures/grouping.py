"""Complaints grouped as a question asks: by dimensions, by the period of their receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.analytics.domain.figures import narrowed, rolled_up, within
from services.analytics.domain.periods import buckets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.analytics.application.figures.answering import Asked
    from services.analytics.domain.figures import Filters, Group, Selection
    from services.analytics.domain.periods import Bucket


class Grouped(NamedTuple):
    """One group: what its complaints share, its counts, and the selection of them."""

    values: dict[str, str | None]
    group: Group
    cases: Selection


def grouped(
    asked: Asked, *, selection: Selection | None = None, also: Sequence[Filters] = ()
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
    )
    found = []
    for group in rolled_up(groups, question.dimensions, question.level):
        values = dict(zip(question.dimensions, group.values, strict=True))
        cases = narrowed(chosen, values, question.level)
        if group.bucket is not None:
            bucket = spans[group.bucket]
            values = {"period": bucket.label, **values}
            cases = within(cases, bucket)
        found.append(Grouped(values, group, cases))
    return found
