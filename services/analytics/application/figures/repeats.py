"""Who complains again: complaints of somebody who had complained shortly before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import (
    Answer,
    Asked,
    Figure,
    Line,
    Number,
    Parts,
)
from services.analytics.application.figures.grouping import (
    grouped,
    plus,
    share,
    whole,
)
from services.analytics.domain.figures import REPEATS, Filters, repeating

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.analytics.application.figures.grouping import Grouped


def repeats(asked: Asked) -> Answer:
    """Count complaints whose customer had complained in the `days` before."""
    question = asked.question
    again: Filters = ((REPEATS, (repeating(question.days, question.same),)),)
    repeated = plus(question.selection, again)
    people = {
        tuple(each.values.values()): each.group.customers
        for each in grouped(asked, selection=repeated, customers=True)
    }
    lines = [
        Line(
            each.values, _numbers(each, again, people.get(tuple(each.values.values())))
        )
        for each in grouped(asked, also=(again,))
    ]
    everybody = whole(asked, selection=repeated, customers=True).group.customers
    total = _numbers(whole(asked, also=(again,)), again, everybody)
    return Answer(lines, total, asked.known)


def _numbers(
    found: Grouped, again: Filters, customers: int | None
) -> Mapping[str, Number]:
    count, (repeated,) = found.group.count, found.group.also
    return {
        "count": Number(count, found.cases),
        "repeats": Number(repeated, plus(found.cases, again)),
        "share": Number(share(repeated, count)),
        "customers": Number(customers or 0),
    }


REPEATED: Final = Figure(
    name="repeats",
    counts="every complaint received, once; a repeat is one whose customer had"
    " complained at most `days` days before, of the `same` category or product, or of"
    " anything",
    by="occurred_at of ComplaintReceived, as claimed",
    columns={
        "count": "count",
        "repeats": "count",
        "share": "share",
        "customers": "count",
    },
    shares={"share": Parts("repeats", "count")},
    answer=repeats,
    out_of="all complaints counted",
    parameters=("group_by", "period", "level", "days", "same", "compare"),
    source="F51",
)
