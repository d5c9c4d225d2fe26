"""What people call the figures' dimensions, periods and faults."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from events.words import WORDS as EVENT_WORDS
from services.analytics.application.figure_words import (
    BY,
    COLUMNS,
    COUNTS,
    OUT_OF,
    ROWS,
    SECTIONS,
    VIEWS,
)
from services.analytics.application.words import DIMENSIONS, WENT_THROUGH
from services.analytics.domain.facts import REVOKED
from services.analytics.domain.figures import REPEATS
from services.kernel.i18n import msgid

SAID: Final = {"yes": msgid("Yes"), "no": msgid("No")}

WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "dimension": {
            **DIMENSIONS,
            **WENT_THROUGH,
            REPEATS: msgid("Complained again"),
        },
        "field": {
            **DIMENSIONS,
            **WENT_THROUGH,
            "from": msgid("From"),
            "to": msgid("To"),
            "period": msgid("Period"),
            "group_by": msgid("Split by"),
            "basis": msgid("Root causes"),
            "level": msgid("Category levels"),
            "compare": msgid("Compare with"),
            "as_of": msgid("As known at"),
        },
        "period": {
            "day": msgid("Day"),
            "week": msgid("Week"),
            "month": msgid("Month"),
            "quarter": msgid("Quarter"),
            "year": msgid("Year"),
        },
        "basis": {
            "reported": msgid("As reported"),
            "found": msgid("As found"),
        },
        "compare": {
            "nothing": msgid("Nothing"),
            "previous": msgid("Previous period"),
            "last_year": msgid("Same period last year"),
        },
        "meaning": {
            "reported": msgid("As reported: what the complainant stated"),
            "found": msgid("As found: what was investigated"),
        },
        "origin": {
            **EVENT_WORDS["origin"],
            REVOKED: msgid("Taken back with its import"),
        },
        "responded": SAID,
        "decided": SAID,
        "solved": SAID,
        "satisfied": {**SAID, "unrated": msgid("Asked, not rated")},
        "appeal": {
            "pending": msgid("Waits"),
            "accepted": msgid("Under review"),
            "dismissed": msgid("Dismissed"),
            "confirmed": msgid("Reviewed, same outcome"),
            "overturned": msgid("Overturned"),
            "unclear": msgid("Closed without a stated result"),
        },
        "decline": {
            "stands": msgid("Stands"),
            "contested": msgid("Contested"),
            "overturned": msgid("Overturned"),
        },
        "overdue": {**SAID, "unsaid": msgid("Not said whether kept")},
        "countermeasure": {
            "proposed": msgid("Proposed"),
            "taken": msgid("Taken"),
        },
        "first_contact": SAID,
        "unstated": {
            "reported": msgid("Not stated"),
            "found": msgid("Not determined"),
            "holder": msgid("No department"),
            "department": msgid("No department"),
            "satisfied": msgid("Not asked"),
            "appeal": msgid("No appeal"),
            "overdue": msgid("No deadline stated"),
            "first_contact": msgid("Not resolved, or not stated"),
            "countermeasure": msgid("No countermeasure"),
        },
        "span": {
            "always": msgid("All days"),
            "this_month": msgid("This month"),
            "last_month": msgid("Last month"),
            "quarter": msgid("This quarter"),
            "year": msgid("This year"),
            "twelve_months": msgid("Last 12 months"),
        },
        "of": {**DIMENSIONS, **WENT_THROUGH, "period": msgid("Period"), **ROWS},
        "view": VIEWS,
        "section": SECTIONS,
        "column": COLUMNS,
        "counts": COUNTS,
        "by": BY,
        "out_of": OUT_OF,
    }
)

REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "analytics.who": msgid(
            "Figures are for those who handle or check complaints. Ask an administrator"
            " for another role."
        ),
        "analytics.question": msgid(
            "This address asks for something unknown. Start from the figures."
        ),
    }
)

FAULTS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        ("from", "lies behind `to`"): msgid("The first day lies behind the last one."),
        ("to", "lies before `from`"): msgid(
            "The last day lies before the first one. Exchange the two."
        ),
        ("as_of", "is no point in time"): msgid(
            "Write a day as 2026-01-31, a moment as 2026-01-31T10:00:00Z, or a position."
        ),
        ("from", "is neither a day nor an instant"): msgid(
            "Write a day as 2026-01-31."
        ),
        ("to", "is neither a day nor an instant"): msgid("Write a day as 2026-01-31."),
        ("period", "more than 10000 periods"): msgid(
            "These are more than 10,000 periods. Take longer ones, or fewer days."
        ),
        ("group_by", "more than 50000 groups"): msgid(
            "These are more than 50,000 groups. Filter more, or do not split."
        ),
    }
)
ANY_FAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "is no code": msgid(
            "Codes are letters, digits and . _ - without spaces, / between levels."
        ),
        "is no parameter of this figure": msgid(
            "There is nothing of this name to ask here. Take it out of the address."
        ),
        "is given more than once": msgid("This is given twice. Choose one."),
        "names over 200 values": msgid("These are over 200 values. Name fewer."),
    }
)
ALLOWED: Final = msgid("Write one of: %(values)s")
"""What is told where a few values would do."""
OTHER_FAULT: Final = msgid("This could not be read. Choose another value.")
