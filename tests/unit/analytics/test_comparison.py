"""With which time one compares: months with months, days with days, across clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.analytics.domain.comparison import (
    Compare,
    earlier_label,
    earlier_span,
    shifted_span,
)
from services.analytics.domain.periods import Period, midnight

BERLIN = ZoneInfo("Europe/Berlin")


def days(first: str, last: str) -> tuple[datetime, datetime]:
    """Give the span of whole days, both counted."""
    after = date.fromisoformat(last) + timedelta(days=1)
    return midnight(date.fromisoformat(first), BERLIN), midnight(after, BERLIN)


@pytest.mark.parametrize(
    ("now", "compare", "before"),
    [
        (("2026-03-01", "2026-03-31"), "previous", ("2026-02-01", "2026-02-28")),
        (("2026-03-01", "2026-03-30"), "previous", ("2026-01-30", "2026-02-28")),
        (("2026-01-01", "2026-03-31"), "previous", ("2025-10-01", "2025-12-31")),
        (("2026-03-29", "2026-03-29"), "previous", ("2026-03-28", "2026-03-28")),
        (("2024-02-01", "2024-02-29"), "last_year", ("2023-02-01", "2023-02-28")),
        (("2024-02-29", "2024-02-29"), "last_year", ("2023-02-28", "2023-02-28")),
        (("2025-02-01", "2025-02-28"), "last_year", ("2024-02-01", "2024-02-29")),
        (("2024-02-01", "2024-02-28"), "last_year", ("2023-02-01", "2023-02-28")),
    ],
)
def test_whole_days_are_compared_with_whole_days(
    now: tuple[str, str], compare: Compare, before: tuple[str, str]
) -> None:
    assert earlier_span(*days(*now), compare, BERLIN) == days(*before)


def test_hours_are_compared_with_as_many_hours() -> None:
    noon = datetime(2026, 3, 29, 12, tzinfo=UTC)
    span = (noon, noon + timedelta(hours=5))
    assert earlier_span(*span, "previous", BERLIN) == (noon - timedelta(hours=5), noon)


@pytest.mark.parametrize(
    ("period", "now", "compare", "before"),
    [
        (
            "month",
            ("2026-02-01", "2026-02-28"),
            "previous",
            ("2026-01-01", "2026-01-31"),
        ),
        (
            "month",
            ("2026-03-10", "2026-03-30"),
            "previous",
            ("2026-02-10", "2026-02-28"),
        ),
        (
            "quarter",
            ("2026-01-01", "2026-06-30"),
            "previous",
            ("2025-10-01", "2026-03-31"),
        ),
        (
            "week",
            ("2026-03-30", "2026-04-05"),
            "previous",
            ("2026-03-23", "2026-03-29"),
        ),
        (
            "week",
            ("2026-12-28", "2027-01-03"),
            "last_year",
            ("2025-12-29", "2026-01-04"),
        ),
        ("day", ("2026-03-30", "2026-03-30"), "previous", ("2026-03-29", "2026-03-29")),
        (
            "month",
            ("2025-02-01", "2025-02-28"),
            "last_year",
            ("2024-02-01", "2024-02-29"),
        ),
    ],
)
def test_ends_move_with_their_periods(
    period: Period, now: tuple[str, str], compare: Compare, before: tuple[str, str]
) -> None:
    moved = shifted_span(*days(*now), period, compare, BERLIN)
    assert moved == days(*before)
    assert shifted_span(None, None, period, compare, BERLIN) == (None, None)


@pytest.mark.parametrize(
    ("period", "now", "previous", "last_year"),
    [
        ("day", "2024-03-01", "2024-02-29", "2023-03-01"),
        ("day", "2024-02-29", "2024-02-28", None),
        ("week", "2027-W01", "2026-W53", "2026-W02"),
        ("week", "2026-W53", "2026-W52", "2026-W01"),
        ("month", "2026-01", "2025-12", "2025-01"),
        ("quarter", "2026-Q1", "2025-Q4", "2025-Q1"),
        ("year", "2026", "2025", "2025"),
    ],
)
def test_a_period_is_compared_with_a_named_one(
    period: Period, now: str, previous: str, last_year: str | None
) -> None:
    assert earlier_label(period, now, "previous") == previous
    assert earlier_label(period, now, "last_year") == last_year


@pytest.mark.parametrize("compare", ["previous", "last_year"])
def test_before_the_calendar_begins_lies_nothing(compare: Compare) -> None:
    first, last = datetime(1, 1, 2, tzinfo=UTC), datetime(9990, 1, 1, tzinfo=UTC)
    for before in (
        earlier_span(first, last, compare, BERLIN),
        shifted_span(first, last, "month", compare, BERLIN),
    ):
        assert before == (first, first)
