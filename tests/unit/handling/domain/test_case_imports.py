"""An import that is revoked: no figure counts its cases, and nothing is lost."""

from datetime import timedelta
from typing import Final

import pytest

from events.catalogue import ComplaintClosed, ReceiptAcknowledged, RecordCorrected
from events.envelope import Actor
from events.vocabulary import CloseReason, ImportDecision
from services.handling.domain.commands import (
    AcknowledgeReceipt,
    CorrectRecord,
    RecordHistory,
    ReinstateImport,
    RevokeImport,
)
from services.handling.domain.decisions import available
from tests.support.given import (
    AGENT,
    Given,
    Past,
    accepted,
    event_id,
    given,
    past,
    received,
)

OPERATOR: Final = Actor(id="operator", role="operator")
IMPORT: Final = Actor(id="import", role="migration")
BATCH: Final = {"batch": "old", "file": "a" * 64, "line": 2}
REVOKE: Final = RevokeImport(batch="old")
REINSTATE: Final = ReinstateImport(batch="old")
PAST: Final = RecordHistory.model_validate({"facts": [{"fact": "closed"}]})


def decided(*, counted: bool) -> RecordCorrected:
    word = "IMPORT_REINSTATED" if counted else "IMPORT_REVOKED"
    return RecordCorrected(
        target_event_id=event_id(1), why=ImportDecision[word], counted=counted
    )


REVOKED: Final = past(decided(counted=False), OPERATOR)
STATED: Final = past(
    ComplaintClosed(reason=CloseReason.MIGRATED), IMPORT, claimed=timedelta(days=9)
)


def imported(*more: Past) -> Given:
    its = given(received(imported_from=BATCH), *more)
    return Given(its.case._replace(origin="migration"), its.last, its.policy)


def test_a_case_of_a_revoked_import_is_counted_no_more_and_can_be_again():
    assert imported().case.counted
    imported().when(REVOKE, OPERATOR).then(decided(counted=False))
    its = imported(REVOKED)
    assert not its.case.counted
    its.when(REINSTATE, OPERATOR).then(decided(counted=True))
    assert imported(REVOKED, past(decided(counted=True), OPERATOR)).case.counted


def test_said_twice_it_happens_once():
    imported(REVOKED).when(REVOKE, OPERATOR).then_nothing()
    imported().when(REINSTATE, OPERATOR).then_nothing()


def test_what_a_source_states_is_no_work_on_the_case():
    its = imported(STATED, REVOKED)
    assert not its.case.worked_on
    imported(STATED).when(REVOKE, OPERATOR).then(decided(counted=False))


def test_a_case_that_was_worked_on_is_left_unless_that_is_said():
    its = imported(*accepted()[1:])
    assert its.case.worked_on
    its.when(REVOKE, OPERATOR).then_refused("case.worked_on")
    insisted = RevokeImport(batch="old", worked_on=True)
    its.when(insisted, OPERATOR).then(decided(counted=False))


def test_nothing_is_done_with_a_revoked_case():
    its = imported(REVOKED)
    now = its.last + timedelta(hours=1)
    assert available(its.case, AGENT, its.policy, now) == ()
    assert available(its.case, OPERATOR, its.policy, now) == ("reinstate-import",)
    promise = AcknowledgeReceipt(expected_at=now + timedelta(days=9), medium="phone")
    imported().when(promise, AGENT).then_types(ReceiptAcknowledged)
    its.when(promise, AGENT).then_refused("case.import_revoked")
    its.when(PAST, IMPORT).then_refused("case.import_revoked")


@pytest.mark.parametrize("command", [REVOKE, RevokeImport(batch="old", worked_on=True)])
def test_only_what_this_import_brought_is_revoked(command: RevokeImport):
    given(received()).when(command, OPERATOR).then_refused("case.not_imported")
    other = command.model_copy(update={"batch": "other"})
    imported().when(other, OPERATOR).then_refused("case.other_import")
    imported().when(command, AGENT).then_forbidden("case.not_your_role")


def test_the_correction_of_a_field_is_work_and_leaves_the_case_counted():
    right = CorrectRecord.model_validate(
        {
            "target_event_id": str(event_id(1)),
            "why": "wrong_code",
            "correction": {"field": "category", "value": "service"},
        }
    )
    (corrected,) = imported().when(right, AGENT).decided
    its = imported(past(corrected, AGENT))
    assert (its.case.counted, its.case.worked_on) == (True, True)
