"""From receipt to acceptance or decline: what must be known, and where it goes first."""

import pytest
from pydantic import ValidationError

from events.catalogue import (
    ComplaintAccepted,
    ComplaintDeclined,
    DepartmentAssigned,
    Product,
    ReceiptAcknowledged,
)
from events.vocabulary import AssignmentReason, DocumentKind, Medium, Severity
from services.handling.domain.commands import (
    AcceptComplaint,
    AcknowledgeReceipt,
    DeclineComplaint,
)
from tests.support.given import (
    ACCEPTED_FIELDS,
    AGENT,
    CUSTOMER,
    DEFAULT_POLICY,
    HEAD,
    HOUR,
    QUALITY,
    STAGES,
    START,
    accepted,
    closed,
    declined,
    doc,
    given,
    money,
    received,
    withdrawn,
)

FRONT_HEAD = HEAD.model_copy(update={"department": "front-office"})
BY_AGENT_OR_HEAD = {"accept": ("agent", "department_head")}


def accept(**changes: object) -> AcceptComplaint:
    fields = {**ACCEPTED_FIELDS, "severity": None, **changes}
    return AcceptComplaint.model_validate(fields)


def test_a_promise_names_handler_and_instant():  # S6
    promise = AcknowledgeReceipt(expected_at=START + 50 * HOUR, medium="phone")
    given(received()).when(promise, by=AGENT).then(
        ReceiptAcknowledged(
            handler="agent", expected_at=START + 50 * HOUR, medium=Medium.PHONE
        )
    )


def test_a_promise_may_name_another_handler():  # S6
    promise = AcknowledgeReceipt(
        expected_at=START + 50 * HOUR, medium="phone", handler="li"
    )
    (event,) = given(received()).when(promise, by=AGENT).then_types(ReceiptAcknowledged)
    assert isinstance(event, ReceiptAcknowledged)
    assert event.handler == "li"


@pytest.mark.parametrize("hours", [1, 2])
def test_a_promise_lies_in_the_future(hours: int):  # S6; now is START + 2 h
    promise = AcknowledgeReceipt(expected_at=START + hours * HOUR, medium="phone")
    given(received()).when(promise, by=AGENT).then_refused("case.expected_in_the_past")


def test_a_case_that_ended_is_not_acknowledged():  # S6
    promise = AcknowledgeReceipt(expected_at=START + 99 * HOUR, medium="phone")
    given(withdrawn()).when(promise, by=AGENT).then_refused("case.ended")


def test_acceptance_and_the_routed_assignment_are_one_decision():  # S47, review A5
    given(received()).when(accept(), by=AGENT).then(
        ComplaintAccepted.model_validate(ACCEPTED_FIELDS),
        DepartmentAssigned(department="quality", reason=AssignmentReason.ROUTING),
    )


def test_operation_goes_to_the_unit_that_its_rules_name():  # S49
    _, routed = (
        given(received())
        .when(accept(category="delivery/late"), by=AGENT)
        .then_types(ComplaintAccepted, DepartmentAssigned)
    )
    assert isinstance(routed, DepartmentAssigned)
    assert routed.department == "logistics"


def test_a_contract_matter_waits_for_the_head_who_approves_its_route():  # S48
    matter = accept(category="contract/price")
    given(received()).when(matter, by=AGENT).then_types(ComplaintAccepted)
    given(received()).under(roles=roles(BY_AGENT_OR_HEAD)).when(
        matter, by=FRONT_HEAD
    ).then_types(ComplaintAccepted, DepartmentAssigned)


def test_a_category_is_one_of_the_policy_s():  # S32, S33
    refused = given(received()).when(accept(category="product/colour"), by=AGENT)
    refused.then_refused("case.unknown_category")
    assert refused.refusal is not None
    (fault,) = refused.refusal.errors
    assert fault.field == "category"
    for category in DEFAULT_POLICY.categories:
        assert category in fault.remedy


def test_without_a_route_the_front_office_assigns_by_hand():  # S55
    given(received()).when(accept(category="billing"), by=AGENT).then_types(
        ComplaintAccepted
    )


@pytest.mark.parametrize(
    "field",
    ["complaint_class", "category", "scope_kind", "order_check", "shipment_check"],
)
def test_acceptance_needs_class_category_scope_and_checks(field: str):  # S17, S26, S31
    fields = {name: value for name, value in ACCEPTED_FIELDS.items() if name != field}
    with pytest.raises(ValidationError, match=field):
        AcceptComplaint.model_validate(fields)


@pytest.mark.parametrize(
    ("given_severity", "result"),
    [(None, "major"), ("major", "major"), ("critical", "critical")],
)
def test_severity_is_the_rules_result_or_graver(given_severity: str, result: str):
    # S36, S31
    claim = accept(
        complaint_class="claim",
        contract=doc(DocumentKind.CONTRACT),
        severity=given_severity,
    )
    event, _ = (
        given(received())
        .when(claim, by=AGENT)
        .then_types(ComplaintAccepted, DepartmentAssigned)
    )
    assert isinstance(event, ComplaintAccepted)
    assert event.severity == Severity(result)


def test_severity_is_never_below_the_rules_result():  # S36
    claim = accept(
        complaint_class="claim",
        contract=doc(DocumentKind.CONTRACT),
        severity="minor",
    )
    given(received()).when(claim, by=AGENT).then_refused("case.severity_too_low")


def test_the_price_of_the_product_counts(  # S39
):
    dear = received(product=Product(price=money("1000.00")))
    given(dear).when(accept(severity="minor"), by=AGENT).then_refused(
        "case.severity_too_low"
    )
    cheap = received(product=Product(price=money("999.99")))
    given(cheap).when(accept(severity="minor"), by=AGENT).then_types(
        ComplaintAccepted, DepartmentAssigned
    )


def test_a_claim_rests_on_a_contract():  # S31
    given(received()).when(accept(complaint_class="claim"), by=AGENT).then_refused(
        "case.contract_missing"
    )


def test_what_is_settled_at_once_stays_in_the_front_office():  # S96
    given(received()).when(accept(first_contact=True), by=AGENT).then_types(
        ComplaintAccepted
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"complaint_class": "claim", "contract": doc(DocumentKind.CONTRACT)},
        {"severity": "serious"},
        {"severity": "critical"},
    ],
)
def test_claims_and_serious_cases_are_not_kept_back(changes: dict[str, object]):
    # S96, FCA 1.5
    given(received()).when(
        accept(first_contact=True, **changes), by=AGENT
    ).then_refused("case.not_first_contact")


@pytest.mark.parametrize("history", [accepted(), STAGES["replied"]])
def test_a_complaint_is_assessed_once(history: tuple):  # domain.md 6.3
    given(history).when(accept(), by=AGENT).then_refused("case.already_assessed")
    given(history).when(decline(), by=AGENT).then_refused("case.already_assessed")


@pytest.mark.parametrize("history", [declined(), closed(), withdrawn()])
def test_what_ended_is_not_assessed_again(history: tuple):  # domain.md 6.3
    given(history).when(accept(), by=AGENT).then_refused("case.ended")


def decline() -> DeclineComplaint:
    return DeclineComplaint(
        reason="misunderstanding", explanation=doc(DocumentKind.EXPLANATION)
    )


def test_a_decline_gives_its_reason_and_explanation():  # S28
    (event,) = given(received()).when(decline(), by=AGENT).then_types(ComplaintDeclined)
    assert isinstance(event, ComplaintDeclined)
    assert event.explanation == doc(DocumentKind.EXPLANATION)


@pytest.mark.parametrize("missing", ["reason", "explanation"])
def test_a_decline_without_reason_or_explanation_is_none(missing: str):  # S28
    fields = dict(decline())
    del fields[missing]
    with pytest.raises(ValidationError, match=missing):
        DeclineComplaint.model_validate(fields)


def test_how_the_customer_spoke_is_no_reason_to_decline():  # S42
    with pytest.raises(ValidationError, match="reason"):
        DeclineComplaint.model_validate({**dict(decline()), "reason": "impolite"})


@pytest.mark.parametrize("by", [CUSTOMER, QUALITY])
def test_only_the_front_office_assesses(by: object):  # domain.md 6.5
    refused = given(received()).when(accept(), by=by)
    refused.then_forbidden("case.not_your_role")
    assert "one of agent." in str(refused.refusal)


def roles(changes: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {**given(received()).policy.roles, **changes}
