"""No sequence of commands leaves the graph of domain.md 6.3 or breaks what guards promise."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from events import codec
from events.catalogue import (
    EVENTS,
    AssignmentReturned,
    ComplaintAccepted,
    DecisionIssued,
    DepartmentAssigned,
    Remedy,
    StatementConfirmed,
)
from events.envelope import Actor, Envelope, Event
from events.vocabulary import DocumentKind, RemedyKind, State
from services.handling.domain.case import Case
from services.handling.domain.clocks import next_due
from services.handling.domain.commands import COMMANDS, Command
from services.handling.domain.decisions import available, decide
from services.handling.domain.decisions.rules import OPEN
from services.handling.domain.evolution import evolve
from services.handling.domain.policy import Policy
from services.kernel.errors import ForbiddenError, RefusedError
from tests.support.case_graph import (
    ACTORS,
    ASIDE,
    TRANSITIONS,
    check_transition,
)
from tests.support.given import (
    AGENT,
    DEFAULT_POLICY,
    HOUR,
    STAGES,
    START,
    Past,
    agreed,
    appealed,
    dismissed,
    doc,
    envelope,
    enveloped,
    event_id,
    folded,
    money,
    past,
    received,
    resolved,
)
from tests.support.minimal_commands import minimal_commands
from tests.support.promises import PROMISES
from tests.support.timing import CLOCKWORK

# Chance decides what it reaches: the report counts the tests of single cases alone.
pytestmark = pytest.mark.no_cover

POLICY: Final = DEFAULT_POLICY.model_copy(
    update={
        "departments": (
            *DEFAULT_POLICY.departments,
            *(f"unit-{number}" for number in range(60)),
        )
    }
)
"""The default with so many departments that there is always one more to ask."""
CONFIRMED: Final = POLICY.model_copy(update={"require_confirmed_statement": True})
WITHOUT_BODY: Final = POLICY.model_copy(update={"outside_body": None})

REMEDIES = st.lists(
    st.builds(
        Remedy,
        kind=st.sampled_from(RemedyKind),
        amount=st.sampled_from(
            [None, money("10.00"), money("5000.00"), money("9.00", "EUR")]
        ),
    ),
    max_size=2,
).map(tuple)

CHANGES: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "acknowledge": {"expected_at": st.just(START)},
    "dismiss-appeal": {"outside_body": st.sampled_from([None, "ombudsman"])},
    "add-evidence": {"document": st.just(doc(DocumentKind.DESIRED_OUTCOME))},
    "confirm-statement": {"restated": st.none()},
    "appeal": {"contested_event_id": st.integers(8, 10).map(event_id)},
    "correct": {
        "target_event_id": st.integers(1, 12).map(event_id),
        "correction": st.sampled_from(
            [
                {"field": "mood", "value": "bad"},
                {"field": "category", "value": "a//b"},
                {"field": "category", "value": "service"},
            ]
        ),
    },
    "accept": {
        "complaint_class": st.sampled_from(["grievance", "claim", "market"]),
        "category": st.sampled_from(
            ["product/safety", "contract/price", "billing", "nowhere"]
        ),
        "scope_kind": st.integers(1, 6),
        "severity": st.sampled_from([None, "minor", "critical"]),
        "contract": st.sampled_from([None, doc(DocumentKind.CONTRACT)]),
        "first_contact": st.booleans(),
    },
    "assign": {
        "department": st.sampled_from(
            [None, "quality", "logistics", "production", "gm-office", "nowhere"]
        ),
        "role": st.sampled_from(["lead", "contributor"]),
    },
    "investigate": {
        "facts_match": st.sampled_from(["yes", "no", "partly"]),
        "root_cause": st.sampled_from(
            [
                {"path": "unknown", "confidence": "possible"},
                {"path": "seal", "confidence": "possible"},
            ]
        ),
        "responsible_unit": st.sampled_from(["quality", "external", "nowhere"]),
        "systemic": st.booleans(),
    },
    "propose": {"remedies": REMEDIES, "improvement": st.none()},
    "issue": {"medium": st.sampled_from(["letter", "phone"])},
    "resolve": {
        "remedies": REMEDIES,
        "outcome": st.sampled_from([None, "goodwill"]),
        "agreement": st.none(),
    },
    "follow-up": {"result": st.sampled_from(["reached", "no_answer"])},
    "rate": {
        "score": st.integers(1, 5),
        "about": st.sampled_from(["outcome", "process"]),
    },
}
"""What may differ from the least that a command needs."""


RESOLVED_LATE: Final = (
    *agreed(),
    past(resolved()[-1].data, AGENT, after=timedelta(days=181)),
)
"""The decision may no longer be appealed against, the result may."""
APPEALED_AGAIN: Final = appealed(level=2, history=dismissed())
"""One of the reviewers has decided before."""


class CaseLife(RuleBasedStateMachine):
    """Random commands by random people, mostly such as are on offer."""

    case: Case
    policy: Policy
    history: list[Envelope[Event]]

    @initialize(
        history=st.sampled_from([*STAGES.values(), RESOLVED_LATE, APPEALED_AGAIN]),
        asked=st.booleans(),
        policy=st.sampled_from([POLICY, POLICY, WITHOUT_BODY, CONFIRMED]),
    )
    def begin(self, history: tuple[Past, ...], asked: bool, policy: Policy) -> None:
        """Begin anywhere, so that late commands come as often as early ones."""
        self.policy = policy
        silent = received(demand=(), desired_outcome=None)
        self.history = enveloped(history if asked else (*silent, *history[1:]))
        self.case = folded(self.history)
        self.now = self.history[-1].recorded_at

    @rule(data=st.data(), after=st.sampled_from([1, 1, 1, 24, 24 * 57, 24 * 181]))
    def do_what_is_offered(self, data: st.DataObject, after: int) -> None:
        self.now += after * HOUR
        offers = [
            (actor, name)
            for actor in ACTORS
            for name in available(self.case, actor, self.policy, self.now)
        ]
        moving = [each for each in offers if each[1] not in ASIDE]
        if moving:
            offers = data.draw(st.sampled_from([offers, moving, moving, moving]))
        if offers:
            self.give(data, *data.draw(st.sampled_from(offers)))

    @rule(
        data=st.data(),
        actor=st.sampled_from(ACTORS),
        name=st.sampled_from(list(COMMANDS)),
    )
    def do_anything(self, data: st.DataObject, actor: Actor, name: str) -> None:
        self.now += HOUR
        self.give(data, actor, name)

    def give(self, data: st.DataObject, actor: Actor, name: str) -> None:
        command = minimal_commands(self.case, self.policy, self.now)[name]
        fields = CHANGES.get(name, {})
        changed = data.draw(some_of(fields)) if fields else ()
        changes = {field: data.draw(fields[field]) for field in sorted(changed)}
        command = type(command).model_validate({**dict(command), **changes})
        try:
            decided = decide(
                self.case, command, actor=actor, now=self.now, policy=self.policy
            )
        except (RefusedError, ForbiddenError):
            return
        check_decision(command, decided, self.policy)
        if self.policy.require_confirmed_statement and name == "propose":  # S44
            assert any(isinstance(e.data, StatementConfirmed) for e in self.history)
        for event in decided:
            self.happen(event, actor)

    def happen(self, event: Event, actor: Actor) -> None:
        before = self.case
        new = envelope(event, actor, before.version + 1, self.now)
        self.history.append(new)
        self.case = evolve(before, new)
        check_transition(before.state, event, self.case.state)
        for promise in PROMISES:
            promise(self.history[:-1], new)

    @invariant()
    @precondition(lambda self: hasattr(self, "case"))
    def offers_are_kept_and_nothing_else_is(self) -> None:
        commands = minimal_commands(self.case, self.policy, self.now)
        for actor in ACTORS:
            offered = available(self.case, actor, self.policy, self.now)
            done = [
                name
                for name, command in commands.items()
                if leads_to_events(self.case, command, actor, self.now, self.policy)
            ]
            assert list(offered) == done, actor

    @invariant()
    @precondition(lambda self: hasattr(self, "case"))
    def somebody_owes_something_until_the_case_ends(self) -> None:
        """No open case can lie for ever without becoming late."""
        owed = next_due(self.case, CLOCKWORK) is not None
        assert owed == (self.case.state in OPEN), self.case.state

    def teardown(self) -> None:
        if hasattr(self, "case"):
            assert [each.version for each in self.history] == list(
                range(1, self.case.version + 1)
            )
            stored = [codec.decode(codec.encode(each)) for each in self.history]
            assert folded(stored) == self.case


def some_of(fields: Collection[str]) -> st.SearchStrategy[set[str]]:
    """Mostly one, so that one guard alone is asked."""
    one = st.sampled_from(sorted(fields))
    return st.one_of(one.map(lambda name: {name}), st.sets(one))


def leads_to_events(
    case: Case, command: Command, actor: Actor, now: Any, policy: Policy
) -> bool:
    try:
        return bool(decide(case, command, actor=actor, now=now, policy=policy))
    except (RefusedError, ForbiddenError):
        return False


def check_decision(
    command: Command, decided: tuple[Event, ...], policy: Policy
) -> None:
    """Check what the events alone do not say."""
    for event in decided:
        if isinstance(event, ComplaintAccepted):  # S96
            grave = event.severity in {"serious", "critical"}
            claim = event.complaint_class == "claim"
            assert not (command.first_contact and (grave or claim))  # type: ignore[attr-defined]
        if isinstance(event, AssignmentReturned) and event.role == "lead":  # S57
            to = [e.department for e in decided if isinstance(e, DepartmentAssigned)]
            assert to == (["gm-office"] if event.count >= policy.max_returns else [])
        if isinstance(event, DecisionIssued) and event.level >= 2:  # S116
            assert policy.outside_body is not None


TestCaseLife = CaseLife.TestCase
# An example is a whole life, looked at after every step: half as many prove as much.
TestCaseLife.settings = settings(max_examples=settings().max_examples // 2)


# Every event and every transition is reached by commands alone.

TO_INVESTIGATED = "accept:agent sign-for:quality investigate:quality"
ANSWERED = "propose:quality approve:manager issue:agent"
TO_REPLIED = f"{TO_INVESTIGATED} {ANSWERED}"
TO_RESOLVED = f"{TO_REPLIED} agree:customer resolve:agent"
TO_CLOSED = f"{TO_RESOLVED} rate:customer close:agent"
REVIEWED = "appeal:customer accept-appeal:reviewer investigate:reviewer"

STORIES: Final = (
    f"acknowledge:agent add-evidence:customer {TO_RESOLVED} follow-up:agent",
    f"confirm-statement:agent confirm-statement:customer {TO_RESOLVED}",
    f"{TO_CLOSED} reopen:agent assign:agent",
    f"{TO_CLOSED} correct:agent {REVIEWED} {ANSWERED} agree:customer resolve:agent",
    f"{TO_CLOSED} {REVIEWED} {ANSWERED} appeal:customer dismiss-appeal:reviewer-2",
    f"{TO_RESOLVED} appeal:customer",
    f"{TO_RESOLVED} reopen:agent investigate:quality propose:agent send-back:head",
    f"{TO_REPLIED} refuse:customer send-back:agent",
    f"{TO_REPLIED} lapse:clock close:clock",
    f"{TO_REPLIED} {REVIEWED}",
    "decline:agent appeal:customer dismiss-appeal:reviewer",
    "accept:agent return:quality assign:agent",
    "accept-at-once:agent resolve:agent",
    "withdraw:customer",
    "accept-at-once:agent withdraw:customer",
    "accept:agent withdraw:customer",
    "accept:agent sign-for:quality withdraw:customer",
    f"{TO_INVESTIGATED} withdraw:customer",
    f"{TO_INVESTIGATED} propose:quality withdraw:customer",
    f"{TO_INVESTIGATED} propose:quality approve:manager withdraw:customer",
    f"{TO_REPLIED} withdraw:customer",
    f"{TO_REPLIED} agree:customer withdraw:customer",
    f"{TO_RESOLVED} withdraw:customer",
    f"{TO_REPLIED} appeal:customer withdraw:customer",
)


def told(story: str) -> Iterator[tuple[State, Event, State]]:
    """Give each command in turn; what it leads to is what happens."""
    case = folded(enveloped(received()))
    now = case.received_at + timedelta(days=1)
    actors = {actor.id: actor for actor in ACTORS}
    for step in story.split():
        name, who = step.split(":")
        now += HOUR
        if name == "lapse":
            now += POLICY.answer_window
            continue
        commands = minimal_commands(case, POLICY, now)
        at_once = commands["accept"].model_copy(update={"first_contact": True})
        command = {**commands, "accept-at-once": at_once}[name]
        decided = decide(case, command, actor=actors[who], now=now, policy=POLICY)
        assert decided, step
        for event in decided:
            before = case
            case = evolve(case, envelope(event, actors[who], before.version + 1, now))
            yield before.state, event, case.state


def test_commands_reach_every_event_and_every_transition():
    steps = [step for story in STORIES for step in told(story)]
    for before, event, after in steps:
        check_transition(before, event, after)
    reached = {type(event) for _, event, _ in steps}
    not_by_command = {"ComplaintReceived", "DeadlineStated", "SubjectErased"}
    assert {event.__name__ for event in reached} == EVENTS.keys() - not_by_command
    walked = {(before, type(event).__name__, after) for before, event, after in steps}
    unreachable = {("EXTERNAL", "ComplaintWithdrawn", "WITHDRAWN")}
    assert TRANSITIONS - walked == unreachable


def test_evolution_gives_the_same_case_every_time():
    history = enveloped(received())
    assert folded(history) == folded(history)
    assert folded(history)._replace(level=1) != folded(history)
