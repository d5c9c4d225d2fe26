"""An envelope holds one event of its own type, exact times and nothing misspelled."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from events.catalogue import ComplaintClosed, ComplaintReopened, ReceiptAcknowledged
from events.codec import decode, encode
from events.envelope import Envelope, Money, envelop
from events.examples import EXAMPLES
from events.vocabulary import CloseReason, Medium

CLOSED = EXAMPLES["ComplaintClosed"]


def again(**changes: Any) -> Envelope[Any]:
    given = {name: getattr(CLOSED, name) for name in type(CLOSED).model_fields}
    del given["type"], given["schema_version"]
    return envelop(**{**given, **changes})


def test_it_names_its_data():
    made = again()
    assert made == CLOSED
    assert (made.type, made.schema_version) == ("ComplaintClosed", 1)
    assert (made.originator_id, made.originator_version) == (made.case_id, 23)


def test_the_event_id_is_a_uuid7():
    with pytest.raises(ValidationError, match="UUID version 7"):
        again(event_id=CLOSED.case_id)


def test_a_naive_instant_is_refused():
    with pytest.raises(ValidationError, match="timezone"):
        again(occurred_at=datetime(2025, 9, 1, 8, 30))  # noqa: DTZ001 - that is the test


@pytest.mark.parametrize("seconds", [0, 1_700_000_000])
def test_a_number_is_no_instant(seconds: int):
    with pytest.raises(ValidationError, match="valid datetime"):
        again(occurred_at=seconds)


def test_an_instant_elsewhere_becomes_utc():
    shanghai = datetime(2025, 9, 1, 8, 30, tzinfo=timezone(timedelta(hours=8)))
    made = again(occurred_at=shanghai)
    assert made.occurred_at.tzinfo is UTC
    assert made.occurred_at == shanghai
    assert b'"occurred_at":"2025-09-01T00:30:00.000000Z"' in encode(made)


@pytest.mark.parametrize("year", [1, 9999])
def test_an_instant_beyond_the_calendar_is_refused(year: int):
    edge = datetime(year, 1, 1) if year == 1 else datetime(year, 12, 31, 23)  # noqa: DTZ001
    ahead = timezone(timedelta(hours=14 if year == 1 else -14))
    with pytest.raises(ValidationError, match="between the years 1 and 9999"):
        again(occurred_at=edge.replace(tzinfo=ahead))


def test_an_early_year_has_four_digits():
    made = again(occurred_at=datetime(33, 4, 3, tzinfo=UTC))
    assert b'"0033-04-03T00:00:00.000000Z"' in encode(made)
    assert decode(encode(made)) == made


def test_a_writer_cannot_misspell_a_field():
    with pytest.raises(ValidationError, match="extra_forbidden"):
        ComplaintClosed(reason=CloseReason.LAPSED, resaon="lapsed")
    with pytest.raises(ValidationError, match="extra_forbidden"):
        type(CLOSED)(**CLOSED.model_dump(), tennant="default")


def test_an_event_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        CLOSED.data.reason = CloseReason.LAPSED
    with pytest.raises(ValidationError, match="frozen"):
        CLOSED.version = 24


def test_data_of_another_type_is_refused():
    given = dict(CLOSED)
    with pytest.raises(ValidationError, match="type is not the data's"):
        Envelope[ComplaintClosed](**{**given, "type": "ComplaintReopened"})
    with pytest.raises(ValidationError, match="ComplaintReopened"):
        Envelope[ComplaintReopened](**given)
    with pytest.raises(ValidationError, match="use envelop"):
        Envelope(**given)


def test_departments_and_policies_are_sorted_and_told_once():
    made = again(
        departments=("sales", "quality", "sales"),
        policy={"routing": "2", "clocks": "1"},
    )
    assert made.departments == ("quality", "sales")
    assert list(made.policy) == ["clocks", "routing"]


@pytest.mark.parametrize("word", ["", "a b", "质管", "a\n", "-a", "a" * 65, "li@x.org"])
def test_a_code_is_no_text(word: str):
    with pytest.raises(ValidationError, match="should match pattern"):
        ReceiptAcknowledged(
            handler=word, expected_at=CLOSED.occurred_at, medium=Medium.PHONE
        )


def test_a_department_is_one_token():
    with pytest.raises(ValidationError, match="should match pattern"):
        again(departments=("quality.east",))


def test_an_amount_is_exact():
    assert Money(amount="12.50", currency="CNY").amount == Decimal("12.50")
    written = Money(amount=Decimal("1E+2"), currency="CNY").model_dump_json()
    assert written == '{"amount":"100","currency":"CNY"}'
    zero = Money(amount=Decimal("-0"), currency="CNY").model_dump_json()
    assert zero == '{"amount":"0","currency":"CNY"}'


@pytest.mark.parametrize(
    "amount", [1.5, 2, True, "1e3", "-1", "1_0", "NaN", "0.12345", Decimal(-1)]
)
def test_what_is_no_exact_amount_is_refused(amount: object):
    with pytest.raises(ValidationError):
        Money(amount=amount, currency="CNY")


def test_only_an_envelope_of_one_type_names_it_in_its_schema():
    assert (
        "const" in Envelope[ComplaintClosed].model_json_schema()["properties"]["type"]
    )
    assert "const" not in Envelope.model_json_schema()["properties"]["type"]
