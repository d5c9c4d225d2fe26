"""Complaints are found by what was given with them and by their words, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.intake.messaging import clauses_of
from services.intake.ports import Sought
from services.kernel.errors import MalformedError
from tests.support.intake import OPERATOR, Bench, bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.kernel.store.database import Database

LEAK = {
    "channel": "phone",
    "statement": "我要申请退款, the kettle leaks.",
    "desired_outcome": "A new one, please.",
    "contact": {
        "name": "王芳",
        "phone": "138 0013 8000",
        "email": "Wang.Fang@Example.org",
        "customer_no": "C-77 12",
    },
    "order_no": "A 20931",
    "upstream_no": "TKT/88-1",
    "product": {"serial": "SN-0042", "lot": "L.77"},
}
HUM = {
    "channel": "web",
    "statement": "The kettle hums.",
    "contact": {"email": "ada@example.org"},
}


@pytest.fixture
def intake(make_database: Callable[..., Database]) -> Bench:
    return bench(make_database)


def found(intake: Bench, *alternatives: tuple[str, str]) -> set[UUID]:
    clause = [Sought(kind, value) for kind, value in alternatives]
    intake.follower.take()
    (cases,) = intake.inquiries.find([clause])
    return cases


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("phone", "+86 138-0013-8000"),
        ("phone", "13800138000"),
        ("email", "wang.fang@example.ORG"),
        ("customer_no", "c7712"),
        ("order_no", "a20931"),
        ("serial", "sn 0042"),
        ("lot", "L.77"),
        ("upstream_no", "tkt/881"),
        ("words", "退款"),
        ("words", "LEAKS 退款"),
        ("words", "please new"),
    ],
)
def test_a_complaint_is_found_by_each_thing_it_came_with(
    intake: Bench, kind: str, value: str
) -> None:
    """In whatever way it is written; and by nothing of another kind."""
    case = intake.one(LEAK).case_id
    intake.one(HUM)
    assert found(intake, (kind, value)) == {case}
    for other in ("serial", "lot", "order_no", "customer_no", "upstream_no"):
        if other != kind:
            assert found(intake, (other, value)) == set()


def test_one_of_several_suffices_and_several_questions_are_answered_in_order(
    intake: Bench,
) -> None:
    leak, hum = intake.one(LEAK).case_id, intake.one(HUM).case_id
    by_either = [Sought("email", "ada@example.org"), Sought("serial", "SN-0042")]
    intake.follower.take()
    asked = [by_either, [Sought("words", "hums")], [Sought("words", "!")], []]
    assert intake.inquiries.find(asked) == [{leak, hum}, {hum}, set(), set()]


def test_an_imported_complaint_is_found_by_the_number_that_it_had(
    intake: Bench,
) -> None:
    past: dict[str, Any] = {
        "channel": "web",
        "origin": "migration",
        "occurred_at": "2020-01-01T00:00:00Z",
    }
    case = intake.one(past, key="cfpb:8729", caller=OPERATOR).case_id
    named = intake.one(
        past | {"upstream_no": "X-5"}, key="cfpb:1", caller=OPERATOR
    ).case_id
    intake.one(HUM, key="5")
    assert found(intake, ("upstream_no", "8729")) == {case}
    assert found(intake, ("upstream_no", "x5")) == {named}
    assert found(intake, ("upstream_no", "5")) == set()


def test_what_was_sent_twice_is_found_once(intake: Bench) -> None:
    first = intake.one(LEAK, key="k")
    assert intake.one(LEAK, key="k").repeated
    assert found(intake, ("words", "kettle")) == {first.case_id}


@pytest.mark.parametrize(
    "asked",
    [None, [], {}, {"clauses": 1}, {"clauses": ["phone"]}, {"clauses": [[["phone"]]]}],
)
def test_a_question_that_is_none_is_refused(asked: object) -> None:
    with pytest.raises(MalformedError):
        clauses_of(asked)
    good = {"clauses": [[["phone", "1"], ["words", "a"]], []]}
    assert clauses_of(good) == [[Sought("phone", "1"), Sought("words", "a")], []]
