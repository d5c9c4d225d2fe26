"""The address of `/insight`: what it asks, and the addresses that a page leads to."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest

from services.analytics.application.questions import Parameters
from services.analytics.pages import frequencies
from services.analytics.pages.asking import (
    changed,
    days,
    elsewhere,
    given,
    narrowed,
    spans,
    without,
)
from services.analytics.pages.contents import Section
from services.kernel.errors import MalformedError

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def pairs(address: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(urlsplit(address).query))


def read(pairs: Iterable[tuple[str, str]]) -> Parameters:
    return Parameters(pairs, zone=SHANGHAI, now=NOW)


def test_an_empty_field_asks_for_nothing_and_the_language_is_no_question() -> None:
    assert given([("channel", ""), ("product", " "), ("lang", "en"), ("to", "x")]) == (
        ("to", "x"),
    )


def test_a_section_follows_the_filters_and_what_it_takes() -> None:
    section = Section("x", "y", "bars", takes=("period",), fixed=(("group_by", "z"),))
    here = pairs("?category=a&period=day&basis=found&sort=up")
    asks = ("period", "basis")
    assert section.pairs(here, asks) == pairs(
        "?group_by=z&category=a&period=day&sort=up"
    )


def test_without_a_question_months_are_counted_and_nothing_is_split() -> None:
    question = frequencies.asked((), read)
    assert (question.dimensions, question.period) == ((), "month")


@pytest.mark.parametrize("query", ["?group_by=product,state", "?oops=1", "?basis=x"])
def test_what_the_page_cannot_show_is_refused(query: str) -> None:
    with pytest.raises(MalformedError):
        frequencies.asked(pairs(query), read)


def test_filters_are_added_and_taken_away_one_by_one() -> None:
    page, here = "/insight/time", pairs("?category=a&period=day")
    further = narrowed(page, here, "category", "a/-")
    assert pairs(further) == (*here, ("category", "a/-"))
    assert narrowed(page, pairs(further), "category", "a/-") == further
    assert pairs(without(page, pairs(further), ("category", "a"))) == (
        ("period", "day"),
        ("category", "a/-"),
    )
    assert without(page, (("category", "a"),), ("category", "a")) == page
    assert changed(page, here, period="week", category=None) == f"{page}?period=week"
    assert elsewhere("/insight", here, ()) == "/insight?category=a"
    assert elsewhere("/insight", here, ("period",)) == "/insight?category=a&period=day"


@pytest.mark.parametrize(
    ("today", "last_month", "quarter", "twelve_months"),
    [
        ("2024-02-29", "2024-01-01/2024-01-31", "2024-01-01", "2023-02-01/2024-01-31"),
        ("2026-01-01", "2025-12-01/2025-12-31", "2026-01-01", "2025-01-01/2025-12-31"),
        ("2025-12-31", "2025-11-01/2025-11-30", "2025-10-01", "2024-12-01/2025-11-30"),
    ],
)
def test_spans_of_days_end_with_a_month_or_today(
    today: str, last_month: str, quarter: str, twelve_months: str
) -> None:
    found = {
        name: f"{first}/{last}"
        for name, first, last in spans(date.fromisoformat(today))
    }
    assert found["last_month"] == last_month
    assert found["quarter"] == f"{quarter}/{today}"
    assert found["twelve_months"] == twelve_months


def test_a_span_of_whole_days_is_named_by_its_days() -> None:
    start = datetime(2026, 1, 1, tzinfo=SHANGHAI).astimezone(UTC)
    stop = datetime(2026, 2, 1, tzinfo=SHANGHAI).astimezone(UTC)
    assert days(start, stop, SHANGHAI) == {"from": "2026-01-01", "to": "2026-01-31"}
    noon = start.replace(hour=4)
    again = read(days(noon, stop, SHANGHAI).items()).cases().selection
    assert (again.received_from, again.received_to) == (noon, stop)
