"""Why people complain: causes as reported or as found, the most frequent first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    Figure,
    Line,
    Number,
    Parts,
)
from services.analytics.application.figures.grouping import grouped, whole
from services.analytics.domain.figures import pareto

if TYPE_CHECKING:
    from services.analytics.application.figures.answering import Basis

BASES: Final[dict[Basis, str]] = {
    "reported": "reported_category",
    "found": "root_cause",
}
"""Which fact is the cause: what the complainant says, or what was investigated."""


def root_causes(asked: Asked) -> Answer:
    """Rank causes by the number of complaints, with the people behind each (S137, S152)."""
    dimension = BASES[asked.question.basis]
    question = replace(asked.question, dimensions=(dimension,), period=None)
    asked = replace(asked, question=question)
    found = {each.values[dimension]: each for each in grouped(asked, customers=True)}
    counts = {cause: each.group.count for cause, each in found.items()}
    lines = [
        Line(
            {"cause": row.cause},
            {
                "count": Number(row.count, found[row.cause].cases),
                "customers": Number(found[row.cause].group.customers),
                "share": Number(row.share),
                "cumulative_share": Number(row.cumulative_share),
            },
        )
        for row in pareto(counts)
    ]
    everything = whole(asked, customers=True)
    every = Number(1.0 if lines else None)
    total = {
        "count": Number(everything.group.count, everything.cases),
        "customers": Number(everything.group.customers),
        "share": every,
        "cumulative_share": every,
    }
    return Answer(lines, total, asked.known)


ROOT_CAUSES: Final = Figure(
    name="root-causes",
    counts="every complaint received, open or closed, once",
    by="occurred_at of ComplaintReceived, as claimed",
    columns={
        "count": "count",
        "customers": "count",
        "share": "share",
        "cumulative_share": "share",
    },
    shares={
        "share": Parts("count", "count", of_all=True),
        "cumulative_share": Parts("count", "count", of_all=True, running=True),
    },
    answer=root_causes,
    out_of="all complaints counted",
    parameters=("basis", "level", "compare"),
    source="S137",
)
