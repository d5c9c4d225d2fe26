"""Clocks: what starts them, what stops them, when they are due, and who owes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from events.catalogue import (
    AppealDismissed,
    AssignmentAccepted,
    AssignmentReturned,
    ComplaintAppealed,
    ComplaintClosed,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintWithdrawn,
    DepartmentAssigned,
    FollowUpAttempted,
    ReceiptAcknowledged,
    SettlementReturned,
)
from events.vocabulary import AssignmentRole, Origin, Precision
from services.handling.domain.clocks import clocks, next_due, what_if
from services.handling.domain.decisions.rules import OPEN
from services.handling.domain.policy import parse_policy
from services.kernel.errors import MalformedError
from tests.support.given import (
    AGENT,
    CUSTOMER,
    DEFAULT_POLICY,
    HOUR,
    LOGISTICS,
    QUALITY,
    STAGES,
    START,
    Past,
    accepted,
    agreed,
    an,
    assigned,
    closed,
    declined,
    dismissed,
    enveloped,
    folded,
    joined,
    past,
    proposed,
    received,
    refused,
    replied,
    resolved,
    signed,
)
from tests.support.timing import (
    BERLIN,
    CLOCKWORK,
    SHANGHAI,
    clocks_by,
    policy_with,
    reply,
)

if TYPE_CHECKING:
    from services.handling.domain.clocks import Clock, Clockwork

DAY = timedelta(days=1)
RECEIVED_AT = START + HOUR
"""Monday, 1 September 2025, 17:30 in Shanghai."""


def run(
    *history: Past,
    by: Clockwork = CLOCKWORK,
    after: timedelta = timedelta(),
    now: datetime | None = None,
) -> list[Clock]:
    events = enveloped(history)
    now = now or events[-1].recorded_at + after
    return list(clocks(folded(events), by, now))


def the(code: str, found: list[Clock]) -> Clock:
    (clock,) = of(code, found)
    return clock


def of(code: str, found: list[Clock]) -> list[Clock]:
    return [clock for clock in found if clock.code == code]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


LAST_OF = timedelta(microseconds=1)


# When it is due


def test_a_reply_is_due_at_the_end_of_the_seventh_day_where_the_organisation_is() -> (
    None
):  # S63
    clock = the("written_reply", run(*received()))
    assert clock.started_at == RECEIVED_AT
    assert clock.due_at == local("2025-09-09T00:00") - LAST_OF


def test_what_is_due_is_met_at_its_instant_and_late_after_it() -> None:  # S60
    day = RECEIVED_AT + 24 * HOUR
    for now, state in ((day, "running"), (day + LAST_OF, "breached")):
        assert the("first_response", run(*received(), now=now)).state == state
    for after, state in ((24 * HOUR, "met"), (24 * HOUR + LAST_OF, "breached")):
        told = past(an(ReceiptAcknowledged), AGENT, after=after)
        clock = the("first_response", run(*received(), told))
        assert (clock.state, clock.running) == (state, False)


def test_the_share_that_is_gone_is_of_its_own_time() -> None:
    halfway = the("first_response", run(*received(), after=12 * HOUR))
    assert halfway.elapsed == 0.5
    late = the("first_response", run(*received(), after=36 * HOUR))
    assert (late.elapsed, late.running) == (1.5, True)
    evening = the("ack", run(*received(), after=3 * HOUR))  # received half an hour
    assert evening.elapsed == 0.5  # before the office closed
    assert evening.due_at == local("2025-09-02T09:30:00.000250")


def test_a_claim_can_only_make_a_deadline_earlier() -> None:  # design 1.4
    plain = the("sign_for", run(*assigned())).due_at
    *before, last = assigned()
    for claimed in (timedelta(), HOUR, 3 * DAY):
        early = past(last.data, last.by, claimed=claimed)
        clock = the("sign_for", run(*before, early))
        assert clock.due_at <= plain
        assert clock.started_at == clock.started_by.occurred_at


def test_it_stops_by_the_servers_clock_whatever_is_claimed() -> None:
    late = past(an(ReceiptAcknowledged), AGENT, after=3 * DAY, claimed=3 * DAY)
    clock = the("first_response", run(*received(), late))
    assert clock.state == "breached"
    assert clock.stopped_at == RECEIVED_AT + 3 * DAY


def test_what_is_known_to_the_day_counts_from_its_first_moment() -> None:
    (event,) = enveloped(received())
    midnight = local("2025-08-30T00:00").astimezone(UTC)
    known = {"occurred_at": midnight, "occurred_precision": Precision.DAY}
    case = folded([event.model_copy(update=known)])
    clock = the("written_reply", list(clocks(case, CLOCKWORK, RECEIVED_AT)))
    assert clock.due_at == local("2025-09-07T00:00") - LAST_OF


@pytest.mark.parametrize(
    ("received_at", "days", "due"),
    [
        ("2026-03-28T01:30", 1, "2026-03-29T23:59:59.999999"),  # 23 hours long
        ("2026-10-24T02:30", 1, "2026-10-25T23:59:59.999999"),  # 25
        ("2028-02-28T12:00", 1, "2028-02-29T23:59:59.999999"),  # a leap day
        ("2026-03-31T23:59", 0, "2026-03-31T23:59:59.999999"),  # the same day
    ],
)
def test_days_are_days_of_the_calendar(received_at: str, days: int, due: str) -> None:
    by = clocks_by(reply(within={"days": days}), zone=BERLIN)
    at = datetime.fromisoformat(received_at).replace(tzinfo=BERLIN)
    (event,) = enveloped(received())
    case = folded([event.model_copy(update={"occurred_at": at, "recorded_at": at})])
    found = next_due(case, by)
    assert found is not None
    assert found.at == datetime.fromisoformat(due).replace(tzinfo=BERLIN)


def test_a_promise_is_due_when_it_says_and_a_later_one_moves_none() -> None:  # S61
    promised = [RECEIVED_AT + 2 * DAY, RECEIVED_AT + 5 * DAY]
    told = [past(an(ReceiptAcknowledged, expected_at=at), AGENT) for at in promised]
    found = of("promise", run(*received(), *told, after=3 * DAY))
    assert [clock.due_at for clock in found] == promised
    assert [clock.state for clock in found] == ["breached", "running"]


# What starts and what stops it


def test_no_dispute_pauses_the_written_reply() -> None:  # S64
    plain = the("written_reply", run(*proposed()))
    back = past(an(SettlementReturned), QUALITY, after=2 * DAY)
    disputed = the("written_reply", run(*proposed(), back, back))
    assert disputed.due_at == plain.due_at
    assert the("written_reply", run(*proposed(), back, after=9 * DAY)).state == (
        "breached"
    )


def test_another_department_gets_its_own_time_to_sign_and_nothing_else_moves() -> None:
    """S57; the department that lost it owes nothing, and was not late."""
    before = run(*assigned())
    to = DepartmentAssigned.model_validate({"department": "logistics"})
    after = run(*assigned(), past(to, AGENT, after=2 * HOUR))
    assert [(c.holder, c.state) for c in of("sign_for", after)] == [
        ("quality", "ended"),
        ("logistics", "running"),
    ]
    fresh = of("sign_for", after)[1]
    assert fresh.started_at == START + 5 * HOUR
    for code in ("ack", "first_response", "written_reply", "statutory", "dispatch"):
        assert the(code, after).due_at == the(code, before).due_at


def test_who_lost_a_case_too_late_was_late() -> None:
    to = DepartmentAssigned.model_validate({"department": "logistics"})
    found = run(*assigned(), past(to, AGENT, after=5 * DAY))
    assert of("sign_for", found)[0].state == "breached"


def test_the_time_to_investigate_is_that_of_the_department_that_signed() -> None:
    to = DepartmentAssigned.model_validate({"department": "logistics"})
    sign = AssignmentAccepted(department="logistics")
    found = run(*signed(), past(to, AGENT), past(sign, LOGISTICS))
    assert [(c.holder, c.state) for c in of("unit_feedback", found)] == [
        ("quality", "ended"),
        ("logistics", "running"),
    ]


def test_a_return_is_an_answer_and_starts_the_dispatch_anew() -> None:
    back = an(AssignmentReturned, department="quality", role=AssignmentRole.LEAD)
    found = run(*assigned(), past(back, QUALITY))
    assert the("sign_for", found).state == "met"
    assert [clock.state for clock in of("dispatch", found)] == ["met", "running"]


def test_who_is_asked_to_contribute_signs_too_and_stops_nobody_elses_clock() -> None:
    asked, accepts = joined()
    found = of("sign_for", run(*assigned(), asked))
    assert [clock.holder for clock in found] == ["quality", "logistics"]
    found = of("sign_for", run(*assigned(), asked, accepts))
    assert [clock.state for clock in found] == ["running", "met"]
    assert of("unit_feedback", run(*assigned(), asked, accepts)) == []
    to = DepartmentAssigned.model_validate({"department": "production"})
    found = of("sign_for", run(*assigned(), asked, past(to, AGENT)))
    assert [clock.state for clock in found] == ["ended", "running", "running"]


def test_to_ask_for_a_contribution_is_not_to_assign_the_case() -> None:
    asked, _ = joined()
    assert the("dispatch", run(*accepted(), asked)).state == "running"
    assert the("dispatch", run(*assigned())).state == "met"


def test_what_runs_is_not_started_again() -> None:
    by = clocks_by(reply(starts=["ComplaintReceived", "ComplaintAccepted"]))
    (clock,) = run(*accepted(), by=by)
    assert clock.started_at == RECEIVED_AT


def test_an_appeal_has_a_clock_of_its_own() -> None:
    appeal = past(an(ComplaintAppealed, level=1), CUSTOMER, after=DAY)
    plain, found = run(*replied()), run(*replied(), appeal)
    assert the("appeal_decision", found).started_at == START + 8 * HOUR + DAY
    for code in ("written_reply", "statutory"):
        assert the(code, found).state == the(code, plain).state == "met"
        assert the(code, found).due_at == the(code, plain).due_at
    dismissed = past(an(AppealDismissed), AGENT)
    answered = run(*replied(), appeal, dismissed)
    assert the("appeal_decision", answered).state == "met"


def test_a_reopened_case_owes_another_reply_and_keeps_what_the_first_was() -> None:
    again = past(an(ComplaintReopened), AGENT, after=30 * DAY)
    first, second = of("written_reply", run(*resolved(), again))
    assert (first.state, second.state) == ("met", "running")
    assert second.started_at == START + 10 * HOUR + 30 * DAY
    assert the("follow_up", run(*resolved(), again)).state == "breached"


def test_after_a_result_somebody_asks_how_it_went() -> None:  # S104
    clock = the("follow_up", run(*resolved()))  # on Tuesday, 02:30
    assert clock.due_at == local("2025-09-05T18:00")
    called = past(an(FollowUpAttempted), AGENT)
    assert the("follow_up", run(*resolved(), called)).state == "met"


def test_who_refuses_an_offer_is_owed_another_reply() -> None:  # S63, S91
    back = past(an(SettlementReturned), QUALITY, after=DAY)
    first, second = of("written_reply", run(*refused(), back, after=DAY))
    assert (first.state, second.state) == ("met", "running")
    assert second.started_by.type == "SettlementRefused"
    assert second.holder == "quality"
    assert the("closing", run(*refused())).state == "met"


def test_what_was_agreed_is_owed_until_it_is_done() -> None:  # S66
    clock = the("execution", run(*agreed()))
    assert (clock.state, clock.holder) == ("running", "quality")
    assert the("execution", run(*agreed(), after=17 * DAY)).state == "breached"
    assert the("execution", run(*resolved())).state == "met"


def test_a_silent_customers_case_is_to_be_closed_as_soon_as_it_can_be() -> None:  # S105
    window = DEFAULT_POLICY.answer_window
    for history in (replied(), dismissed(), resolved()):
        told = enveloped(history)[-1].recorded_at
        *_, clock = of("closing", run(*history))
        assert clock.holder == "front-office"
        assert told + window < clock.due_at < told + window + 2 * DAY
    called = past(an(FollowUpAttempted), AGENT)
    assert of("closing", run(*resolved(), called))[-1].state == "running"
    assert of("closing", run(*closed()))[-1].state == "met"


def test_what_ended_is_owed_by_nobody() -> None:
    withdrawn = past(an(ComplaintWithdrawn), CUSTOMER)
    found = run(*assigned(), withdrawn)
    assert {clock.state for clock in found} == {"ended", "met"}
    assert all(clock.stopped_at for clock in found)
    assert {clock.state for clock in run(*declined())} == {"met"}


# Which rule


def test_the_graver_the_sooner() -> None:
    feedback = {
        severity: the("unit_feedback", run(*_signed(severity))).due_at
        for severity in ("minor", "major", "serious", "critical")
    }
    assert sorted(feedback, key=feedback.__getitem__) == [
        "critical",
        "serious",
        "major",
        "minor",
    ]
    dispatch = the("dispatch", run(*accepted(severity="critical")))
    assert dispatch.due_at - dispatch.started_at == HOUR


def _signed(severity: str) -> tuple[Past, ...]:
    sign = past(AssignmentAccepted(department="quality"), QUALITY)
    return (*assigned(severity=severity), sign)


def test_a_version_is_for_the_cases_that_were_recorded_after_it() -> None:
    """A case goes on as it began, unless the new rule is for the earlier ones too."""
    old = reply(effective_to=RECEIVED_AT.isoformat())
    new = reply(within={"days": 3}, effective_from=RECEIVED_AT.isoformat())
    by = clocks_by(_read(old), _read(new))
    assert _days(run(*received(), by=by)) == 3
    (event,) = enveloped(received())
    before = {"recorded_at": event.recorded_at - LAST_OF}
    earlier = folded([event.model_copy(update=before)])
    assert _days(list(clocks(earlier, by, RECEIVED_AT))) == 7
    both = clocks_by(_read(old), _read(new | {"retroactive": True}))
    assert _days(list(clocks(earlier, both, RECEIVED_AT))) == 3


def _read(rule: dict[str, Any]) -> dict[str, Any]:
    """Give instants as a document in TOML has them."""
    return {
        name: datetime.fromisoformat(value) if name.startswith("effective") else value
        for name, value in rule.items()
    }


def _days(found: list[Clock]) -> int:
    (clock,) = found
    return (clock.due_at - clock.started_at).days


def test_the_reply_may_count_from_acceptance() -> None:  # X3
    by = clocks_by(reply(starts=["ComplaintAccepted"]))
    assert run(*received(), by=by) == []
    (clock,) = run(*accepted(), by=by)
    assert clock.started_at == START + 2 * HOUR


def test_who_owes_it() -> None:
    holders = {clock.code: clock.holder for clock in run(*signed())}
    assert holders == {
        "ack": "front-office",
        "first_response": "front-office",
        "dispatch": "front-office",
        "sign_for": "quality",
        "unit_feedback": "quality",
        "written_reply": "quality",
        "statutory": "quality",
    }
    assert the("written_reply", run(*received())).holder == "front-office"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"starts": ["ComplaintForgotten"]}, "no such event: ComplaintForgotten"),
        ({"stops": []}, "at least 1"),
        ({"within": {}}, "give one of"),
        ({"within": {"days": 1, "hours": 1}}, "give one of"),
        ({"within": {"hours": 0}}, "greater than or equal to 1"),
        ({"within": {"working_days": 1}}, "needs a calendar"),
        ({"within": {"working_days": 1}, "calendar": "nights"}, "add nights"),
        ({"within": {"stated": "expected_at"}}, "only ReceiptAcknowledged"),
        ({"contributors": True}, "only where a unit owes it"),
        ({"category": "nowhere"}, "add nowhere"),
        ({"soon": True}, "not permitted"),
        (
            {
                "effective_from": datetime(2026, 1, 2, tzinfo=UTC),
                "effective_to": datetime(2026, 1, 1, tzinfo=UTC),
            },
            "must lie behind",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_told_by_its_place(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(MalformedError) as refused:
        policy_with(reply(), reply(**changes))
    (fault,) = refused.value.errors
    assert told in fault.message
    assert fault.field in ("policy", "clocks.1") or fault.field.startswith("clocks.1.")


def test_two_calendars_of_one_name_are_told() -> None:
    document = DEFAULT_POLICY.model_dump()
    twice = {**document, "calendars": 2 * document["calendars"]}
    with pytest.raises(MalformedError) as refused:
        parse_policy(twice)
    assert "calendars: a code is used twice" in refused.value.errors[0].message


# Derived, and nothing else


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_due_next_is_the_earliest_that_runs(stage: str) -> None:
    events = enveloped(STAGES[stage])
    case = folded(events)
    running = [c for c in clocks(case, CLOCKWORK, events[-1].recorded_at) if c.running]
    expected = min(((c.due_at, c.code) for c in running), default=None)
    assert next_due(case, CLOCKWORK) == expected


@pytest.mark.parametrize("stage", STAGES)
def test_of_every_open_case_some_unit_owes_something(stage: str) -> None:
    """So none can lie for ever; random lives show the same in test_case_life."""
    events = enveloped(STAGES[stage])
    case = folded(events)
    running = [c for c in clocks(case, CLOCKWORK, events[-1].recorded_at) if c.running]
    assert bool(running) == (case.state in OPEN)
    assert {clock.holder for clock in running} <= set(DEFAULT_POLICY.departments)


def test_rules_calendars_and_zone_have_an_edition() -> None:
    plain = clocks_by(reply())
    others = (
        clocks_by(reply(within={"days": 8})),
        clocks_by(reply(), zone=BERLIN),
        clocks_by(reply(), reply(severity="major")),
    )
    assert plain.edition == clocks_by(reply()).edition
    assert len({plain.edition, *(each.edition for each in others)}) == 4


# Imported cases


def imported(*facts: tuple[str, dict[str, Any]]) -> Any:
    """Fold a history that came from elsewhere, recorded a year later."""
    history = [past(an(ComplaintReceived), CUSTOMER)]
    history += [past(an(ComplaintResolved), AGENT) for _ in facts]
    known = [{}, *(stated for _, stated in facts)]
    return folded(
        event.model_copy(
            update={
                "origin": Origin.MIGRATION,
                "recorded_at": event.recorded_at + 365 * DAY,
                **changes,
            }
        )
        for event, changes in zip(enveloped(history), known, strict=True)
    )


def test_an_imported_case_has_no_clocks() -> None:
    case = imported()
    assert clocks(case, CLOCKWORK, RECEIVED_AT) == ()
    assert next_due(case, CLOCKWORK) is None


def test_what_our_clocks_would_say_goes_by_the_stated_times() -> None:
    """Only from receipt to answer: nothing else is stated of the other clocks."""
    answered = imported(("resolved", {"occurred_at": RECEIVED_AT + 8 * DAY}))
    now = RECEIVED_AT + 400 * DAY
    found = {clock.code: clock for clock in what_if(answered, CLOCKWORK, now)}
    assert {code: clock.state for code, clock in found.items()} == {
        "written_reply": "breached",
        "statutory": "met",
    }
    assert found["statutory"].stopped_at == RECEIVED_AT + 8 * DAY
    waiting = what_if(imported(), CLOCKWORK, RECEIVED_AT + DAY)
    assert {clock.state for clock in waiting} == {"running"}
    live = folded(enveloped(received()))
    assert what_if(live, CLOCKWORK, now) == ()


def test_where_no_answer_is_stated_the_end_of_the_case_is_one() -> None:
    """Boston closes its requests, and says no more."""
    history = [past(an(ComplaintReceived), CUSTOMER), past(an(ComplaintClosed), AGENT)]
    case = folded(
        event.model_copy(update={"origin": Origin.MIGRATION})
        for event in enveloped(history)
    )
    found = what_if(case, CLOCKWORK, RECEIVED_AT + 400 * DAY)
    assert {clock.state for clock in found} == {"met"}


def test_an_answer_without_a_date_is_met_by_nobodys_guess() -> None:
    """But what was answered no earlier than after the end is late for certain."""

    def states(after: timedelta) -> set[str]:
        case = imported(
            (
                "resolved",
                {
                    "occurred_at": RECEIVED_AT + after,
                    "occurred_precision": Precision.NOT_BEFORE,
                },
            )
        )
        return {c.state for c in what_if(case, CLOCKWORK, RECEIVED_AT + 400 * DAY)}

    assert states(DAY) == {"unknown"}
    assert states(61 * DAY) == {"breached"}
