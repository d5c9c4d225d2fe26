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
    shares,
    tallied,
)
from services.analytics.domain.handled import SATISFIED_FROM, Appeal, Decline

if TYPE_CHECKING:
    from services.analytics.domain.figures import Filters

_GROUPING: Final = ("group_by", "period", "level", "compare")
_RECEIPT: Final = "the time of receipt as claimed (`occurred_at` of ComplaintReceived)"

_RATES: Final[Columns] = {
    "received": (),
    "response_known": (("responded", ("yes", "no")),),
    "responded": (("responded", ("yes",)),),
    "responded_share": Share("responded", "response_known"),
    "solvable": (("solved", ("yes", "no")),),
    "solved": (("solved", ("yes",)),),
    "solved_share": Share("solved", "solvable"),
    "asked": (("satisfied", ("yes", "no", "unrated")),),
    "rated": (("satisfied", ("yes", "no")),),
    "rated_share": Share("rated", "asked"),
    "satisfied": (("satisfied", ("yes",)),),
    "satisfied_share": Share("satisfied", "rated"),
}

RATES: Final = Figure(
    name="rates",
    counts="every complaint received, once; responded: the customer heard from somebody;"
    " solved: what was promised has been done, or the customer accepted the decision,"
    " and nothing was contested or reopened since; asked: a follow-up was tried or a"
    f" score given; satisfied: the last score of the outcome was {SATISFIED_FROM} or 5",
    out_of="responded: `response_known`, all of which it is known (an imported record"
    " may not say); solved: `solvable`, the same of being solved, without declined and"
    " withdrawn ones, open ones included; rated: those asked; satisfied: those who gave"
    " a score",
    by=_RECEIPT,
    columns=kinds(_RATES),
    shares=shares(_RATES),
    answer=partial(tallied, columns=_RATES),
    parameters=_GROUPING,
    source="S153",
)

_DECIDED: Final[Filters] = (("decided", ("yes",)),)
_APPEALED: Final[Filters] = (("appeal", tuple(each.value for each in Appeal)),)

_APPEALS: Final[Columns] = {
    "decided": _DECIDED,
    "appealed": _APPEALED,
    "appealed_after": (*_DECIDED, *_APPEALED),
    "appealed_share": Share("appealed_after", "decided"),
    **{appeal.value: (("appeal", (appeal.value,)),) for appeal in Appeal},
    "ended": (("appeal", ("dismissed", "confirmed", "overturned")),),
    "overturned_share": Share("overturned", "ended"),
}

APPEALS: Final = Figure(
    name="appeals",
    counts="every complaint that was decided, resolved or declined at least once, and by"
    " its last appeal; overturned: taken up, and the next decision had another outcome"
    " than the contested one; confirmed: the same outcome; accepted: taken up, no"
    " decision since; pending: nobody has taken it up; unclear: closed without a"
    " decision on it, or one of the two outcomes is not stated; appealed_after: appealed,"
    " and the decision is known (an imported record may state the appeal alone)",
    out_of="appealed_after: those decided; overturned: those that `ended` dismissed,"
    " confirmed or overturned",
    by=_RECEIPT,
    columns=kinds(_APPEALS),
    shares=shares(_APPEALS),
    answer=partial(tallied, columns=_APPEALS),
    parameters=_GROUPING,
    source="S115",
)

_DECLINED: Final[Filters] = (("decline", tuple(each.value for each in Decline)),)

_DECLINES: Final[Columns] = {
    "received": (),
    "declined": _DECLINED,
    "declined_share": Share("declined", "received"),
    **{decline.value: (("decline", (decline.value,)),) for decline in Decline},
    "overturned_share": Share("overturned", "declined"),
}

DECLINES: Final = Figure(
    name="declines",
    counts="every complaint received, and those that were not accepted; stands: that"
    " holds; contested: an appeal waits; overturned: accepted, or taken up on appeal,"
    " after all (`group_by=decline_reason` tells why they were declined)",
    out_of="declined: all received; overturned: those declined",
    by=_RECEIPT,
    columns=kinds(_DECLINES),
    shares=shares(_DECLINES),
    answer=partial(tallied, columns=_DECLINES),
    parameters=_GROUPING,
    source="S28",
)

_STATED: Final[Filters] = (("overdue", ("yes", "no", "unsaid")),)

_DEADLINES: Final[Columns] = {
    "stated": (),
    "in_time": (("overdue", ("no",)),),
    "overdue": (("overdue", ("yes",)),),
    "unsaid": (("overdue", ("unsaid",)),),
    "said": (("overdue", ("yes", "no")),),
    "overdue_share": Share("overdue", "said"),
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
    out_of="overdue: those `said`, of which the source says whether the deadline was"
    " kept",
    by=_RECEIPT,
    columns=kinds(_DEADLINES),
    shares=shares(_DEADLINES),
    answer=deadlines,
    parameters=_GROUPING,
)
