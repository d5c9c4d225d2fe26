"""Clocks: what was due when, derived from a case's events, the policy and calendars.

Nothing of it is stored as the truth: the same events under the same rules give the same
clocks at any time. A clock starts at the claimed time of its first event and stops at the
server's, so that a claim can only make a deadline earlier; what is due is due up to and
including its instant. No clock pauses.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from events.catalogue import EVENTS
from events.vocabulary import Audience, Origin, Precision
from services.handling.domain.calendars import WorkingTime, end_of_day
from services.handling.domain.decisions.rules import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from services.handling.domain.calendars import Calendar, PublicDays, Skipped
    from services.handling.domain.case import Case, Happened
    from services.handling.domain.clock_rules import ClockRule
    from services.handling.domain.policy import Policy

State = Literal["running", "met", "breached", "ended", "unknown"]
"""`ended`: nobody owes it any more, and it was not late until then. `unknown`: an imported
record does not say when it was done."""

HOUR: Final = timedelta(hours=1)
_ANSWERED: Final = "ComplaintResolved"
_NEVER_STATED: Final = frozenset({"ReceiptAcknowledged"})


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of a case; `stopped_at` is None while it runs, late or not."""

    code: str
    holder: str
    """The unit that owes it."""
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    state: State
    elapsed: float
    """The part of its time that has gone by, in working time where it counts that: 1 when
    it is due, more when it is late."""
    rule: ClockRule
    started_by: Happened
    stopped_by: Happened | None

    @property
    def running(self) -> bool:
        return self.stopped_at is None and self.state != "unknown"


class Due(NamedTuple):
    """What a case owes next: the earliest clock that nothing has stopped."""

    at: datetime
    clock: str


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The clocks of a policy, on their calendars, in the organisation's time zone."""

    policy: Policy
    zone: ZoneInfo
    calendars: Mapping[str, WorkingTime]
    edition: str
    """Changes with whatever moves a due date: rules, calendars, zone, public holidays."""

    def due(self, rule: ClockRule, started: Happened, start: datetime) -> datetime:
        """Give by when a clock is due that `started` began at `start`."""
        within = rule.within
        if within.stated is not None:
            return started.stated or start
        if within.hours is not None:
            return start + within.hours * HOUR
        if within.days is not None:
            return end_of_day(start, within.days, self.zone)
        working = self.calendars[rule.calendar or ""]
        if within.working_days is not None:
            return working.close_of(start, within.working_days)
        return working.add(start, (within.working_hours or 0) * HOUR)

    def spent(self, rule: ClockRule, start: datetime, stop: datetime) -> timedelta:
        """Measure as the rule does."""
        if rule.within.working:
            return self.calendars[rule.calendar or ""].between(start, stop)
        return max(stop - start, timedelta())

    def skipped(self, clock: Clock) -> list[Skipped]:
        """Name the days that a clock in working time passed over until it is due."""
        if not clock.rule.within.working:
            return []
        working = self.calendars[clock.rule.calendar or ""]
        return working.skipped_between(clock.started_at, clock.due_at)


def clockwork(
    policy: Policy,
    zone: ZoneInfo,
    public_days: Callable[[Calendar], PublicDays],
    *,
    edition: str = "",
) -> Clockwork:
    """Put the policy's calendars on a zone; `edition` is that of the public holidays."""
    rules = [each.model_dump_json() for each in (*policy.clocks, *policy.calendars)]
    digest = hashlib.sha256("\n".join([str(zone), edition, *rules]).encode())
    calendars = {
        calendar.code: WorkingTime(calendar, zone, public_days(calendar))
        for calendar in policy.calendars
    }
    return Clockwork(policy, zone, calendars, digest.hexdigest())


def clocks(case: Case, by: Clockwork, now: datetime) -> tuple[Clock, ...]:
    """Give the clocks of a case as of `now`, in the order of their due dates.

    Imported cases have none: what was due there is what their source states.
    """
    if case.origin == Origin.MIGRATION:
        return ()
    found = [
        _clock(case, span, by, now)
        for rule in _rules(case, by.policy)
        for span in _spans(case, rule)
    ]
    return tuple(sorted(found, key=lambda clock: clock.due_at))


def next_due(case: Case, by: Clockwork) -> Due | None:
    """Give what the case owes next, late or not; None where it owes nothing."""
    return next_dues(case, by)[0]


def next_dues(case: Case, by: Clockwork) -> tuple[Due | None, Due | None]:
    """Give what the case owes next, and the next of what departments are told."""
    if case.origin == Origin.MIGRATION or case.state in ENDED:
        return None, None
    found: list[Due] = []
    told: list[Due] = []
    for rule in _rules(case, by.policy):
        for span in _spans(case, rule):
            if span.stopped is None:
                due_at = by.due(rule, span.started, _start(span.started))
                found.append(Due(due_at, rule.code))
                if told_to_departments(rule, span.started):
                    told.append(found[-1])
    return min(found, default=None), min(told, default=None)


def told_to_departments(rule: ClockRule, *events: Happened) -> bool:
    """Tell whether a run of a clock says nothing that departments are not told.

    The first event that a rule names as its stop is what the clock waits for.
    """
    types = (rule.stops[0], *(event.type for event in events))
    return all(EVENTS[name].audience is Audience.DEPARTMENTS for name in types)


def what_if(case: Case, by: Clockwork, now: datetime) -> tuple[Clock, ...]:
    """Give what our clocks would say of an imported case, by the times that it states.

    Only clocks that run from the receipt to the answer: records of other systems state
    nothing of what the others wait for. Where no answer is stated, the end of the case
    counts as one.
    """
    if case.origin != Origin.MIGRATION:
        return ()
    found = [
        _clock(case, span, by, now, stated=True)
        for rule in _rules(case, by.policy)
        if _ANSWERED in rule.stops and _NEVER_STATED.isdisjoint(rule.stops)
        for span in _spans(case, rule)
        if span.started.type == "ComplaintReceived"
        and span.started.precision is not Precision.NOT_BEFORE
    ]
    return tuple(sorted(found, key=lambda clock: clock.due_at))


@dataclass(slots=True)
class _Span:
    """One run of a clock, from what began it to what stopped or ended it."""

    rule: ClockRule
    started: Happened
    stopped: Happened | None = None
    met: bool = False

    def hears(self, this: Happened) -> bool:
        """Tell whether an event is about what this clock waits for."""
        if this.contributor and not self.started.contributor:
            return False
        mine = this.unit is None or this.unit == self.started.unit
        return self.rule.holder != "unit" or mine

    def lost_by(self, this: Happened) -> bool:
        """Tell whether the unit that owes it no longer has the case, or got it anew."""
        if self.rule.holder != "unit":
            return False
        if this.contributor:
            return this.type == "DepartmentAssigned" and this.unit == self.started.unit
        if this.type == "DepartmentAssigned":
            return not self.started.contributor or this.unit == self.started.unit
        return this.type == "AssignmentReturned" and not self.started.contributor

    def stop(self, this: Happened, *, met: bool) -> None:
        self.stopped, self.met = this, met


def _spans(case: Case, rule: ClockRule) -> list[_Span]:
    """Walk through the history and give every run of a clock, the earliest first."""
    spans: list[_Span] = []
    for this in case.history:
        for span in spans:
            if span.stopped is not None:
                continue
            if this.type in rule.stops and span.hears(this):
                span.stop(this, met=True)
            elif this.state in ENDED or span.lost_by(this):
                span.stop(this, met=False)
        if _begins(rule, this, spans):
            spans.append(_Span(rule, this))
    return spans


def _begins(rule: ClockRule, this: Happened, spans: list[_Span]) -> bool:
    """Tell whether an event starts the clock; one that runs is not started again.

    But each unit has its own, and so has each promise.
    """
    if this.type not in rule.starts or (this.contributor and not rule.contributors):
        return False
    if rule.holder == "unit" or rule.within.stated is not None:
        return True
    return all(span.stopped is not None for span in spans)


def _rules(case: Case, policy: Policy) -> Iterator[ClockRule]:
    """Choose of each clock's rules the narrowest for the case; of equals, the latest."""
    chosen: dict[str, ClockRule] = {}
    matter = (case.category, case.complaint_class, case.scope_kind)
    recorded_at = case.history[0].at
    for rule in policy.clocks:
        if (
            rule.severity in (None, case.severity)
            and rule.matches(*matter)
            and rule.in_force_for(recorded_at)
        ):
            other = chosen.get(rule.code)
            if other is None or _rank(other) < _rank(rule):
                chosen[rule.code] = rule
    yield from chosen.values()


def _rank(rule: ClockRule) -> tuple[int, datetime]:
    return rule.specificity, rule.effective_from


def _start(started: Happened) -> datetime:
    return min(started.occurred_at, started.at)


def _clock(
    case: Case, span: _Span, by: Clockwork, now: datetime, *, stated: bool = False
) -> Clock:
    """Read a run off; by the `stated` times, what has no date stays unknown."""
    rule, stop = span.rule, span.stopped
    start = _start(span.started)
    due_at = by.due(rule, span.started, start)
    stopped_at = None if stop is None else stop.occurred_at if stated else stop.at
    state: State = "running"
    if (stopped_at or now) > due_at:
        state = "breached"
    elif stop is not None and stated and stop.precision is Precision.NOT_BEFORE:
        state, stopped_at = "unknown", None
    elif stop is not None:
        state = "met" if span.met or stated else "ended"
    whole = by.spent(rule, start, due_at)
    gone = by.spent(rule, start, stopped_at or now)
    return Clock(
        code=rule.code,
        holder=_holder(case, span, by.policy),
        started_at=start,
        due_at=due_at,
        stopped_at=stopped_at,
        state=state,
        elapsed=round(gone / whole, 4) if whole else 1.0,
        rule=rule,
        started_by=span.started,
        stopped_by=stop,
    )


def _holder(case: Case, span: _Span, policy: Policy) -> str:
    match span.rule.holder:
        case "unit":
            return span.started.unit or policy.front_office
        case "lead":
            at = span.stopped.unit if span.stopped else case.department
            return at or policy.front_office
        case _:
            return policy.front_office


def duration(rule: ClockRule) -> dict[str, Any]:
    """Give how long the rule gives, as the policy says it: `{"days": 7}`."""
    return rule.within.model_dump(exclude_none=True)
