"""How often people complain, how many people that were, and what was done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    Figure,
    Line,
    Number,
)
from services.analytics.application.figures.grouping import grouped, plus, whole
from services.analytics.domain.facts import Countermeasure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.analytics.application.figures.grouping import Grouped

MEASURED: Final = (
    ("countermeasure", tuple(measure.value for measure in Countermeasure)),
)
"""The complaints for which a countermeasure is at least proposed."""


def frequency(asked: Asked) -> Answer:
    """Count complaints and complainants by dimensions and period (S135, S152)."""
    found = grouped(asked, also=(MEASURED,), customers=True)
    everything = whole(asked, also=(MEASURED,), customers=True)
    lines = [Line(each.values, _numbers(each)) for each in found]
    return Answer(lines, _numbers(everything), asked.known)


def _numbers(found: Grouped) -> Mapping[str, Number]:
    return {
        "count": Number(found.group.count, found.cases),
        "customers": Number(found.group.customers),
        "countermeasures": Number(found.group.also[0], plus(found.cases, MEASURED)),
    }


FREQUENCY: Final = Figure(
    name="frequency",
    counts="every complaint received, open or closed, once",
    by="occurred_at of ComplaintReceived, as claimed",
    columns={"count": "count", "customers": "count", "countermeasures": "count"},
    answer=frequency,
    parameters=("group_by", "period", "level", "compare"),
    by_default=("category",),
    source="S135",
)
