"""Evidence and cause: who investigates, and what an unknown cause needs."""

import pytest
from pydantic import ValidationError

from events.catalogue import ComplaintInvestigated, EvidenceAdded
from events.envelope import Actor
from events.vocabulary import DocumentKind, EvidenceSource
from services.handling.domain.commands import (
    AddEvidence,
    FindingStated,
    RecordInvestigation,
)
from tests.support.given import (
    AGENT,
    CUSTOMER,
    GM_OFFICE,
    LOGISTICS,
    QUALITY,
    REVIEWER,
    REVIEWER_2,
    STAGES,
    assigned,
    doc,
    given,
    joined,
    received,
    signed,
    taken_up,
    withdrawn,
)

FIELDS = {
    "findings": [FindingStated(statement=doc(DocumentKind.FINDING))],
    "facts_match": "partly",
    "root_cause": {"path": "product/design", "confidence": "confirmed"},
    "responsible_unit": "production",
}


def investigate(**changes: object) -> RecordInvestigation:
    return RecordInvestigation.model_validate({**FIELDS, **changes})


EVIDENCE = AddEvidence(document=doc(DocumentKind.PHOTO), source="customer")


def test_evidence_is_put_to_the_case():  # S30, S75
    given(received()).when(EVIDENCE, by=CUSTOMER).then(
        EvidenceAdded(document=doc(DocumentKind.PHOTO), source=EvidenceSource.CUSTOMER)
    )


@pytest.mark.parametrize("by", [AGENT, QUALITY, LOGISTICS, GM_OFFICE])
def test_who_has_to_do_with_the_case_adds_evidence(by: Actor):  # S52, S54
    given(signed(), joined()).when(EVIDENCE, by=by).then_types(EvidenceAdded)


def test_a_unit_that_has_nothing_to_do_with_it_adds_none():  # S59
    given(signed()).when(EVIDENCE, by=LOGISTICS).then_forbidden(
        "case.not_your_department"
    )


def test_a_reviewer_adds_evidence_to_their_own_appeal_alone():  # S115
    given(taken_up()).when(EVIDENCE, by=REVIEWER).then_types(EvidenceAdded)
    given(taken_up()).when(EVIDENCE, by=REVIEWER_2).then_forbidden(
        "case.not_the_reviewer"
    )


def test_what_ended_takes_no_evidence():  # domain.md 6.3
    given(withdrawn()).when(EVIDENCE, by=CUSTOMER).then_refused("case.ended")


def test_the_lead_states_what_it_found():  # S53, S77
    (event,) = (
        given(signed())
        .when(investigate(), by=QUALITY)
        .then_types(ComplaintInvestigated)
    )
    assert isinstance(event, ComplaintInvestigated)
    assert (event.facts_match, event.responsible_unit, event.level) == (
        "partly",
        "production",
        0,
    )


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_no_part_of_the_result_may_be_missing(field: str):  # S53, S77
    with pytest.raises(ValidationError, match=field):
        RecordInvestigation.model_validate(
            {name: value for name, value in FIELDS.items() if name != field}
        )


def test_a_result_has_a_finding():  # S53
    with pytest.raises(ValidationError, match="findings"):
        investigate(findings=[])


@pytest.mark.parametrize("by", [LOGISTICS, GM_OFFICE])
def test_only_the_lead_investigates(by: Actor):  # S52, S53
    given(signed(), joined()).when(investigate(), by=by).then_forbidden(
        "case.not_your_department"
    )


def test_first_the_department_signs():  # domain.md 6.3
    given(assigned()).when(investigate(), by=QUALITY).then_refused(
        "case.not_under_investigation"
    )


def test_the_cause_is_found_once():  # domain.md 6.3
    given(STAGES["investigated"]).when(investigate(), by=QUALITY).then_refused(
        "case.not_under_investigation"
    )


UNKNOWN = investigate(root_cause={"path": "unknown", "confidence": "possible"})


def test_an_unknown_cause_needs_a_joint_investigation():  # S54
    given(signed()).when(UNKNOWN, by=QUALITY).then_refused(
        "case.joint_investigation_needed"
    )
    given(signed(), joined()[:1]).when(UNKNOWN, by=QUALITY).then_refused(
        "case.joint_investigation_needed"
    )
    given(signed(), joined()).when(UNKNOWN, by=QUALITY).then_types(
        ComplaintInvestigated
    )


def test_the_responsible_unit_is_one_of_the_register():  # S59, S77
    given(signed()).when(
        investigate(responsible_unit="nobody"), by=QUALITY
    ).then_refused("case.unknown_department")


def test_the_cause_is_one_of_the_policy_s():  # S77
    given(signed()).when(
        investigate(root_cause={"path": "seal", "confidence": "confirmed"}), by=QUALITY
    ).then_refused("case.unknown_cause")


def test_an_appeal_is_investigated_by_its_reviewer_alone():  # S115
    given(taken_up()).when(investigate(), by=QUALITY).then_forbidden(
        "case.not_the_reviewer"
    )
    given(taken_up()).when(investigate(), by=REVIEWER_2).then_forbidden(
        "case.not_the_reviewer"
    )
    (event,) = (
        given(taken_up())
        .when(investigate(), by=REVIEWER)
        .then_types(ComplaintInvestigated)
    )
    assert isinstance(event, ComplaintInvestigated)
    assert event.level == 1


def test_a_reviewer_investigates_nothing_but_an_appeal():  # S115
    given(signed()).when(investigate(), by=REVIEWER).then_forbidden(
        "case.not_the_reviewer"
    )
