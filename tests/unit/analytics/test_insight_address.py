"""The address of `/insight`: what it asks, and the addresses that a page leads to."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest

from services.analytics.pages.asking import (
    asked,
    changed,
    days,
    given,
    narrowed,
    without,
)
from services.kernel.errors import MalformedError

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def pairs(address: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(urlsplit(address).query))


def test_an_empty_field_asks_for_nothing_and_the_language_is_no_question() -> None:
    assert given([("channel", ""), ("product", " "), ("lang", "en"), ("to", "x")]) == (
        ("to", "x"),
    )


def test_both_figures_speak_of_the_same_complaints() -> None:
    question = asked(
        pairs("?group_by=product&period=week&basis=found&channel=web&level=2&as_of=7"),
        zone=SHANGHAI,
        now=NOW,
    )
    assert question.frequency.selection == question.causes.selection
    assert (question.split, question.period) == ("product", "week")
    assert question.causes.basis == "found"
    assert question.frequency.level == question.causes.level == 2
    assert question.frequency.as_of == question.causes.as_of == 7


def test_without_a_question_months_are_counted_and_nothing_is_split() -> None:
    question = asked((), zone=SHANGHAI, now=NOW)
    assert (question.split, question.period) == (None, "month")


@pytest.mark.parametrize("query", ["?group_by=product,state", "?oops=1", "?basis=x"])
def test_what_the_page_cannot_show_is_refused(query: str) -> None:
    with pytest.raises(MalformedError):
        asked(pairs(query), zone=SHANGHAI, now=NOW)


def test_filters_are_added_and_taken_away_one_by_one() -> None:
    here = pairs("?category=a&period=day")
    further = narrowed(here, "category", "a/-")
    assert pairs(further) == (*here, ("category", "a/-"))
    assert narrowed(pairs(further), "category", "a/-") == further
    assert pairs(without(pairs(further), ("category", "a"))) == (
        ("period", "day"),
        ("category", "a/-"),
    )
    assert without((("category", "a"),), ("category", "a")) == "/insight"
    assert changed(here, period="week", category=None) == "/insight?period=week"


def test_a_span_of_whole_days_is_named_by_its_days() -> None:
    start = datetime(2026, 1, 1, tzinfo=SHANGHAI).astimezone(UTC)
    stop = datetime(2026, 2, 1, tzinfo=SHANGHAI).astimezone(UTC)
    assert days(start, stop, SHANGHAI) == {"from": "2026-01-01", "to": "2026-01-31"}
    noon = start.replace(hour=4)
    again = asked(tuple(days(noon, stop, SHANGHAI).items()), zone=SHANGHAI, now=NOW)
    assert again.causes.selection.received_from == noon
    assert again.causes.selection.received_to == stop
