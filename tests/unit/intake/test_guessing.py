"""Columns are guessed by their names; what is not certain is asked, never taken."""

import tomllib

import pytest

from services.intake.domain.guessing import guess, likeness
from services.intake.domain.mapping import Coder, TableMapping, submission_of

ENGLISH = {
    "Complaint No.": "7", "Date received": "2026-01-31", "Channel": "Phone",
    "Description": "It leaks.", "Customer name": "Lin Yan", "Phone": "+86 10 1",
    "Product": "Kettle", "Colour": "red",
}  # fmt: skip
CHINESE = {
    "投诉编号": "7", "投诉时间": "2026/1/31 9:05", "渠道": "电话", "投诉内容": "漏水",
    "客户姓名": "林燕", "联系电话": "13800000000", "产品型号": "K210", "订单号": "D1",
}  # fmt: skip


def guessed(row, *more):
    return guess(list(row), [row, *more], "Asia/Shanghai")


def test_english_names_are_known():
    mapping = guessed(ENGLISH).mapping()
    assert submission_of(mapping, ENGLISH, Coder(mapping.codes)) == {
        "idempotency_key": "table:7",
        "channel": "phone",
        "origin": "migration",
        "occurred_at": "2026-01-30T16:00:00+00:00",
        "occurred_precision": "day",
        "statement": "It leaks.",
        "product": {"model": "Kettle"},
        "contact": {"name": "Lin Yan", "phone": "+86 10 1"},
    }


def test_chinese_names_are_known():
    mapping = guessed(CHINESE).mapping()
    made = submission_of(mapping, CHINESE, Coder(mapping.codes))
    assert made["occurred_at"] == "2026-01-31T01:05:00+00:00"
    assert (made["channel"], made["order_no"]) == ("phone", "D1")
    assert made["contact"] == {"name": "林燕", "phone": "13800000000"}


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ({"Date received": "3/4/2026"}, "dates are M/D/YYYY or D/M/YYYY."),
        ({"Date received": "soon"}, "dates are written in no known way"),
        ({"Channel": "Pigeon"}, "Channel 'Pigeon' is none of our channels"),
        ({"Case ID": "9"}, "key may be Complaint No. or Case ID."),
    ],
)
def test_what_can_be_read_in_two_ways_is_a_doubt(change, doubt):
    found = guessed(ENGLISH | change)
    assert found.mapping() is None
    assert any(each.startswith(doubt) for each in found.doubts), found.doubts


def test_a_later_row_settles_which_is_the_month():
    found = guessed(
        ENGLISH | {"Date received": "3/4/2026"},
        ENGLISH | {"Date received": "31/1/2026"},
    )
    assert found.mapping().dates == ("D/M/YYYY",)


def test_without_a_number_or_a_day_nothing_is_certain():
    found = guessed({"Colour": "red", "Size": "9"})
    assert len(found.doubts) == 3
    assert found.mapping() is None


@pytest.mark.parametrize("row", [ENGLISH, CHINESE, {"Colour": 'r"e\\d', "字": "x"}])
def test_a_draft_is_a_mapping_file(row):
    found = guessed(row)
    draft = tomllib.loads(found.draft())
    assert TableMapping.model_validate(draft) == TableMapping.model_validate(
        found.values
    )
    assert all(doubt in found.draft() for doubt in found.doubts)


def test_a_header_is_known_by_its_names():
    assert likeness(list(CHINESE)) == len(CHINESE)
    assert likeness(["Complaints of 2026", ""]) == 0
