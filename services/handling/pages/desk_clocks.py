"""Clocks at the desk: what they are called, how urgent they look, and the tabs of the queue."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from services.kernel.i18n import msgid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.handling.domain.clocks import Clock, Clockwork

WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "clock": {
            "ack": msgid("Acknowledgement"),
            "first_response": msgid("First response"),
            "promise": msgid("Promise to the customer"),
            "dispatch": msgid("Assigning a department"),
            "sign_for": msgid("Signing for the case"),
            "unit_feedback": msgid("Investigation"),
            "written_reply": msgid("Written reply"),
            "statutory": msgid("Time limit in all"),
            "execution": msgid("Putting it right"),
            "follow_up": msgid("Follow-up"),
            "closing": msgid("Closing the case"),
            "appeal_decision": msgid("Decision on the appeal"),
        },
        "clock_state": {
            "running": msgid("running"),
            "met": msgid("in time"),
            "breached": msgid("late"),
            "ended": msgid("not owed any more"),
            "unknown": msgid("not known"),
        },
        "skipped": {
            "holiday": msgid("public holiday"),
            "day_off": msgid("closed"),
            "weekday": msgid("no working day"),
        },
        "due": {
            "": msgid("Longest waiting"),
            "next": msgid("Due next"),
            "overdue": msgid("Overdue"),
            "today": msgid("Due today"),
        },
    }
)

DUES: Final = tuple(WORDS["due"])
"""The tabs of the queue, as the address bar says them."""

_SOON: Final = dt.timedelta(hours=24)
_TONES: Final[Mapping[str, str]] = {"met": "good", "breached": "bad"}


def urgency(due_at: dt.datetime, now: dt.datetime) -> str:
    """Give the tone of what is due: late, within a day, or later."""
    if due_at < now:
        return "bad"
    return "warn" if due_at - now < _SOON else "calm"


def tone(clock: Clock, now: dt.datetime) -> str:
    """Give the tone of a clock."""
    return (
        urgency(clock.due_at, now) if clock.running else _TONES.get(clock.state, "calm")
    )


def told(clock: Clock, by: Clockwork, at: dt.datetime) -> dict[str, Any]:
    """Give a clock with what its explanation says."""
    return {
        "clock": clock,
        "tone": tone(clock, at),
        "within": clock.rule.within,
        "skipped": by.skipped(clock),
    }


def due_filter(due: str, now: dt.datetime, zone: dt.tzinfo) -> dict[str, Any]:
    """Give what a tab of the queue asks for; of today is what is not late yet."""
    if due not in DUES or not due:
        return {}
    wanted: dict[str, Any] = {"by_due": True}
    if due == "overdue":
        wanted["due_before"] = now
    if due == "today":
        tomorrow = now.astimezone(zone).date() + dt.timedelta(days=1)
        midnight = dt.datetime.combine(tomorrow, dt.time(), zone)
        wanted |= {"due_from": now, "due_before": midnight.astimezone(dt.UTC)}
    return wanted
