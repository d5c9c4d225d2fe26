"""How many complaints were settled at the first contact, of those that were resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import Answer, Asked, Figure
from services.analytics.application.figures.grouping import plus
from services.analytics.application.figures.tallying import (
    Columns,
    Share,
    kinds,
    shares,
    tallied,
)
from services.analytics.domain.facts import FirstContact

if TYPE_CHECKING:
    from services.analytics.domain.figures import Filters

_SAID: Final[Filters] = (("first_contact", tuple(said.value for said in FirstContact)),)
_AT_ONCE: Final[Filters] = (("first_contact", (FirstContact.YES.value,)),)
_COLUMNS: Final[Columns] = {
    "resolved": (),
    "first_contact": _AT_ONCE,
    "share": Share("first_contact", "resolved"),
}


def first_contact(asked: Asked) -> Answer:
    """Count what the front line settled by itself (S96)."""
    resolved = plus(asked.question.selection, _SAID)
    return tallied(asked, _COLUMNS, selection=resolved)


FIRST_CONTACT: Final = Figure(
    name="first-contact",
    counts="every complaint resolved, by how it was resolved last; of imported ones"
    " those of which the record says that it was at the first contact",
    by="occurred_at of ComplaintReceived, as claimed",
    columns=kinds(_COLUMNS),
    shares=shares(_COLUMNS),
    answer=first_contact,
    out_of="the complaints resolved",
    parameters=("group_by", "period", "level", "compare"),
    source="S96",
)
