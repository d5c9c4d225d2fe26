"""Access codes: who shows the right one is let in, whoever guesses is not."""

import json

import pytest

from services.intake.messaging import Guesses, opened
from services.kernel.errors import (
    MalformedError,
    TooManyError,
    UnauthenticatedError,
)
from tests.support.intake import Bench, bench


@pytest.fixture
def intake(make_database):
    return bench(make_database)


def question(number: object, code: object) -> bytes:
    return json.dumps({"receipt_no": number, "access_code": code}).encode()


def answer(intake: Bench, number: object, code: object, guesses: Guesses | None = None):
    return opened(intake.inquiries, question(number, code), guesses or Guesses())


def test_the_code_of_the_receipt_opens_its_case_however_it_is_written(intake):
    receipt = intake.one()
    spaced = " ".join(receipt.receipt_no[n : n + 4] for n in range(0, 16, 4))
    for code in (receipt.access_code, receipt.access_code.replace("-", "").lower()):
        assert answer(intake, spaced, code) == {
            "status": 200,
            "case_id": str(receipt.case_id),
            "receipt_no": receipt.receipt_no,
        }


def test_a_wrong_number_is_not_told_from_a_wrong_code(intake):
    one, other = intake.one(key="1"), intake.one(key="2")
    wrong = [
        (one.receipt_no, other.access_code),
        (one.receipt_no, ""),
        (one.receipt_no, one.access_code[:-1]),
        (one.receipt_no, one.access_code + "é\ud83d\ude00"),
        (one.receipt_no, None),
        ("0000000000000000", one.access_code),
        ("12", one.access_code),
        (None, None),
    ]
    told = set()
    for number, code in wrong:
        with pytest.raises(UnauthenticatedError) as refused:
            answer(intake, number, code)
        told.add((refused.value.code, refused.value.detail))
    assert len(told) == 1


def test_guessing_ends_for_one_receipt_and_for_no_other(intake):
    one, other = intake.one(key="1"), intake.one(key="2")
    guesses = Guesses(per_minute=2)
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            answer(intake, one.receipt_no, "GUESS", guesses)
    with pytest.raises(TooManyError, match=r"intake\.too_many_codes"):
        answer(intake, one.receipt_no, one.access_code, guesses)
    assert answer(intake, other.receipt_no, other.access_code, guesses)


def test_the_right_code_may_be_shown_as_often_as_one_likes(intake):
    receipt, guesses = intake.one(), Guesses(per_minute=1)
    for _ in range(3):
        assert answer(intake, receipt.receipt_no, receipt.access_code, guesses)


def test_a_question_that_is_no_json_is_refused(intake):
    with pytest.raises(MalformedError):
        opened(intake.inquiries, b'{"receipt_no":1,"receipt_no":2}', Guesses())
    with pytest.raises(UnauthenticatedError):
        opened(intake.inquiries, b"[]", Guesses())
