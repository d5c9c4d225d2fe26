"""Case ids, receipt numbers and access codes: derived, apart from each other, checked."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.application.receipt_number import as_receipt_no, receipt_no
from services.intake.domain.receipt import access_code, case_id, keyed, spoken

SECRET = bytes(range(32))
CASE = UUID("018f0000-0000-8000-8000-000000000001")


def test_the_same_submission_gets_the_same_case_for_ever():
    """Golden: a release that changed this would make every repeat a new complaint."""
    assert case_id(SECRET, "web", "anonymous", "k-1") == UUID(
        "9e91b54d-6dc6-8a2e-9e5a-361635e0dc61"
    )
    assert receipt_no(SECRET, CASE) == "7574889172499253"
    assert access_code(SECRET, CASE) == "XC6W-6P7V-4QB8"


def test_a_case_id_is_a_uuid_of_version_8():
    case = case_id(SECRET, "web", "anonymous", "k-1")
    assert case.version == 8
    assert case.variant == "specified in RFC 4122"


@given(
    st.lists(st.binary(max_size=8), max_size=4),
    st.lists(st.binary(max_size=8), max_size=4),
)
def test_moving_a_byte_between_fields_changes_the_mac(left, right):
    assert (keyed(SECRET, "p", *left) == keyed(SECRET, "p", *right)) == (left == right)


def test_channel_client_key_and_secret_each_make_another_case():
    cases = {
        case_id(SECRET, "web", "a", "bc"),
        case_id(SECRET, "web", "ab", "c"),
        case_id(SECRET, "phone", "a", "bc"),
        case_id(bytes(32), "web", "a", "bc"),
    }
    assert len(cases) == 4


@given(st.uuids(), st.integers(0, 9))
def test_a_receipt_number_is_read_back_however_it_is_grouped(case, attempt):
    number = receipt_no(SECRET, case, attempt)
    assert len(number) == 16
    assert as_receipt_no(number) == number
    assert as_receipt_no(f"  {spoken(number)} ") == number
    assert as_receipt_no("-".join(spoken(number).split())) == number


@given(st.uuids(), st.integers(0, 15), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(case, place, off):
    number = receipt_no(SECRET, case)
    wrong = str((int(number[place]) + off) % 10)
    assert as_receipt_no(number[:place] + wrong + number[place + 1 :]) is None


@given(st.uuids(), st.integers(0, 14))
def test_two_swapped_neighbours_are_always_noticed(case, place):
    number = receipt_no(SECRET, case)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert (as_receipt_no(swapped) is None) == (swapped != number)


@pytest.mark.parametrize(
    "typed", ["", "1", "4837291500627714 1", "٤٨٣٧٢٩١٥٠٠٦٢٧٧١٤", "x" * 16, "²" * 16]
)
def test_what_is_no_number_is_none(typed):
    assert as_receipt_no(typed) is None


def test_the_next_attempt_is_another_number():
    assert len({receipt_no(SECRET, CASE, attempt) for attempt in range(50)}) == 50


@given(st.uuids())
def test_an_access_code_has_no_letter_that_looks_like_a_digit(case):
    code = access_code(SECRET, case)
    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    assert not set(code) & set("01ILOU")
