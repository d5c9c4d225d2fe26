"""Figures that count, in each group, the complaints of a kind, and divide such counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from services.analytics.application.figures.answering import Answer, Line, Number
from services.analytics.application.figures.grouping import grouped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.analytics.application.figures.answering import Asked, Kind
    from services.analytics.domain.figures import Filters, Selection


class Share(NamedTuple):
    """How many of those that answer to `out_of` answer to `of` as well."""

    of: Filters
    out_of: Filters = ()


Columns = dict[str, "Filters | Share"]
"""The numbers of a line in their order; no filter counts every complaint of the line."""


def kinds(columns: Columns) -> dict[str, Kind]:
    """Say of which kind each number is."""
    return {
        name: "share" if isinstance(column, Share) else "count"
        for name, column in columns.items()
    }


def tallied(
    asked: Asked, columns: Columns, *, selection: Selection | None = None
) -> Answer:
    """Count each group of the question by `columns`, all in one query."""
    chosen = asked.question.selection if selection is None else selection
    wanted: dict[Filters, None] = {}
    for column in columns.values():
        both = column if isinstance(column, Share) else (column,)
        wanted |= dict.fromkeys(filters for filters in both if filters)
    lines: list[Line] = []
    sums = dict.fromkeys((*wanted, ()), 0)
    for values, group, cases in grouped(asked, selection=chosen, also=list(wanted)):
        found = {
            **dict(zip(wanted, group.also, strict=True)),
            (): group.count,
        }
        for filters, count in found.items():
            sums[filters] += count
        lines.append(Line(values, _numbers(columns, found, cases)))
    return Answer(lines, _numbers(columns, sums, chosen), asked.known)


def _numbers(
    columns: Columns, counts: Mapping[Filters, int], cases: Selection
) -> dict[str, Number]:
    numbers = {}
    for name, column in columns.items():
        if isinstance(column, Share):
            whole = counts[column.out_of]
            numbers[name] = Number(counts[column.of] / whole if whole else None)
        else:
            chosen = replace(cases, filters=(*cases.filters, *column))
            numbers[name] = Number(counts[column], chosen)
    return numbers
