"""Who hears what of a case: copies for departments, in order, and the last one."""

from typing import Any

import pytest

from events import codec
from events.catalogue import (
    EVENTS,
    AssignmentAccepted,
    AssignmentReturned,
    DepartmentAssigned,
)
from events.envelope import Envelope
from events.examples import EXAMPLES
from events.vocabulary import AssignmentRole, Audience, Origin
from services.handling.application.commanding import concerned
from services.handling.domain.evolution import evolve
from services.handling.messaging.feeds import department_copies
from services.kernel.store.recorder import LogEntry
from tests.support.given import (
    AGENT,
    LOGISTICS,
    QUALITY,
    Past,
    accepted,
    assigned,
    enveloped,
    folded,
    past,
)


def entry(event: Envelope[Any]) -> LogEntry:
    return LogEntry(
        position=7,
        committed_at=0,
        case_id=event.case_id,
        version=event.version,
        type=event.type,
        body=codec.encode(event),
        leaf=b"",
    )


def example(name: str, **changes: Any) -> Envelope[Any]:
    known = {"departments": ("logistics", "quality"), "origin": Origin.LIVE}
    return EXAMPLES[name].model_copy(update=known | changes)


def test_each_department_gets_the_stored_bytes_in_the_order_of_codes():
    event = example("DepartmentAssigned")
    copies = department_copies(entry(event))
    assert [(copy.subject, copy.suffix) for copy in copies] == [
        ("amends.dept.logistics.DepartmentAssigned", "logistics"),
        ("amends.dept.quality.DepartmentAssigned", "quality"),
    ]
    assert {copy.body for copy in copies} == {codec.encode(event)}
    assert all(copy.headers["ce-subject"] == str(event.case_id) for copy in copies)


@pytest.mark.parametrize("name", EVENTS)
def test_only_what_is_for_departments_is_copied(name: str):
    copies = department_copies(entry(example(name)))
    assert bool(copies) == (EVENTS[name].audience is Audience.DEPARTMENTS)


@pytest.mark.parametrize("origin", [Origin.MIGRATION, Origin.DEMO])
def test_imported_and_shown_cases_are_no_news(origin: Origin):
    assert not department_copies(entry(example("DepartmentAssigned", origin=origin)))


def test_an_event_that_concerns_no_department_is_not_copied():
    assert not department_copies(entry(example("ComplaintAccepted", departments=())))


def assignment(department: str, role: str = "lead", **more: Any) -> Past:
    given = {"department": department, "role": role, "reason": "manual"} | more
    return past(DepartmentAssigned.model_validate(given), AGENT)


def returned(department: str, role: str = "lead") -> Past:
    given = {"department": department, "reason": "not_ours", "count": 1, "role": role}
    by = QUALITY if department == "quality" else LOGISTICS
    return past(AssignmentReturned.model_validate(given), by)


def heard_by(history: tuple[Past, ...]) -> tuple[str, ...]:
    """Give the departments concerned by the last event of a history."""
    *earlier, last = enveloped(history)
    before = folded(earlier)
    return concerned(before, evolve(before, last))


CONTRIBUTED = AssignmentAccepted(
    department="logistics", role=AssignmentRole.CONTRIBUTOR
)


@pytest.mark.parametrize(
    ("history", "departments"),
    [
        (accepted(), ()),
        (assigned(), ("quality",)),
        ((*assigned(), returned("quality")), ("quality",)),  # its last copy
        ((*assigned(), returned("quality"), assignment("finance")), ("finance",)),
        (
            (*assigned(), assignment("logistics", previous="quality")),
            ("logistics", "quality"),  # a transfer is the old one's last copy
        ),
        (
            (
                *assigned(),
                assignment("logistics", previous="quality"),
                returned("logistics"),
            ),
            ("logistics",),
        ),
        (
            (*assigned(), assignment("logistics", "contributor")),
            ("logistics", "quality"),
        ),
        (
            (
                *assigned(),
                assignment("logistics", "contributor"),
                past(CONTRIBUTED, LOGISTICS),
            ),
            ("logistics", "quality"),
        ),
        (
            (
                *assigned(),
                assignment("logistics", "contributor"),
                returned("logistics", "contributor"),
            ),
            ("logistics", "quality"),
        ),
        (
            (
                *assigned(),
                assignment("logistics", "contributor"),
                returned("logistics", "contributor"),
                returned("quality"),
            ),
            ("quality",),
        ),
    ],
)
def test_an_event_concerns_who_had_the_case_and_who_has_it(
    history: tuple[Past, ...], departments: tuple[str, ...]
):
    assert heard_by(history) == departments
