"""What people call figures, their numbers and the facts by which they are grouped."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from services.analytics.application.figure_words import COLUMNS
from services.kernel.i18n import msgid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FIGURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "frequency": msgid("Frequency"),
        "root-causes": msgid("Root causes"),
        "coverage": msgid("Coverage"),
        "first-contact": msgid("First contact"),
        "repeats": msgid("Repeats"),
        "backlog": msgid("Backlog"),
        "rates": msgid("Rates"),
        "appeals": msgid("Appeals"),
        "declines": msgid("Not accepted"),
        "stated-deadlines": msgid("Stated deadlines"),
        "dwell": msgid("Time in each state"),
        "holding": msgid("Time with each department"),
        "returns": msgid("Returns"),
        "cases": msgid("Complaints"),
    }
)

DIMENSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "category": msgid("Category"),
        "reported_category": msgid("Category as reported"),
        "product": msgid("Product"),
        "lot": msgid("Lot"),
        "supplier": msgid("Supplier"),
        "channel": msgid("Channel"),
        "source": msgid("Source"),
        "reported_via": msgid("Reported"),
        "department": msgid("Department"),
        "state": msgid("State"),
        "complaint_class": msgid("Class"),
        "severity": msgid("Severity"),
        "root_cause": msgid("Root cause found"),
        "outcome": msgid("Outcome"),
        "countermeasure": msgid("Countermeasure"),
        "first_contact": msgid("Settled at first contact"),
        "origin": msgid("Origin"),
        "responded": msgid("Responded"),
        "decided": msgid("Decided"),
        "solved": msgid("Solved"),
        "satisfied": msgid("Satisfied"),
        "appeal": msgid("Appeal"),
        "decline": msgid("Refusal to accept"),
        "decline_reason": msgid("Why not accepted"),
        "overdue": msgid("Overdue by its source"),
    }
)

WENT_THROUGH: Final = {
    "in_state": msgid("In the state"),
    "holder": msgid("With"),
    "had_by": msgid("Department"),
    "was_in": msgid("Was in the state"),
    "held_by": msgid("Was with"),
    "returned_by": msgid("Returned by"),
}
"""Facts of the stays of a complaint, which filter and group some figures."""

_NUMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **COLUMNS,
        "count": msgid("Complaints"),
        "has_countermeasure": msgid("Has countermeasure"),
        "share": msgid("Share"),
        "cumulative_share": msgid("Cumulative share"),
    }
)

_OTHERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "period": msgid("Period"),
        "cause": msgid("Cause"),
        "receipt_no": msgid("Number"),
        "received_at": msgid("Received"),
        "received_precision": msgid("Received, known to"),
        "case_id": msgid("Case id"),
    }
)


def named(name: str, say: Callable[[str], str], figure: str = "") -> str:
    """Say a number, a dimension or another column; what has no word says its name."""
    own = COLUMNS.get(f"{figure}.{name}")
    for words in (_NUMBERS, DIMENSIONS, WENT_THROUGH, _OTHERS):
        own = own or words.get(name)
    return say(own) if own else name.replace("_", " ").capitalize()
