"""A figure's question in the address: what is asked, and every fault with its remedy."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.analytics.application.figures import FIGURES, FREQUENCY, ROOT_CAUSES
from services.analytics.application.figures.coverage import COVERAGE
from services.analytics.application.figures.repeats import REPEATED
from services.analytics.application.questions import Parameters, address
from services.analytics.domain.figures import DIMENSIONS, Selection
from services.kernel.errors import MalformedError

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
COUNTED = ("origin", ("live", "migration"))


def asked(query: str, *, zone: str = "Asia/Shanghai") -> Parameters:
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    return Parameters(pairs, zone=ZoneInfo(zone), now=NOW)


def test_without_a_question_the_category_is_counted() -> None:
    question = asked("").question(FREQUENCY)
    assert (question.dimensions, question.period) == (("category",), None)
    assert question.selection == Selection((COUNTED,))
    assert (question.as_of, question.level) == (None, None)


def test_dimensions_and_periods() -> None:
    question = asked("group_by=product,period,channel&group_by=state").question(
        FREQUENCY
    )
    assert question.dimensions == ("product", "channel", "state")
    assert question.period == "month"
    assert asked("group_by=product&period=week").question(FREQUENCY).period == "week"
    assert asked("group_by=period&period=day").question(FREQUENCY).dimensions == ()


def test_filters_are_alternatives_and_repetition_means_both() -> None:
    question = asked(
        "channel=web,phone&category=a/b&category=-,c/-&origin=demo"
    ).question(ROOT_CAUSES)
    assert question.selection.filters == (
        ("category", ("a/b",)),
        ("category", ("-", "c/-")),
        ("channel", ("web", "phone")),
        ("origin", ("demo",)),
    )
    assert question.basis == "reported"
    assert asked("basis=found&level=2").question(ROOT_CAUSES).level == 2


def test_a_day_counts_whole_in_the_tenants_zone() -> None:
    selection = asked("from=2026-01-01&to=2026-01-31").question(FREQUENCY).selection
    assert selection.received_from == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert selection.received_to == datetime(2026, 1, 31, 16, tzinfo=UTC)
    selection = asked("to=2026-01-31T00:00:00Z").question(FREQUENCY).selection
    assert selection.received_to == datetime(2026, 1, 31, tzinfo=UTC)


def test_as_of_is_a_position_or_an_instant() -> None:
    assert asked("as_of=0").question(ROOT_CAUSES).as_of == 0
    day = asked("as_of=2026-01-01").question(ROOT_CAUSES).as_of
    assert isinstance(day, datetime)
    assert day == datetime(2026, 1, 1, 15, 59, 59, 999_999, tzinfo=UTC), "to its end"
    assert asked("as_of=2030-01-01").question(ROOT_CAUSES).as_of == NOW, (
        "later is not known yet"
    )
    assert asked("as_of=2026-01-01T00:00:00.5Z").question(
        ROOT_CAUSES
    ).as_of == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("group_by=colour", "group_by"),
        ("group_by=product;drop", "group_by"),
        ("period=fortnight", "period"),
        ("level=0", "level"),
        ("level=5", "level"),
        ("level=x", "level"),
        ("channel=carrier_pigeon", "channel"),
        ("state=received", "state"),
        ("category=a//b", "category"),
        ("category=a/b/c/d/e", "category"),
        ("category=-/a", "category"),
        ("category=", "category"),
        ("product=a/b", "product"),
        ("product=%27", "product"),
        ("product=" + ",".join(map(str, range(201))), "product"),
        ("department=quality'--", "department"),
        ("from=yesterday", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-W01-1", "from"),
        ("from=0001-01-01", "from"),
        ("from=2026-01-02&from=2026-01-03", "from"),
        ("as_of=-1", "as_of"),
        ("as_of=" + "9" * 19, "as_of"),
        ("as_of=yesterday", "as_of"),
        ("as_of=2026-13-01", "as_of"),
        ("colour=red", "colour"),
        ("basis=found", "basis"),
    ],
)
def test_a_fault_names_its_field(query: str, field: str) -> None:
    with pytest.raises(MalformedError) as refused:
        asked(query).question(FREQUENCY)
    assert [fault.field for fault in refused.value.errors] == [field]
    assert all(fault.message and fault.remedy for fault in refused.value.errors)


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-01-02&to=2026-01-01T00:00:00Z",
        "from=2026-01-02&to=2026-01-01",  # a day counts whole: nothing lies between
        "from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z",
    ],
)
def test_a_time_without_length_is_a_fault_of_both_ends(query: str) -> None:
    with pytest.raises(MalformedError) as refused:
        asked(query).question(FREQUENCY)
    assert [fault.field for fault in refused.value.errors] == ["from", "to"]
    assert (
        asked("from=2026-01-01&to=2026-01-01").question(FREQUENCY).selection.received_to
    )


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(MalformedError) as refused:
        asked("basis=guess&level=9&when=now&channel=x&as_of=y").question(ROOT_CAUSES)
    fields = [fault.field for fault in refused.value.errors]
    assert fields == ["as_of", "basis", "channel", "level", "when"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=7"])
def test_pages_of_cases_have_limits(query: str) -> None:
    with pytest.raises(MalformedError):
        asked(query).cases()


def test_an_address_asks_for_what_it_was_made_from() -> None:
    selection = Selection(
        (("category", ("a/b", "c/-", "-")), ("category", ("a",)), COUNTED),
        datetime(2026, 1, 1, 0, 0, 0, 7, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
    )
    query = address("/cases", selection, 42).partition("?")[2]
    question = asked(query).cases()
    assert (question.selection, question.as_of) == (selection, 42)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_nothing_stated_can_be_asked_for_in_every_dimension(dimension: str) -> None:
    filters = asked(f"{dimension}=-").question(FREQUENCY).selection.filters
    assert (dimension, ("-",)) in filters


def test_repeats_are_a_filter_of_every_figure_and_days_and_same_of_one() -> None:
    question = asked("repeats=30/category,90/any").question(FREQUENCY)
    repeats = ("repeats", ("30/category", "90/any"))
    assert repeats in question.selection.filters
    listed = address("/cases", question.selection, 7).partition("?")[2]
    assert repeats in asked(listed).cases().selection.filters
    assert asked("").question(REPEATED).days == 30
    again = asked("days=90&same=product").question(REPEATED)
    assert (again.days, again.same) == (90, "product")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("repeats=30", "repeats"),
        ("repeats=0/any", "repeats"),
        ("repeats=30/lot", "repeats"),
        ("repeats=-", "repeats"),
        ("days=3661", "days"),
        ("same=lot", "same"),
    ],
)
def test_a_span_that_cannot_be_read_is_named(query: str, field: str) -> None:
    with pytest.raises(MalformedError) as refused:
        asked(query).question(REPEATED)
    assert [fault.field for fault in refused.value.errors] == [field]


def test_the_coverage_is_of_channels_or_of_sources() -> None:
    assert asked("").question(COVERAGE).dimensions == ("channel",)
    assert asked("group_by=source").question(COVERAGE).dimensions == ("source",)
    for query in ("group_by=product", "group_by=channel,source"):
        with pytest.raises(MalformedError) as refused:
            asked(query).question(COVERAGE)
        assert [fault.field for fault in refused.value.errors] == ["group_by"]


def test_a_comparison_needs_a_span_or_a_period() -> None:
    for query in ("from=2026-01-01&to=2026-01-31", "period=month"):
        question = asked(f"compare=previous&{query}").question(FREQUENCY)
        assert question.compare == "previous"
    for query in ("compare=previous&from=2026-01-01", "compare=later"):
        with pytest.raises(MalformedError) as refused:
            asked(query).question(FREQUENCY)
        assert [fault.field for fault in refused.value.errors] == ["compare"]


def test_what_a_line_counts_by_the_same_name_is_not_what_it_is_of() -> None:
    """Else the count would take the place of the value in the row."""
    assert asked("group_by=solved").question(FIGURES["appeals"]).dimensions == (
        "solved",
    )
    with pytest.raises(MalformedError):
        asked("group_by=solved").question(FIGURES["rates"])
