"""How far a complaint has come in codes that one can count, group and filter by.

Of an imported past nothing is known that its source does not state: there `responded` and
`solved` begin as None, in today's work as `no`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from events.catalogue import (
    AppealAccepted,
    AppealDismissed,
    ComplaintAccepted,
    ComplaintAppealed,
    ComplaintClosed,
    ComplaintDeclined,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintWithdrawn,
    DeadlineStated,
    DecisionIssued,
    FollowUpAttempted,
    ReceiptAcknowledged,
    SatisfactionRecorded,
    SettlementRefused,
    StatementConfirmed,
)
from events.vocabulary import CloseReason, FollowUpResult, Origin, SatisfactionSubject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from events.catalogue import AnyEvent
    from events.envelope import Event

SATISFIED_FROM: Final = 4
"""The score from which a customer counts as satisfied (S105); 3 is neither."""


class Said(StrEnum):
    """Whether something is so."""

    YES = "yes"
    NO = "no"


class Satisfied(StrEnum):
    """What the customer said of the outcome, last; `unrated`: asked, no score yet."""

    YES = "yes"
    NO = "no"
    UNRATED = "unrated"


class Overdue(StrEnum):
    """What the source says of its deadline; `unsaid`: by when, not whether it was kept."""

    YES = "yes"
    NO = "no"
    UNSAID = "unsaid"


class Appeal(StrEnum):
    """What became of the last appeal.

    Taken up, it ends with the next decision: `overturned` where that has another outcome
    than what was contested, `confirmed` where it has the same. `unclear`: the case was
    closed before, or one of the two outcomes is not stated.
    """

    PENDING = "pending"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    CONFIRMED = "confirmed"
    OVERTURNED = "overturned"
    UNCLEAR = "unclear"


class Decline(StrEnum):
    """Whether a refusal to take the complaint in holds; `overturned`: taken in after all."""

    STANDS = "stands"
    CONTESTED = "contested"
    OVERTURNED = "overturned"


DECLINED: Final = "declined"
"""How `contested` names a refusal; else it is the outcome that an appeal contests."""

_PUT_RIGHT: Final = frozenset({CloseReason.SATISFIED, CloseReason.DECISION_ACCEPTED})
_RUNNING: Final = frozenset({Appeal.PENDING, Appeal.ACCEPTED})

Changes = dict[str, str | None]


class Standing(Protocol):
    """What is read of a complaint to tell what an event changes."""

    @property
    def outcome(self) -> str | None: ...
    @property
    def satisfied(self) -> str | None: ...
    @property
    def appeal(self) -> str | None: ...
    @property
    def contested(self) -> str | None: ...
    @property
    def decline(self) -> str | None: ...


def at_first(origin: Origin) -> dict[str, Any]:
    """Give the codes on the day of receipt."""
    begin = None if origin is Origin.MIGRATION else Said.NO.value
    return {"responded": begin, "decided": begin, "solved": begin}


def handled(before: Standing, data: AnyEvent) -> Changes:
    """Give the codes that `data` sets.

    Responded is who heard from somebody. Solved is what was done, or a decision that was
    accepted, where nothing was contested since; None where there is nothing to solve.
    """
    changes = _CHANGES.get(type(data))
    return changes(before, data) if changes else {}


def _told(_before: Standing, _data: Any) -> Changes:
    return {"responded": Said.YES.value}


def _declined(_before: Standing, data: ComplaintDeclined) -> Changes:
    return {
        "responded": Said.YES.value,
        "decided": Said.YES.value,
        "solved": None,
        "decline": Decline.STANDS.value,
        "decline_reason": data.reason.value,
    }


def _accepted(before: Standing, _data: ComplaintAccepted) -> Changes:
    changes: Changes = {"solved": Said.NO.value}
    if before.decline is not None:
        changes["decline"] = Decline.OVERTURNED.value
    return changes


def _issued(before: Standing, data: DecisionIssued | ComplaintResolved) -> Changes:
    changes: Changes = {"responded": Said.YES.value, "decided": Said.YES.value}
    if before.appeal in _RUNNING:
        changes["appeal"] = _reviewed(before.contested, data.outcome).value
    return changes


def _resolved(before: Standing, data: ComplaintResolved) -> Changes:
    return {**_issued(before, data), "solved": Said.YES.value}


def _reviewed(contested: str | None, outcome: str | None) -> Appeal:
    if contested is None or outcome is None:
        return Appeal.UNCLEAR
    return Appeal.CONFIRMED if outcome == contested else Appeal.OVERTURNED


def _tried(before: Standing, data: FollowUpAttempted) -> Changes:
    changes: Changes = {}
    if data.result is FollowUpResult.REACHED:
        changes["responded"] = Said.YES.value
    if before.satisfied is None:
        changes["satisfied"] = Satisfied.UNRATED.value
    return changes


def _rated(_before: Standing, data: SatisfactionRecorded) -> Changes:
    changes: Changes = {"responded": Said.YES.value}
    if data.about is SatisfactionSubject.OUTCOME:
        satisfied = Satisfied.YES if data.score >= SATISFIED_FROM else Satisfied.NO
        changes["satisfied"] = satisfied.value
    return changes


def _closed(before: Standing, data: ComplaintClosed) -> Changes:
    changes = _ended(before)
    if data.reason in _PUT_RIGHT:
        changes["solved"] = Said.YES.value
    return changes


def _withdrawn(before: Standing, _data: ComplaintWithdrawn) -> Changes:
    return {**_ended(before), "solved": None}


def _ended(before: Standing) -> Changes:
    return {"appeal": Appeal.UNCLEAR.value} if before.appeal in _RUNNING else {}


def _contested(_before: Standing, _data: Any) -> Changes:
    return {"solved": Said.NO.value}


def _appealed(before: Standing, _data: ComplaintAppealed) -> Changes:
    changes: Changes = {"solved": Said.NO.value, "appeal": Appeal.PENDING.value}
    if before.decline == Decline.STANDS:
        return {**changes, "contested": DECLINED, "decline": Decline.CONTESTED.value}
    return {**changes, "contested": before.outcome}


def _taken_up(before: Standing, _data: AppealAccepted) -> Changes:
    changes: Changes = {}
    if before.appeal in _RUNNING:
        changes["appeal"] = Appeal.ACCEPTED.value
    if before.decline == Decline.CONTESTED:
        changes["decline"] = Decline.OVERTURNED.value
    return changes


def _dismissed(before: Standing, _data: AppealDismissed) -> Changes:
    changes: Changes = {"responded": Said.YES.value}
    if before.appeal in _RUNNING:
        changes["appeal"] = Appeal.DISMISSED.value
    if before.decline == Decline.CONTESTED:
        changes["decline"] = Decline.STANDS.value
    return changes


def _due(_before: Standing, data: DeadlineStated) -> Changes:
    if data.overdue is None:
        return {"overdue": Overdue.UNSAID.value}
    return {"overdue": (Overdue.YES if data.overdue else Overdue.NO).value}


_CHANGES: Final[Mapping[type[Event], Callable[[Standing, Any], Changes]]] = {
    ReceiptAcknowledged: _told,
    StatementConfirmed: _told,
    ComplaintDeclined: _declined,
    ComplaintAccepted: _accepted,
    DecisionIssued: _issued,
    SettlementRefused: _contested,
    ComplaintResolved: _resolved,
    FollowUpAttempted: _tried,
    SatisfactionRecorded: _rated,
    DeadlineStated: _due,
    ComplaintClosed: _closed,
    ComplaintAppealed: _appealed,
    AppealAccepted: _taken_up,
    AppealDismissed: _dismissed,
    ComplaintReopened: _contested,
    ComplaintWithdrawn: _withdrawn,
}
