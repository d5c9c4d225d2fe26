"""What people call the pages, the figures and their numbers, and what each counts."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.kernel.i18n import msgid

Words = Mapping[str, str]

VIEWS: Final[Words] = MappingProxyType(
    {
        "overview": msgid("Overview"),
        "frequency": msgid("Frequency"),
        "causes": msgid("Causes"),
        "time": msgid("Time"),
        "departments": msgid("Departments"),
        "channels": msgid("Channels"),
        "appeals": msgid("Appeals"),
    }
)

SECTIONS: Final[Words] = MappingProxyType(
    {
        "received": msgid("Complaints received"),
        "frequency": msgid("How often"),
        "silent": msgid("Sources that are silent"),
        "complainants": msgid("The same complaint: how many people, what is done"),
        "causes": msgid("Why: root causes"),
        "backlog": msgid("Still open, by age"),
        "received_by_channel": msgid("By which channel"),
        "received_by_source": msgid("From which source"),
        "coverage_by_channel": msgid("Do all channels still bring something?"),
        "coverage_by_source": msgid("Do the sources A to G still bring something?"),
        "first_contact": msgid("Settled at the first contact"),
        "repeats": msgid("Customers who complain again"),
        "rates": msgid("Responded, solved, satisfied"),
        "rates_over_time": msgid("Responded, solved, satisfied, over time"),
        "dwell": msgid("How long in each state"),
        "holding": msgid("How long with each department"),
        "returns": msgid("Given back by departments"),
        "deadlines": msgid("Deadlines as imported records state them"),
        "appeals": msgid("Appeals and what became of them"),
        "appeals_over_time": msgid("Appeals over time"),
        "declines": msgid("Not accepted"),
        "decline_reasons": msgid("Not accepted, by reason"),
    }
)
"""What stands over each figure of a page."""

ROWS: Final[Words] = MappingProxyType(
    {
        "backlog": msgid("Age"),
        "rates": msgid("Result"),
        "appeals": msgid("Result"),
        "declines": msgid("Result"),
        "stated-deadlines": msgid("Result"),
    }
)
"""What stands over the names of a figure's numbers where each has a row."""

COLUMNS: Final[Words] = MappingProxyType(
    {
        "open": msgid("Open"),
        "under_1_day": msgid("Under 1 day"),
        "1_to_7_days": msgid("1 to 7 days"),
        "7_to_30_days": msgid("7 to 30 days"),
        "30_to_90_days": msgid("30 to 90 days"),
        "over_90_days": msgid("90 days and over"),
        "received": msgid("Complaints"),
        "response_known": msgid("Known whether responded"),
        "responded": msgid("Responded"),
        "responded_share": msgid("Response rate"),
        "solvable": msgid("To be solved, or solved"),
        "solved": msgid("Solved"),
        "solved_share": msgid("Solution rate"),
        "asked": msgid("Asked if satisfied"),
        "rated": msgid("Gave a score"),
        "rated_share": msgid("Gave a score, share"),
        "satisfied": msgid("Satisfied"),
        "satisfied_share": msgid("Satisfaction rate"),
        "decided": msgid("Decided"),
        "appealed": msgid("Appealed"),
        "appealed_after": msgid("Appealed, decision known"),
        "appealed_share": msgid("Appeal rate"),
        "pending": msgid("Waits"),
        "accepted": msgid("Under review"),
        "dismissed": msgid("Dismissed"),
        "confirmed": msgid("Reviewed, same outcome"),
        "overturned": msgid("Overturned"),
        "ended": msgid("Appeals ended"),
        "overturned_share": msgid("Overturned, share"),
        "unclear": msgid("Closed without a stated result"),
        "declined": msgid("Not accepted"),
        "declined_share": msgid("Not accepted, share"),
        "stands": msgid("Stands"),
        "contested": msgid("Contested"),
        "stated": msgid("Deadline stated"),
        "in_time": msgid("In time"),
        "overdue": msgid("Overdue"),
        "unsaid": msgid("Not said whether kept"),
        "said": msgid("Said whether kept"),
        "overdue_share": msgid("Overdue, share"),
        "complaints": msgid("Complaints"),
        "stays": msgid("Stays"),
        "still": msgid("There still"),
        "left_out": msgid("Not measured"),
        "median": msgid("Median"),
        "p90": msgid("9 of 10 within"),
        "mean": msgid("Mean"),
        "longest": msgid("Longest"),
        "assigned": msgid("Had"),
        "returned": msgid("Gave back"),
        "returned_share": msgid("Gave back, share"),
        "returns": msgid("Times"),
        "not_ours": msgid("Not ours"),
        "more_information_needed": msgid("More information needed"),
        "other_unit_needed": msgid("Another unit is needed"),
        "duplicate": msgid("Duplicate"),
        "conflict_of_interest": msgid("Conflict of interest"),
        "count": msgid("Complaints"),
        "customers": msgid("Customers"),
        "countermeasures": msgid("With countermeasure"),
        "countermeasure_share": msgid("With countermeasure, share"),
        "share": msgid("Share"),
        "cumulative_share": msgid("Share so far"),
        "last_received": msgid("Last received"),
        "usual_interval": msgid("Usual interval"),
        "silent_after": msgid("Silent after"),
        "silent": msgid("Silent now"),
        "registered_within": msgid("From document to receipt"),
        "resolved": msgid("Resolved"),
        "first_contact": msgid("At the first contact"),
        "repeats": msgid("Repeats"),
        "repeats.customers": msgid("Customers who did"),
    }
)
"""The numbers of the figures; `figure.column` where two mean something different."""

_RECEIVED: Final = msgid("Every complaint received, open or closed, once.")
_OF_ALL: Final = msgid("Shares are of all complaints counted.")
_BY_RECEIPT: Final = msgid("By the time of receipt as it was claimed.")

COUNTS: Final[Words] = MappingProxyType(
    {
        "frequency": _RECEIVED,
        "root-causes": _RECEIVED,
        "coverage": msgid(
            "Every complaint received, once. Silent now: the last one came longer ago than"
            " 99 of 100 intervals before were, at least 7 days (30 while fewer than 5"
            " intervals are known); or a source from which nothing ever came."
        ),
        "first-contact": msgid(
            "Every complaint resolved, by how it was resolved last; of imported ones those"
            " of which the record says that it was at the first contact."
        ),
        "repeats": msgid(
            "Every complaint received, once. Repeats: the customer had complained at most"
            " 30 days before."
        ),
        "backlog": msgid("Every complaint that was open, once."),
        "rates": msgid(
            "Every complaint received, once. Responded: the customer heard from somebody."
            " Solved: what was promised has been done, or the customer accepted the"
            " decision, and nothing was contested or reopened since. Asked: a follow-up"
            " was tried or a score given. Satisfied: the last score of the outcome was 4"
            " or 5."
        ),
        "appeals": msgid(
            "Every complaint that was decided, resolved or declined at least once, and by"
            " its last appeal. Overturned: the next decision had another outcome than the"
            " contested one. Under review: taken up, no decision since. Waits: nobody has"
            " taken it up."
        ),
        "declines": msgid(
            "Every complaint received, and those that were not accepted. Stands: that"
            " holds. Contested: an appeal waits. Overturned: accepted, or taken up on"
            " appeal, after all."
        ),
        "stated-deadlines": msgid(
            "Every imported complaint whose source states a deadline, by what the source"
            " says of it; nothing is worked out from dates."
        ),
        "dwell": msgid(
            "Every stay of a complaint in an open state, between the claimed times of"
            " events; what lasts still runs on to the moment of the figure. A stay whose"
            " beginning or end is not exactly known is counted and not measured."
        ),
        "holding": msgid(
            "Every stay of an open complaint with a department, or with none, between the"
            " claimed times of events; what lasts still runs on to the moment of the"
            " figure. A stay whose beginning or end is not exactly known is counted and"
            " not measured."
        ),
        "returns": msgid(
            "Every complaint that a department had as its lead, and those that it gave"
            " back; the reasons count each time."
        ),
    }
)
"""What a line of each figure counts."""

BY: Final[Words] = MappingProxyType(
    {
        "frequency": _BY_RECEIPT,
        "root-causes": _BY_RECEIPT,
        "coverage": msgid(
            "By the time of receipt as it was claimed. From document to receipt: the"
            " middle of whole days since the date of the source's document."
        ),
        "first-contact": _BY_RECEIPT,
        "repeats": _BY_RECEIPT,
        "backlog": msgid("By age since the time of receipt as it was claimed."),
        "rates": _BY_RECEIPT,
        "appeals": _BY_RECEIPT,
        "declines": _BY_RECEIPT,
        "stated-deadlines": _BY_RECEIPT,
        "dwell": _BY_RECEIPT,
        "holding": _BY_RECEIPT,
        "returns": _BY_RECEIPT,
    }
)
"""By which time each figure tells periods and ages."""

OUT_OF: Final[Words] = MappingProxyType(
    {
        "root-causes": _OF_ALL,
        "repeats": _OF_ALL,
        "coverage": msgid(
            "Shares are of all complaints counted; with countermeasure of those of the"
            " line."
        ),
        "first-contact": msgid("Shares are of the complaints resolved."),
        "rates": msgid(
            "Shares: responded of all of which it is known; solved of those to be solved,"
            " which are all of which it is known without declined and withdrawn ones;"
            " score given of those asked; satisfied of those who gave a score."
        ),
        "appeals": msgid(
            "Shares: appealed of those decided, where the decision is known; overturned of"
            " the appeals that ended dismissed, with the same outcome or overturned."
        ),
        "declines": msgid(
            "Shares: not accepted of all received; overturned of those not accepted."
        ),
        "stated-deadlines": msgid(
            "Overdue: share of those of which the source says whether the deadline was"
            " kept."
        ),
        "returns": msgid("Share: of those that the department had."),
    }
)
"""Of what the shares of a figure are."""
