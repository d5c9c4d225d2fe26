"""Corrections: of an event of the case, of a field it has, to a value it can have."""

from uuid import UUID

import pytest

from events.catalogue import Correction, RecordCorrected
from events.vocabulary import CorrectionReason, DocumentKind
from services.handling.domain.commands import CorrectionStated, CorrectRecord
from tests.support.given import (
    AGENT,
    CUSTOMER,
    LOGISTICS,
    Past,
    approved,
    closed,
    doc,
    enveloped,
    event_id,
    folded,
    given,
    past,
    received,
    replied,
)

RECEIPT, ACCEPTANCE, PROPOSAL = event_id(1), event_id(2), event_id(6)


def correct(target: UUID, field: str, value: str | None = None, **more: object):
    return CorrectRecord(
        target_event_id=target,
        why="wrong_code",
        correction=CorrectionStated.model_validate(
            {"field": field, "value": value, **more}
        ),
    )


@pytest.mark.parametrize("history", [received(), replied(), closed()])
def test_a_correction_stands_beside_what_was_wrong(history: tuple[Past, ...]):
    # domain.md 6.4
    given(history).when(correct(RECEIPT, "category", "service"), by=AGENT).then(
        RecordCorrected(
            target_event_id=RECEIPT,
            why=CorrectionReason.WRONG_CODE,
            correction=Correction(field="category", value="service"),
        )
    )


@pytest.mark.parametrize(
    ("target", "field", "value"),
    [
        (RECEIPT, "product.model", "X-200"),
        (RECEIPT, "product.price.amount", "12.50"),
        (RECEIPT, "demand.0", "repair"),
        (RECEIPT, "event_at", "2024-02-29T08:00:00Z"),
        (RECEIPT, "dealer", None),
        (ACCEPTANCE, "severity", "serious"),
        (ACCEPTANCE, "scope_kind", "6"),
        (PROPOSAL, "remedies.0.amount.currency", "EUR"),
    ],
)
def test_any_field_can_be_corrected(target: UUID, field: str, value: str | None):
    given(approved()).when(correct(target, field, value), by=AGENT).then_types(
        RecordCorrected
    )


def test_words_are_corrected_by_a_document():
    right = correct(RECEIPT, "statement", document=doc(DocumentKind.CORRECTION))
    given(received()).when(right, by=AGENT).then_types(RecordCorrected)
    given(received()).when(correct(RECEIPT, "statement", "X"), by=AGENT).then_refused(
        "case.value_not_valid"
    )


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("colour", "case.no_such_field"),
        ("category.0", "case.no_such_field"),
        ("product.colour", "case.no_such_field"),
        ("demand.first", "case.no_such_field"),
        ("statement", "case.value_not_valid"),  # must not be empty
        ("receipt_no", "case.value_not_valid"),
    ],
)
def test_a_correction_fits_the_event(field: str, code: str):
    given(received()).when(correct(RECEIPT, field), by=AGENT).then_refused(code)


@pytest.mark.parametrize(
    ("field", "value"),
    [("severity", "awful"), ("scope_kind", "7"), ("category", "a/b/c/d/e")],
)
def test_a_value_is_one_that_the_field_can_have(field: str, value: str):
    given(approved()).when(correct(ACCEPTANCE, field, value), by=AGENT).then_refused(
        "case.value_not_valid"
    )


def test_the_event_is_one_of_the_case():
    given(received()).when(correct(event_id(99), "category"), by=AGENT).then_refused(
        "case.no_such_event"
    )


def test_a_stranger_corrects_nothing():  # domain.md 6.5
    right = correct(RECEIPT, "category", "service")
    given(approved()).when(right, by=LOGISTICS).then_forbidden(
        "case.not_your_department"
    )
    given(approved()).when(right, by=CUSTOMER).then_forbidden("case.not_your_role")


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("category", "category"),
        ("product.model", "product"),
        ("product.supplier", "supplier"),
    ],
)
def test_the_case_shows_what_is_right(field: str, shown: str):
    wrong = (*received(), past(_corrected(field, "right"), AGENT))
    case = folded(enveloped(wrong))
    assert getattr(case, shown) == "right"


def test_other_corrections_leave_what_guards_read():
    before = given(approved()).case
    after = given(approved(), past(_corrected("severity", "critical"), AGENT)).case
    assert after.severity == before.severity
    assert after.version == before.version + 1


def _corrected(field: str, value: str) -> RecordCorrected:
    return RecordCorrected(
        target_event_id=RECEIPT,
        why=CorrectionReason.WRONG_CODE,
        correction=Correction(field=field, value=value),
    )
