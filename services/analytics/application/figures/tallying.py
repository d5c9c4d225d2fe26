"""Figures that count, in each group, the complaints of a kind, and divide such counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from services.analytics.application.figures.answering import (
    Answer,
    Line,
    Number,
    Parts,
)
from services.analytics.application.figures.grouping import grouped, plus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.analytics.application.figures.answering import Asked, Kind
    from services.analytics.domain.figures import Filters, Selection


class Share(NamedTuple):
    """One number of the line, divided by another."""

    of: str
    out_of: str


Columns = dict[str, "Filters | Share"]
"""The numbers of a line in their order; no filter counts every complaint of the line."""


def kinds(columns: Columns) -> dict[str, Kind]:
    """Say of which kind each number is."""
    return {
        name: "share" if isinstance(column, Share) else "count"
        for name, column in columns.items()
    }


def shares(columns: Columns) -> dict[str, Parts]:
    """Say which two numbers each share divides."""
    return {
        name: Parts(column.of, column.out_of)
        for name, column in columns.items()
        if isinstance(column, Share)
    }


def tallied(
    asked: Asked, columns: Columns, *, selection: Selection | None = None
) -> Answer:
    """Count each group of the question by `columns`, all in one query."""
    chosen = asked.question.selection if selection is None else selection
    wanted: dict[Filters, None] = {}
    for column in columns.values():
        if column and not isinstance(column, Share):
            wanted[column] = None
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
    found = {
        name: Number(counts[column], plus(cases, column))
        for name, column in columns.items()
        if not isinstance(column, Share)
    }
    return {
        name: Number(_quotient(found, column))
        if isinstance(column, Share)
        else found[name]
        for name, column in columns.items()
    }


def _quotient(counts: Mapping[str, Number], of: Share) -> float | None:
    part, whole = (counts[name].value for name in of)
    return part / whole if part is not None and whole else None
