"""What a row of the CFPB's file states of the past, by the mapping that comes with amends."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from services.intake.domain.history import HistoryMapping, StatedHistory, history_of
from services.intake.importing.running import load_mapping
from services.kernel.errors import MalformedError

CFPB = load_mapping("cfpb")
RECEIVED = dt.datetime(2015, 3, 18, 4, tzinfo=dt.UTC)
ROW = {
    "Date sent to company": "2015-03-19",
    "Company response to consumer": "Closed with explanation",
    "Consumer disputed?": "",
}
SENT = {
    "fact": "assigned",
    "department": "external",
    "at": "2015-03-19T04:00:00+00:00",
    "precision": "day",
}
RESOLVED = {"fact": "resolved", "stated_as": "Closed-with-explanation"}


def stated(mapping: HistoryMapping | None = None, **cells: str) -> StatedHistory:
    assert CFPB.history is not None
    row = ROW | {name.replace("_", " "): cell for name, cell in cells.items()}
    return history_of(
        mapping or CFPB.history,
        row,
        received=("Date received", RECEIVED),
        read=CFPB.date_of,
        zone=ZoneInfo(CFPB.zone),
        code=lambda text: text.replace(" ", "-"),
    )


@pytest.mark.parametrize(
    ("cells", "facts"),
    [
        ({}, [SENT, RESOLVED, {"fact": "closed", "reason": "migrated"}]),
        (
            {"Consumer_disputed?": "No"},
            [SENT, RESOLVED, {"fact": "closed", "reason": "migrated"}],
        ),
        (
            {"Consumer_disputed?": "Yes"},
            [
                SENT,
                RESOLVED,
                {"fact": "appealed"},
                {"fact": "closed", "reason": "migrated_undecided"},
            ],
        ),
        ({"Company_response_to_consumer": "In progress"}, [SENT]),
        ({"Company_response_to_consumer": "Untimely response"}, [SENT]),
        (
            {"Company_response_to_consumer": "In progress", "Date_sent_to_company": ""},
            [],
        ),
    ],
)
def test_a_row_gives_the_facts_that_it_states(
    cells: dict[str, str], facts: list[dict[str, Any]]
) -> None:
    assert stated(**cells) == StatedHistory(tuple(facts))


def test_sent_before_it_was_received_is_kept_and_told() -> None:
    found = stated(Date_sent_to_company="2015-03-11")
    assert found.facts[0]["at"] == "2015-03-11T04:00:00+00:00"
    assert found.contradictions == ("Date sent to company lies before Date received",)


def test_a_day_is_no_contradiction_to_an_hour_of_it() -> None:
    assert stated(Date_sent_to_company="2015-03-18").contradictions == ()


def test_a_date_that_cannot_be_read_is_named() -> None:
    with pytest.raises(MalformedError) as refused:
        stated(Date_sent_to_company="soon")
    assert [each.field for each in refused.value.errors] == ["Date sent to company"]


def test_a_word_that_is_taken_as_the_result_is_known() -> None:
    asked = {"column": "Company response to consumer", "none_of": ["In progress"]}
    rule = {"fact": "resolved", "when": [asked], "result": asked["column"]}
    mapping = HistoryMapping.model_validate({"facts": [rule]})
    new = {"Company_response_to_consumer": "Wholly new"}
    assert stated(mapping, **new).unknown == ()
    assert stated(**new).unknown == (("Company response to consumer", "Wholly new"),)


def test_a_verdict_in_other_words_is_unknown() -> None:
    rule = {"fact": "due", "verdict": "Consumer disputed?", "overdue": {"Yes": True}}
    mapping = HistoryMapping.model_validate({"facts": [rule]})
    assert stated(mapping, **{"Consumer_disputed?": "Yes"}).unknown == ()
    found = stated(mapping, **{"Consumer_disputed?": "late"}).unknown
    assert found == (("Consumer disputed?", "late"),)


def test_known_words_are_of_a_column_that_a_fact_asks() -> None:
    rule = {"fact": "closed", "at": "Date sent to company"}
    with pytest.raises(ValidationError, match="no fact asks"):
        HistoryMapping.model_validate(
            {"facts": [rule], "known": {"Consumer disputed?": ["No"]}}
        )


def test_what_a_result_means_is_said_by_the_mapping_alone() -> None:
    mapping = HistoryMapping.model_validate(
        {
            "facts": [
                {
                    "fact": "resolved",
                    "when": [{"column": "Company response to consumer", "begins": "C"}],
                    "result": "Company response to consumer",
                    "outcomes": {"Closed with relief": "upheld"},
                    "remedies": {"Closed with explanation": ["explanation"]},
                }
            ]
        }
    )
    relief = {"Company_response_to_consumer": "Closed with relief"}
    assert stated(mapping).facts == (
        {**RESOLVED, "remedies": [{"kind": "explanation"}]},
    )
    assert stated(mapping, **relief).facts == (
        {"fact": "resolved", "stated_as": "Closed-with-relief", "outcome": "upheld"},
    )


@pytest.mark.parametrize(
    "rule",
    [
        {"fact": "assigned", "at": "Date"},
        {"fact": "closed", "at": "Date", "department": "external"},
        {"fact": "closed", "at": "Date", "result": "Response"},
        {"fact": "appealed", "at": "Date", "reason": "migrated"},
        {"fact": "due"},
        {"fact": "due", "verdict": "Late?"},
        {"fact": "closed", "at": "Date", "due": "Due"},
        {"fact": "appealed"},
        {"fact": "appealed", "when": [{"column": "Disputed"}]},
    ],
)
def test_a_rule_that_says_too_little_or_too_much_is_refused(
    rule: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        HistoryMapping.model_validate({"facts": [rule]})
