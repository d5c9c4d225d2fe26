"""The backlog: complaints that were open, by their age at the instant that was asked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    Figure,
    Line,
    Number,
)
from services.analytics.domain.figures import OPEN, narrowed

if TYPE_CHECKING:
    from services.analytics.domain.figures import Selection

AGES: Final = (
    ("under_1_day", timedelta(days=1)),
    ("1_to_7_days", timedelta(days=7)),
    ("7_to_30_days", timedelta(days=30)),
    ("30_to_90_days", timedelta(days=90)),
    ("over_90_days", None),
)
"""Classes of age: each up to, but without, its length."""


def backlog(asked: Asked) -> Answer:
    """Count open complaints by age since receipt, the largest groups first."""
    question = asked.question
    selection = replace(
        question.selection, filters=(*question.selection.filters, ("state", OPEN))
    )
    tables: dict[tuple[str | None, ...], dict[str, Number]] = defaultdict(dict)
    total = {}
    for name, aged in _ages(selection, asked):
        groups = asked.rows.groups(
            aged,
            asked.known.position,
            dimensions=question.dimensions,
            level=question.level,
        )
        for group in groups:
            named = dict(zip(question.dimensions, group.values, strict=True))
            cases = narrowed(aged, named, question.level)
            tables[group.values][name] = Number(group.count, cases)
        total[name] = Number(sum(group.count for group in groups), aged)
    lines = []
    for values, numbers in tables.items():
        named = dict(zip(question.dimensions, values, strict=True))
        cases = narrowed(selection, named, question.level)
        lines.append(Line(named, _complete(numbers, cases)))
    lines.sort(key=lambda line: -(line.numbers["open"].value or 0))
    return Answer(lines, _complete(total, selection), asked.known)


def _ages(selection: Selection, asked: Asked) -> list[tuple[str, Selection]]:
    """Give each class of age with the complaints that were received so long before."""
    found = []
    before: timedelta | None = None
    for name, until in AGES:
        latest = selection.received_to
        if before is not None:
            latest = min(asked.at - before, latest or asked.at)
        earliest = selection.received_from
        if until is not None:
            earliest = max(asked.at - until, earliest or asked.at - until)
        # A class that lies wholly outside of what was asked for counts nothing.
        if earliest is not None and latest is not None:
            latest = max(earliest, latest)
        found.append(
            (name, replace(selection, received_from=earliest, received_to=latest))
        )
        before = until
    return found


def _complete(numbers: dict[str, Number], cases: Selection) -> dict[str, Number]:
    """Give the sum of the classes, then each class, also one that counts nothing."""
    whole = sum(number.value or 0 for number in numbers.values())
    return {
        "open": Number(whole, cases),
        **{name: numbers.get(name, Number(0)) for name, _ in AGES},
    }


BACKLOG: Final = Figure(
    name="backlog",
    counts="every complaint that was open, once",
    by="age since the time of receipt as claimed, at the instant of `as_of`",
    columns={"open": "count", **{name: "count" for name, _ in AGES}},
    answer=backlog,
    parameters=("group_by", "level"),
    source="S118",
)
