"""Rows of a foreign table become submissions; codes are short, legible and unmixed."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.intake.domain.mapping import (
    Coder,
    TableMapping,
    code_of,
    submission_of,
)
from services.kernel.errors import MalformedError

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
FILE = Path(__file__).parents[3] / "services/intake/mappings/cfpb.toml"
CFPB = TableMapping.model_validate(tomllib.loads(FILE.read_text("utf-8")))
ROW = {
    "Complaint ID": "8729",
    "Date received": "2011-12-30",
    "Product": "Credit card",
    "Sub-product": "",
    "Issue": "Billing disputes",
    "Sub-issue": "",
    "Consumer complaint narrative": "",
    "Company": "Capital One",
    "Submitted via": "Web",
}


def line(**changes):
    return submission_of(CFPB, {**ROW, **changes}, Coder(CFPB.codes))


def test_a_row_becomes_a_submission_that_invents_nothing():
    assert line() == {
        "idempotency_key": "cfpb:8729",
        "channel": "web",
        "origin": "migration",
        "occurred_at": "2011-12-30T05:00:00+00:00",
        "occurred_precision": "day",
        "product": {"model": "Credit-card", "supplier": "Capital-One"},
        "category": "Billing-disputes",
    }


def test_words_are_taken_as_they_stand():
    words = "  two\n\nlines, =1+1\t "
    assert line(**{"Consumer complaint narrative": words})["statement"] == words


def test_midnight_is_the_zone_s_own_in_summer_too():
    day = line(**{"Date received": "2015-07-01"})["occurred_at"]
    assert day == "2015-07-01T04:00:00+00:00"


def test_two_levels_make_one_path_and_one_model_code():
    made = line(**{"Sub-product": "Store card", "Sub-issue": "Other"})
    assert made["category"] == "Billing-disputes/Other"
    assert made["product"]["model"] == "Credit-card.Store-card"


def test_a_bad_row_names_all_its_columns_at_once():
    with pytest.raises(MalformedError) as refused:
        line(
            **{
                "Submitted via": "Pigeon",
                "Date received": "30.12.2011",
                "Complaint ID": "",
            }
        )
    assert [each.field for each in refused.value.errors] == [
        "Submitted via",
        "Date received",
        "Complaint ID",
    ]


@pytest.mark.parametrize("day", ["2011-W52-5", "20111230", "2011-02-30", "", "9999999"])
def test_only_plain_days_are_days(day):
    with pytest.raises(MalformedError):
        line(**{"Date received": day})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Mortgage", "Mortgage"),
        ("Credit card", "Credit-card"),
        ("EQUIFAX, INC.", "EQUIFAX-INC-c7410341"),
        ("抵押", "0fb3ac8b"),
    ],
)
def test_codes_stay_legible(text, code):
    assert code_of(text) == code


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(12, 64)
)
def test_every_text_has_a_valid_code(text, room):
    code = code_of(text, room=room)
    assert CODE.fullmatch(code)
    assert len(code) <= room


def test_texts_that_differ_only_in_case_space_or_stop_stay_apart():
    texts = ["Inc", "Inc.", "INC", "Inc ", " Inc", "In c", "In-c", "In  c"]
    assert len({code_of(text) for text in texts}) == len(texts)


def test_a_collision_is_named_and_a_table_settles_it():
    mark = code_of("a,b")
    coder = Coder({})
    coder.code("model", "a,b")
    with pytest.raises(MalformedError, match=r"mapping\.code_collision"):
        coder.code("model", mark.replace("-", " "))
    told = Coder({"model": {mark.replace("-", " "): "other"}})
    assert told.code("model", "a,b") == mark
    assert told.code("model", mark.replace("-", " ")) == "other"


def test_a_table_s_code_is_not_given_to_another_text_by_the_rule():
    coder = Coder({"supplier": {"Acme Incorporated": "Acme"}})
    with pytest.raises(MalformedError):
        coder.code("supplier", "Acme")


@pytest.mark.parametrize(
    "change",
    [
        {"zone": "Mars/Olympus"},
        {"key": "no column"},
        {"unknown": 1},
        {"codes": {"model": {"x": "has space"}}},
        {"codes": {"model": {"x": "y" * 40}}},
        {"codes": {"colour": {"x": "y"}}},
    ],
)
def test_a_mapping_file_with_a_fault_is_refused(change):
    with pytest.raises(ValidationError):
        TableMapping.model_validate(CFPB.model_dump() | change)


def test_the_mapping_names_the_columns_it_needs():
    assert set(CFPB.columns()) == set(ROW)
