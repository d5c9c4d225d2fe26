"""One complaint's facts, event by event: what changes, and what no figure reads."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from events.catalogue import EVENTS, Correction, Product, RootCause
from events.envelope import Envelope, Event
from events.vocabulary import (
    AssignmentRole,
    ComplaintClass,
    Confidence,
    Origin,
    Outcome,
    Precision,
    Severity,
)
from services.analytics.domain.facts import REVOKED, Facts, NoReceiptError, fold
from services.analytics.domain.figures import COUNTED_ORIGINS
from tests.support.histories import START, event_number, happened


def given(*events: Envelope[Event]) -> Facts:
    facts: Facts | None = None
    for event in events:
        facts = fold(facts, event)
    assert facts is not None
    return facts


RECEIVED = happened(
    "ComplaintReceived",
    category="quality/leak",
    product=Product(model="KT-200", lot="L1", supplier="S-118"),
    source=None,
)
ACCEPTED = happened(
    "ComplaintAccepted",
    version=2,
    category="quality/lid",
    complaint_class=ComplaintClass.CLAIM,
    severity=Severity.SERIOUS,
)


def test_a_receipt_states_what_is_counted_from_the_first_day() -> None:
    facts = given(RECEIVED)
    assert facts.received_at == START
    assert (facts.reported_category, facts.category) == ("quality/leak",) * 2
    assert (facts.product, facts.lot, facts.supplier) == ("KT-200", "L1", "S-118")
    assert (facts.channel, facts.reported_via, facts.state) == (
        "web",
        "dealer",
        "RECEIVED",
    )
    assert (facts.department, facts.root_cause, facts.outcome) == (None, None, None)


def test_a_receipt_keeps_its_origin_and_how_exactly_its_time_is_known() -> None:
    event = happened(
        "ComplaintReceived",
        channel=None,
        origin=Origin.MIGRATION,
        precision=Precision.DAY,
        product=None,
        category=None,
    )
    facts = given(event)
    assert (facts.origin, facts.received_precision) == ("migration", "day")
    assert (facts.channel, facts.product, facts.category) == (None, None, None)


def test_acceptance_replaces_the_category_but_not_what_was_reported() -> None:
    facts = given(RECEIVED, ACCEPTED)
    assert (facts.category, facts.reported_category) == ("quality/lid", "quality/leak")
    assert (facts.complaint_class, facts.severity) == ("claim", "serious")
    assert facts.state == "ACCEPTED"


def test_the_department_is_the_lead_and_nobody_after_a_return() -> None:
    assigned = happened("DepartmentAssigned", version=2, department="quality")
    contributor = happened(
        "DepartmentAssigned",
        version=3,
        department="sales",
        role=AssignmentRole.CONTRIBUTOR,
    )
    gone = happened("AssignmentReturned", version=4, role=AssignmentRole.CONTRIBUTOR)
    returned = happened("AssignmentReturned", version=5, role=AssignmentRole.LEAD)
    assert given(RECEIVED, assigned, contributor, gone).department == "quality"
    assert given(RECEIVED, assigned, contributor, gone).state == "ASSIGNED"
    assert given(RECEIVED, assigned, contributor, gone, returned).department is None


def test_the_last_cause_and_outcome_count_and_every_appeal() -> None:
    cause = RootCause(path="design/seal", confidence=Confidence.CONFIRMED)
    facts = given(
        RECEIVED,
        happened("ComplaintInvestigated", version=2, root_cause=cause),
        happened("DecisionIssued", version=3, outcome=Outcome.NOT_UPHELD),
        happened("ComplaintAppealed", version=4),
        happened("ComplaintAppealed", version=5),
        happened("ComplaintResolved", version=6, outcome=Outcome.PARTLY),
    )
    assert (facts.root_cause, facts.outcome, facts.appeals) == (
        "design/seal",
        "partly",
        2,
    )
    assert facts.state == "RESOLVED"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_every_event_leads_to_the_state_that_the_catalogue_names(name: str) -> None:
    before = given(RECEIVED)
    after = fold(before, happened(name, version=2))
    expected = EVENTS[name].leads_to or before.state
    assert after.state == ("RECEIVED" if name == "ComplaintReceived" else expected)


def test_what_no_figure_reads_leaves_equal_facts() -> None:
    before = given(RECEIVED)
    for name in ("EvidenceAdded", "SubjectErased"):
        assert fold(before, happened(name, version=2)) == before


def test_a_history_without_a_receipt_is_refused() -> None:
    with pytest.raises(NoReceiptError, match="ComplaintAccepted"):
        fold(None, ACCEPTED)


def corrected(
    target: Envelope[Event], field: str, value: str | None
) -> Envelope[Event]:
    return happened(
        "RecordCorrected",
        version=9,
        target_event_id=target.event_id,
        correction=Correction(field=field, value=value),
    )


def test_a_correction_changes_what_its_target_said() -> None:
    facts = given(RECEIVED, corrected(RECEIVED, "product.model", "HT-9"))
    assert facts.product == "HT-9"
    assert given(RECEIVED, corrected(RECEIVED, "product.lot", None)).lot is None


def test_a_revoked_import_is_of_an_origin_that_no_figure_counts() -> None:
    def counted(*, yes: bool) -> Envelope[Event]:
        return happened("RecordCorrected", version=2, correction=None, counted=yes)

    facts = given(RECEIVED, counted(yes=False))
    assert facts.origin == REVOKED
    assert REVOKED not in COUNTED_ORIGINS
    assert given(RECEIVED, counted(yes=False), counted(yes=True)).origin == "migration"


def test_a_correction_of_the_report_leaves_what_was_accepted_since() -> None:
    wrong = corrected(RECEIVED, "category", "billing")
    assert given(RECEIVED, wrong).category == "billing"
    facts = given(RECEIVED, ACCEPTED, wrong)
    assert (facts.reported_category, facts.category) == ("billing", "quality/lid")
    facts = given(RECEIVED, ACCEPTED, corrected(ACCEPTED, "category", "billing"))
    assert (facts.reported_category, facts.category) == ("quality/leak", "billing")


def test_a_correction_of_nothing_that_stands_changes_nothing() -> None:
    facts = given(RECEIVED, ACCEPTED)
    other = happened("EvidenceAdded", version=8, number=77)
    assert other.event_id == event_number(77)
    for event in (
        corrected(other, "category", "billing"),
        corrected(RECEIVED, "receipt_no", "1"),
    ):
        assert fold(facts, event) == facts


def test_a_countermeasure_is_proposed_then_taken_and_the_last_proposal_counts() -> None:
    day = timedelta(days=1)
    measured = [
        happened("ComplaintReceived"),
        happened("SettlementProposed", version=2, at=START + day),
    ]
    proposed = given(*measured)
    assert (proposed.countermeasure, proposed.countermeasure_after) == (
        "proposed",
        86_400,
    )
    without = happened("SettlementProposed", version=3, improvement=None)
    assert given(*measured, without).countermeasure is None
    taken = happened("ComplaintResolved", version=3, at=START + 2 * day)
    again = happened("SettlementProposed", version=4, improvement=None)
    found = given(*measured, taken, again)
    assert (found.countermeasure, found.countermeasure_after) == ("taken", 86_400)


def test_a_countermeasure_without_a_date_of_its_own_has_no_duration() -> None:
    vague = happened("SettlementProposed", version=2, precision=Precision.NOT_BEFORE)
    found = given(happened("ComplaintReceived"), vague)
    assert (found.countermeasure, found.countermeasure_after) == ("proposed", None)


@pytest.mark.parametrize(
    ("origin", "said", "known"),
    [
        (Origin.LIVE, True, "yes"),
        (Origin.LIVE, False, "no"),
        (Origin.MIGRATION, True, "yes"),
        (Origin.MIGRATION, False, None),
    ],
)
def test_an_imported_record_does_not_deny_the_first_contact(
    origin: Origin, said: bool, known: str | None
) -> None:
    resolved = happened(
        "ComplaintResolved", version=2, origin=origin, first_contact=said
    )
    found = given(happened("ComplaintReceived", origin=origin), resolved)
    assert found.first_contact == known


def test_the_day_of_a_sources_document_is_kept_and_the_person_is_a_pseudonym() -> None:
    received = happened(
        "ComplaintReceived",
        source_document_on=date(1970, 1, 11),
        subject_id=UUID(int=7),
    )
    found = given(received)
    assert (found.documented_day, found.subject) == (10, UUID(int=7))
