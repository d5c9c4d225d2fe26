"""Any figure beside the same figure of the time before, or of a year before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.analytics.application.figures.answering import Answer, Line, Number
from services.analytics.domain.comparison import (
    earlier_label,
    earlier_span,
    shifted_span,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.analytics.application.figures.answering import Asked, Figure, Kind
    from services.analytics.domain.comparison import Compare
    from services.analytics.domain.periods import Period

    Key = tuple[tuple[str, str | None], ...]


def compared(figure: Figure, asked: Asked, compare: Compare) -> Answer:
    """Answer, and put beside each number what it was earlier.

    Over periods each is compared with the one before, and ends within a period are
    moved with it; otherwise the whole span with the one of the same length before.
    A line that only was earlier has nothing now.
    """
    question, period = asked.question, asked.question.period
    selection = question.selection
    ends = selection.received_from, selection.received_to
    if period is not None:
        ends = shifted_span(*ends, period, compare, asked.zone)
    elif ends[0] is not None and ends[1] is not None:
        ends = earlier_span(ends[0], ends[1], compare, asked.zone)
    moved = replace(selection, received_from=ends[0], received_to=ends[1])
    before = now = figure.answer(asked)
    if period is not None and not now.lines:
        return now
    if moved != selection:
        then = replace(asked, question=replace(question, selection=moved))
        before = figure.answer(then)
    lines = _beside(figure, now, before, _earlier(now, period, compare))
    if period is not None:
        lines.sort(key=lambda line: line.values["period"] or "")
        return replace(now, lines=lines)
    return replace(
        now, lines=lines, total=_numbers(figure.columns, now.total, before.total)
    )


def _earlier(
    now: Answer, period: Period | None, compare: Compare
) -> dict[str, str | None]:
    """Give the period with which each is compared."""
    if period is None:
        return {}
    labels = dict.fromkeys(line.values["period"] or "" for line in now.lines)
    return {label: earlier_label(period, label, compare) for label in labels}


def _beside(
    figure: Figure, now: Answer, before: Answer, earlier: Mapping[str, str | None]
) -> list[Line]:
    found = {_key(line.values): line.numbers for line in before.lines}
    lines, seen = [], set()
    for line in now.lines:
        key = _key(_relabelled(line.values, earlier))
        seen.add(key)
        numbers = _numbers(figure.columns, line.numbers, found.get(key, {}))
        lines.append(Line(line.values, numbers))
    later = {label: new for new, label in earlier.items() if label is not None}
    for gone in before.lines:
        if _key(gone.values) in seen or (
            earlier and gone.values["period"] not in later
        ):
            continue
        values = _relabelled(gone.values, later)
        lines.append(Line(values, _numbers(figure.columns, {}, gone.numbers)))
    return lines


def _relabelled(
    values: Mapping[str, str | None], labels: Mapping[str, str | None]
) -> Mapping[str, str | None]:
    """Put the line into another period, if periods are compared."""
    if not labels:
        return values
    return {**values, "period": labels[values["period"] or ""]}


def _numbers(
    columns: Mapping[str, Kind],
    now: Mapping[str, Number],
    before: Mapping[str, Number],
) -> dict[str, Number]:
    numbers = {}
    for name, kind in columns.items():
        nothing = Number(0 if kind == "count" else None)
        number = now.get(name, nothing)
        numbers[name] = replace(number, before=before.get(name, nothing))
    return numbers


def _key(values: Mapping[str, str | None]) -> Key:
    return tuple(values.items())
