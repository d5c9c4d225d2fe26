"""The catalogue is whole, speaks codes only, and says where each event leads."""

import inspect
import re
from enum import Enum
from typing import Any

import pytest

from events import catalogue, vocabulary
from events.catalogue import (
    EVENTS,
    AssignmentAccepted,
    AssignmentReturned,
    ComplaintReceived,
    DepartmentAssigned,
    FollowUpAttempted,
)
from events.envelope import Event, Heading, envelope_type
from events.examples import EXAMPLES
from events.vocabulary import (
    AssignmentReason,
    AssignmentRole,
    Audience,
    FollowUpResult,
    Medium,
    ReturnReason,
    State,
)

# domain.md 6.3, restricted to the events that there are.
TRANSITIONS = """
    ComplaintReceived RECEIVED · ComplaintAccepted ACCEPTED ·
    ComplaintDeclined DECLINED · DepartmentAssigned ASSIGNED ·
    AssignmentAccepted INVESTIGATING · AssignmentReturned ACCEPTED ·
    ComplaintInvestigated INVESTIGATED · SettlementProposed PROPOSED ·
    SettlementApproved APPROVED · SettlementReturned INVESTIGATED ·
    DecisionIssued REPLIED · SettlementAgreed IMPLEMENTING ·
    SettlementRefused PROPOSED · ComplaintResolved RESOLVED ·
    ComplaintClosed CLOSED · ComplaintAppealed APPEALED ·
    AppealAccepted INVESTIGATING · AppealDismissed REPLIED ·
    ComplaintReopened INVESTIGATING · ComplaintWithdrawn WITHDRAWN
"""
LEAD, CONTRIBUTOR = AssignmentRole.LEAD, AssignmentRole.CONTRIBUTOR


def test_every_event_class_is_in_the_catalogue():
    defined = [
        it
        for it in vars(catalogue).values()
        if inspect.isclass(it) and issubclass(it, Event) and it is not Event
    ]
    assert list(EVENTS.values()) == defined
    assert list(EVENTS) == [event.__name__ for event in defined]
    assert len(EVENTS) == 28


@pytest.mark.parametrize("event", EVENTS.values())
def test_every_event_says_what_it_is_and_who_may_see_it(event: type[Event]):
    assert event.__doc__
    assert event.__doc__.endswith(".")
    assert re.fullmatch(r"[\u4e00-\u9fff]{2,12}", event.zh)
    assert isinstance(event.audience, Audience)
    assert event.schema_version >= 1


def test_no_two_events_share_a_term():
    assert len({event.zh for event in EVENTS.values()}) == len(EVENTS)


def test_events_lead_where_the_state_graph_says():
    expected = dict(pair.split() for pair in TRANSITIONS.split("·"))
    leads = {
        name: str(event.leads_to) for name, event in EVENTS.items() if event.leads_to
    }
    assert leads == expected


def test_an_event_that_leads_nowhere_leaves_the_state():
    call = FollowUpAttempted(
        attempt=1, result=FollowUpResult.NO_ANSWER, medium=Medium.PHONE
    )
    assert call.state_after(State.RESOLVED) is State.RESOLVED


def test_the_first_event_needs_no_state():
    received = EXAMPLES["ComplaintReceived"].data
    assert isinstance(received, ComplaintReceived)
    assert received.state_after(None) is State.RECEIVED


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (DepartmentAssigned, {"reason": AssignmentReason.MANUAL}),
        (AssignmentAccepted, {}),
        (AssignmentReturned, {"reason": ReturnReason.NOT_OURS, "count": 1}),
    ],
)
def test_only_the_lead_department_moves_the_case(
    event: type[Event], fields: dict[str, Any]
):
    def state(role: AssignmentRole) -> State | None:
        data = event(department="quality", role=role, **fields)
        return data.state_after(State.INVESTIGATED)

    assert state(LEAD) is event.leads_to
    assert state(CONTRIBUTOR) is State.INVESTIGATED


def faults(node: Any, place: str) -> list[str]:
    """Every place of a JSON Schema where text that people wrote would fit."""
    if isinstance(node, list):
        return [
            fault
            for n, each in enumerate(node)
            for fault in faults(each, f"{place}.{n}")
        ]
    if not isinstance(node, dict):
        return []
    found = [
        fault
        for name, each in node.items()
        for fault in faults(each, f"{place}.{name}")
    ]
    bound = {"pattern", "enum", "const", "format", "maxLength"} & node.keys()
    if node.get("type") == "string" and not bound:
        found.append(place)
    open_map = node.get("type") == "object" and "properties" not in node
    if open_map and not {"patternProperties", "propertyNames"} & node.keys():
        found.append(place)
    return found


@pytest.mark.parametrize("event", EVENTS.values())
def test_no_event_has_room_for_words(event: type[Event]):
    schema = envelope_type(event).model_json_schema()
    assert not faults(schema, event.__name__)


def test_the_search_for_room_finds_it():
    class Gossip(Event):
        said: str
        about: dict[str, int]

    assert faults(Gossip.model_json_schema(), "Gossip") == [
        "Gossip.properties.said",
        "Gossip.properties.about",
    ]


@pytest.mark.parametrize("event", [Heading, *EVENTS.values()])
def test_strings_with_a_pattern_hold_no_blank(event: type[Event]):
    text = str(event.model_json_schema())
    for pattern in re.findall(r"'pattern': '([^']+)'", text):
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not re.search(r" |\\s|\\S|\\w|\[\^|(?<!\\)\.[*+]", pattern), pattern


def test_every_word_is_a_code():
    lists = [
        it
        for it in vars(vocabulary).values()
        if inspect.isclass(it) and it.__module__ == vocabulary.__name__
    ]
    for words in lists:
        assert issubclass(words, Enum)
        assert words.__doc__
        for word in words:
            assert re.fullmatch(r"[A-Za-z0-9_]+", str(word.value))


def test_a_decline_never_rests_on_manner():
    """S42: one may disagree with the content, never with the manner."""
    manner = {"rude", "abusive", "tone", "manner", "vexatious", "language"}
    assert not manner & {reason.value for reason in vocabulary.DeclineReason}
