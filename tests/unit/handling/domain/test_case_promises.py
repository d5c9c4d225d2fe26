"""One step from every stage, by everybody, with every single change: no guard is silent.

The random walk goes far and seldom stands where one guard alone says no; this goes one
step, and stands everywhere. What is decided must keep `tests.support.promises`.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from events.envelope import Actor
from events.vocabulary import DocumentKind
from services.handling.domain.decisions import decide
from services.kernel.errors import ForbiddenError, RefusedError
from tests.support.given import (
    AGENT,
    AUDITOR,
    CLOCK,
    CUSTOMER,
    DEFAULT_POLICY,
    GENERAL_MANAGER,
    GM_OFFICE,
    HEAD,
    HOUR,
    LOGISTICS,
    MANAGER,
    QUALITY,
    REVIEWER,
    REVIEWER_2,
    STAGES,
    Past,
    agreed,
    appealed,
    approved,
    declined,
    dismissed,
    doc,
    envelope,
    enveloped,
    event_id,
    folded,
    past,
    proposed,
    received,
    refund,
    refused,
    resolved,
)
from tests.support.minimal_commands import minimal_commands
from tests.support.promises import PROMISES

ACTORS: Final = (
    *(AGENT, AUDITOR, CLOCK, CUSTOMER, GENERAL_MANAGER, GM_OFFICE, HEAD, LOGISTICS),
    *(MANAGER, QUALITY, REVIEWER, REVIEWER_2),
)
LATER: Final = tuple(timedelta(days=days) for days in (0, 57, 181))
SILENT: Final = received(demand=(), desired_outcome=None)
PLACES: Final[dict[str, tuple[Past, ...]]] = {
    **STAGES,
    **{f"{name}, unasked": (*SILENT, *history[1:]) for name, history in STAGES.items()},
    "proposed by the head": proposed(by=HEAD),
    "proposed by the manager": proposed(by=MANAGER),
    "proposed much": proposed(refund("5000.00")),
    "proposed for a third party": proposed(responsible_unit="external"),
    "appealed again": appealed(level=2, history=dismissed()),
    "declined and dismissed": dismissed(history=declined()),
    "refused twice": (*refused(), *approved()[-2:], *refused(count=2)[-2:-1]),
    "resolved late": (
        *agreed(),
        past(resolved()[-1].data, AGENT, after=timedelta(days=181)),
    ),
}
CHANGES: Final[dict[str, list[dict[str, Any]]]] = {
    "acknowledge": [{"expected_at": datetime.fromisoformat("2000-01-01T00:00:00Z")}],
    "accept": [
        {"complaint_class": "claim"},
        {"category": "product/safety", "severity": "minor"},
        {"category": "nowhere"},
        {"category": "contract/price"},
    ],
    "assign": [{"department": "nowhere"}, {"role": "contributor"}],
    "investigate": [
        {"root_cause": {"path": "unknown", "confidence": "possible"}},
        {"root_cause": {"path": "seal", "confidence": "possible"}},
        {"responsible_unit": "nowhere"},
    ],
    "propose": [{"improvement": None}, {"remedies": [{"kind": "refund"}]}],
    "issue": [{"medium": "phone"}],
    "resolve": [
        {"agreement": None},
        {"outcome": "goodwill"},
        {"remedies": [{"kind": "refund"}]},
        {"remedies": [{"kind": "apology"}]},
    ],
    "add-evidence": [{"document": doc(DocumentKind.DESIRED_OUTCOME)}],
    "rate": [{"score": 1}],
    "appeal": [{"contested_event_id": event_id(number)} for number in (1, 8, 10)],
    "correct": [
        {"target_event_id": event_id(99)},
        {"correction": {"field": "mood", "value": "bad"}},
        {"correction": {"field": "category", "value": "a//b"}},
    ],
}


def steps(history: tuple[Past, ...], actor: Actor) -> Any:
    """Give every command that is decided, with what it leads to."""
    events = enveloped(history)
    case = folded(events)
    for later in LATER:
        now = events[-1].recorded_at + HOUR + later
        for name, least in minimal_commands(case, DEFAULT_POLICY, now).items():
            for change in ({}, *CHANGES.get(name, ())):
                command = type(least).model_validate({**dict(least), **change})
                try:
                    decided = decide(
                        case, command, actor=actor, now=now, policy=DEFAULT_POLICY
                    )
                except (RefusedError, ForbiddenError):
                    continue
                yield events, decided, now


@pytest.mark.parametrize("place", PLACES)
def test_one_step_keeps_every_promise(place: str):
    for actor in ACTORS:
        for events, decided, now in steps(PLACES[place], actor):
            known = list(events)
            for event in decided:
                known.append(envelope(event, actor, len(known) + 1, now))
                for promise in PROMISES:
                    promise(known[:-1], known[-1])
