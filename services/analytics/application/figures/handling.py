"""What became of complaints: rates, appeals, refusals, deadlines of their source."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from services.analytics.application.figures.answering import Answer, Asked, Figure
from services.analytics.application.figures.tallying import (
    Columns,
    Share,
    kinds,
    tallied,
)
from services.analytics.domain.handled import SATISFIED_FROM, Appeal, Decline

if TYPE_CHECKING:
    from services.analytics.domain.figures import Filters

_GROUPING: Final = ("group_by", "period", "level", "compare")
_RECEIPT: Final = "the time of receipt as claimed (`occurred_at` of ComplaintReceived)"

_RESPONDED: Final[Filters] = (("responded", ("yes",)),)
_SOLVED: Final[Filters] = (("solved", ("yes",)),)
_ASKED: Final[Filters] = (("satisfied", ("yes", "no", "unrated")),)
_RATED: Final[Filters] = (("satisfied", ("yes", "no")),)
_SATISFIED: Final[Filters] = (("satisfied", ("yes",)),)

_RATES: Final[Columns] = {
    "received": (),
    "responded": _RESPONDED,
    "responded_share": Share(_RESPONDED, (("responded", ("yes", "no")),)),
    "solved": _SOLVED,
    "solved_share": Share(_SOLVED, (("solved", ("yes", "no")),)),
    "asked": _ASKED,
    "rated": _RATED,
    "rated_share": Share(_RATED, _ASKED),
    "satisfied": _SATISFIED,
    "satisfied_share": Share(_SATISFIED, _RATED),
}

RATES: Final = Figure(
    name="rates",
    counts="every complaint received, once; responded: the customer heard from somebody;"
    " solved: what was promised has been done, or the customer accepted the decision,"
    " and nothing was contested or reopened since; asked: a follow-up was tried or a"
    f" score given; satisfied: the last score of the outcome was {SATISFIED_FROM} or 5",
    out_of="responded: all of which it is known (an imported record may not say);"
    " solved: the same without declined and withdrawn ones, open ones included; rated:"
    " those asked; satisfied: those who gave a score",
    by=_RECEIPT,
    columns=kinds(_RATES),
    answer=partial(tallied, columns=_RATES),
    parameters=_GROUPING,
    source="S153",
)

_DECIDED: Final[Filters] = (("decided", ("yes",)),)
_APPEALED: Final[Filters] = (("appeal", tuple(each.value for each in Appeal)),)
_OVERTURNED: Final[Filters] = (("appeal", ("overturned",)),)
_REVIEWED: Final[Filters] = (("appeal", ("dismissed", "confirmed", "overturned")),)

_APPEALS: Final[Columns] = {
    "decided": _DECIDED,
    "appealed": _APPEALED,
    "appealed_share": Share((*_DECIDED, *_APPEALED), _DECIDED),
    **{appeal.value: (("appeal", (appeal.value,)),) for appeal in Appeal},
    "overturned_share": Share(_OVERTURNED, _REVIEWED),
}

APPEALS: Final = Figure(
    name="appeals",
    counts="every complaint that was decided, resolved or declined at least once, and by"
    " its last appeal; overturned: taken up, and the next decision had another outcome"
    " than the contested one; confirmed: the same outcome; accepted: taken up, no"
    " decision since; pending: nobody has taken it up; unclear: closed without a"
    " decision on it, or one of the two outcomes is not stated",
    out_of="appealed: those decided; overturned: appeals that ended dismissed, confirmed"
    " or overturned",
    by=_RECEIPT,
    columns=kinds(_APPEALS),
    answer=partial(tallied, columns=_APPEALS),
    parameters=_GROUPING,
    source="S115",
)

_DECLINED: Final[Filters] = (("decline", tuple(each.value for each in Decline)),)
_TAKEN_IN: Final[Filters] = (("decline", ("overturned",)),)

_DECLINES: Final[Columns] = {
    "received": (),
    "declined": _DECLINED,
    "declined_share": Share(_DECLINED),
    **{decline.value: (("decline", (decline.value,)),) for decline in Decline},
    "overturned_share": Share(_TAKEN_IN, _DECLINED),
}

DECLINES: Final = Figure(
    name="declines",
    counts="every complaint received, and those that were not accepted; stands: that"
    " holds; contested: an appeal waits; overturned: accepted, or taken up on appeal,"
    " after all (`group_by=decline_reason` tells why they were declined)",
    out_of="declined: all received; overturned: those declined",
    by=_RECEIPT,
    columns=kinds(_DECLINES),
    answer=partial(tallied, columns=_DECLINES),
    parameters=_GROUPING,
    source="S28",
)

_STATED: Final[Filters] = (("overdue", ("yes", "no", "unsaid")),)
_TOLD: Final[Filters] = (("overdue", ("yes", "no")),)
_LATE: Final[Filters] = (("overdue", ("yes",)),)

_DEADLINES: Final[Columns] = {
    "stated": (),
    "in_time": (("overdue", ("no",)),),
    "overdue": _LATE,
    "unsaid": (("overdue", ("unsaid",)),),
    "overdue_share": Share(_LATE, _TOLD),
}


def deadlines(asked: Asked) -> Answer:
    """Count only those of which the source states a deadline."""
    selection = asked.question.selection
    stated = replace(selection, filters=(*selection.filters, *_STATED))
    return tallied(asked, _DEADLINES, selection=stated)


DEADLINES: Final = Figure(
    name="stated-deadlines",
    counts="every imported complaint whose source states a deadline, by what the source"
    " says of it (DeadlineStated); nothing is worked out from dates",
    out_of="overdue: those of which the source says whether the deadline was kept",
    by=_RECEIPT,
    columns=kinds(_DEADLINES),
    answer=deadlines,
    parameters=_GROUPING,
)
