"""Rows on both databases: any past position is answered as a fold of the log up to it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from events.vocabulary import Precision
from services.analytics.application.figures import FIGURES, Figures, Question
from services.analytics.application.recording import record
from services.analytics.domain.figures import DIMENSIONS, Selection
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.bus import read_event
from services.kernel.clock import from_micros
from services.kernel.errors import MalformedError
from services.kernel.inbox import Arrived, Inbox
from services.kernel.vault import Vault
from tests.support.histories import (
    START,
    Logged,
    case_number,
    fold_in,
    folded,
    happened,
    made_up_log,
    shuffled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from uuid import UUID

    from services.analytics.domain.facts import Facts
    from services.kernel.store.database import Database

UTC_ZONE = ZoneInfo("UTC")
ALL = Selection(filters=())


@pytest.fixture
def store(make_database: Callable[..., Database]) -> SqlFactStore:
    return SqlFactStore(make_database("analytics"))


def arrive(store: SqlFactStore, log: Sequence[Logged], *, batch: int = 97) -> int:
    """Have a log arrive in batches, as the consumer gives them."""
    unfit = 0
    for at in range(0, len(log), batch):
        part = log[at : at + batch]
        with store.transaction() as tx:
            missed = record(store.live, tx, [logged.entry for logged in part])
            store.live.note(tx, [Known(*logged[:2]) for logged in part])
            store.settle(tx, unfit=missed)
            unfit += missed
    return unfit


def counted(
    facts: Iterable[Facts], dimensions: Sequence[str]
) -> Counter[tuple[object, ...]]:
    return Counter(tuple(getattr(fact, name) for name in dimensions) for fact in facts)


def answered(
    figures: Figures, dimensions: Sequence[str], as_of: int | datetime | None
) -> Counter[tuple[object, ...]]:
    answer = figures.frequency(ALL, dimensions=dimensions, as_of=as_of)
    return Counter(
        {
            tuple(row.values[name] for name in dimensions): row.count
            for row in answer.rows
        }
    )


def test_200_random_positions_agree_with_a_fold_of_the_log(store: SqlFactStore) -> None:
    log = made_up_log(11, cases=300, events=3_000)
    dice = random.Random(12)  # noqa: S311 - repeatable
    assert arrive(store, shuffled(log, dice)) == 0
    figures = Figures(store, UTC_ZONE)
    known: dict[UUID, Facts] = {}
    folded_to = 0
    for position in sorted(dice.randrange(0, len(log) + 1) for _ in range(200)):
        fold_in(known, log[folded_to:position])
        folded_to = position
        dimensions = dice.sample(DIMENSIONS, dice.randrange(1, 4))
        assert answered(figures, dimensions, position) == counted(
            known.values(), dimensions
        ), (position, dimensions)
        cases = figures.cases(ALL, as_of=position, limit=1_000)
        assert {row.case_id: row.facts for row in cases.rows} == known


def test_the_present_is_the_last_position(store: SqlFactStore) -> None:
    log = made_up_log(13, cases=50, events=500)
    arrive(store, log)
    figures = Figures(store, UTC_ZONE)
    now = figures.frequency(ALL, dimensions=("state",))
    assert now == figures.frequency(ALL, dimensions=("state",), as_of=500)
    assert now.known.position == 500
    assert answered(figures, ("state",), None) == counted(
        folded(log).values(), ("state",)
    )


def test_an_instant_is_the_last_position_known_by_then(store: SqlFactStore) -> None:
    log = made_up_log(14, cases=50, events=400)
    arrive(store, log)
    figures = Figures(store, UTC_ZONE)
    dice = random.Random(15)  # noqa: S311 - repeatable
    for logged in dice.sample(log, 40):
        instant = from_micros(logged.committed_at + dice.choice((0, 1, -1)))
        expected = [each for each in log if from_micros(each.committed_at) <= instant]
        answer = figures.frequency(ALL, as_of=instant)
        assert answer.known.position == len(expected)
        assert answer.known.as_of == instant
        assert sum(row.count for row in answer.rows) == len(folded(expected))


def test_what_lies_behind_a_hole_is_not_answered_until_the_hole_is_filled(
    store: SqlFactStore,
) -> None:
    log = made_up_log(16, cases=400, events=400)
    cases = Counter(logged.event.case_id for logged in log)
    late = next(each for each in log[50:] if cases[each.event.case_id] == 1)
    hole = late.position - 1
    assert arrive(store, [each for each in log if each is not late]) == 0
    figures = Figures(store, UTC_ZONE)
    for as_of in (None, 399, from_micros(log[-1].committed_at)):
        assert figures.frequency(ALL, as_of=as_of).known.position == hole
    assert answered(figures, ("state",), None) == counted(
        folded(log[:hole]).values(), ("state",)
    )
    arrive(store, [late])
    assert figures.frequency(ALL).known.position == 400


def test_positions_that_never_were_are_bridged(store: SqlFactStore) -> None:
    log = made_up_log(17, cases=50, events=300, gaps=True)
    arrive(store, log)
    positions = [logged.position for logged in log]
    with store.snapshot() as rows:
        assert rows.standing.complete_to < positions[-1]
    with store.transaction() as tx:
        store.settle(tx, following=dict(pairwise([0, *positions])))
    figures = Figures(store, UTC_ZONE)
    assert figures.frequency(ALL).known.position == positions[-1]
    middle = positions[150] + 1
    known = folded(each for each in log if each.position <= middle)
    assert answered(figures, ("category",), middle) == counted(
        known.values(), ("category",)
    )


def test_a_position_that_is_missing_is_not_bridged(store: SqlFactStore) -> None:
    log = made_up_log(17, cases=30, events=30)
    arrive(store, log[:10])
    with store.transaction() as tx:
        store.settle(tx, following={10: 12, 12: 20})
    with store.snapshot() as rows:
        assert rows.standing.complete_to == 10


def test_what_is_held_has_arrived_and_is_told(
    store: SqlFactStore, make_database: Callable[..., Database]
) -> None:
    log = made_up_log(23, cases=8, events=60)
    held = log[20].event
    behind = [each for each in log[20:] if each.event.case_id == held.case_id]
    others = [each for each in log if each not in behind]
    database = make_database("analytics")
    inbox = Inbox(
        "analytics",
        decode=read_event,
        vault=Vault(make_database("keys"), database),
        now=lambda: held.recorded_at,
    )
    with database.write() as tx:
        inbox.apply(
            tx,
            [
                Arrived(
                    each.event.case_id,
                    each.event.version,
                    each.position,
                    b"",
                    each.event,
                    "newer" if each.event is held else None,
                )
                for each in behind
            ],
            lambda _, applied: pytest.fail(f"applied {len(applied)}"),
        )
    arrive(store, others)
    figures = Figures(store, UTC_ZONE)
    known = figures.frequency(ALL).known
    assert (known.position, known.held) == (60, len(behind))
    assert answered(figures, ("state",), None) == counted(
        folded(others).values(), ("state",)
    )
    assert figures.frequency(ALL, as_of=20).known.held == 0


def test_periods_count_every_complaint_once(store: SqlFactStore) -> None:
    log = made_up_log(18, cases=400, events=900)
    arrive(store, log)
    zone = ZoneInfo("Asia/Shanghai")
    figures = Figures(store, zone)
    received = [fact.received_at.astimezone(zone) for fact in folded(log).values()]
    for period, name in (
        ("day", lambda at: f"{at:%Y-%m-%d}"),
        ("week", lambda at: f"{at:%G-W%V}"),
        ("month", lambda at: f"{at:%Y-%m}"),
        ("quarter", lambda at: f"{at:%Y}-Q{(at.month + 2) // 3}"),
        ("year", lambda at: f"{at:%Y}"),
    ):
        rows = figures.frequency(ALL, period=period).rows
        assert {row.values["period"]: row.count for row in rows} == Counter(
            map(name, received)
        )
        labels = [row.values["period"] for row in rows]
        assert labels == sorted(labels)


@pytest.mark.parametrize("source", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize("reader", ["UTC", "Asia/Shanghai", "America/New_York"])
def test_a_receipt_known_to_the_day_counts_for_that_day(
    store: SqlFactStore, source: str, reader: str
) -> None:
    """Also behind a later event, which writes its row again."""
    midnight = datetime(2026, 1, 1, tzinfo=ZoneInfo(source)).astimezone(UTC)
    received = happened("ComplaintReceived", at=midnight, precision=Precision.DAY)
    arrive(store, [Logged(1, 1, received)])
    arrive(store, [Logged(2, 2, happened("ComplaintAccepted", 1, 2))])
    zone = ZoneInfo(reader)
    figures = Figures(store, zone)
    for period, label in (
        ("day", "2026-01-01"),
        ("month", "2026-01"),
        ("year", "2026"),
    ):
        (row,) = figures.frequency(ALL, period=period).rows
        assert (row.values["period"], row.count) == (label, 1)
    first, next_one = (datetime(2026, 1, day, tzinfo=zone) for day in (1, 2))
    that_day = Selection(received_from=first, received_to=next_one)
    assert [row.count for row in figures.frequency(that_day).rows] == [1]


def test_every_row_opens_exactly_the_cases_that_it_counts(store: SqlFactStore) -> None:
    log = made_up_log(19, cases=200, events=800)
    arrive(store, log)
    figures = Figures(store, UTC_ZONE)
    narrow = Selection(
        filters=(
            ("category", ("quality/leak", "billing", "-")),
            ("product", ("KT-200",)),
        ),
        received_from=log[0].event.occurred_at - timedelta(days=200),
    )
    for selection in (ALL, narrow):
        for level in (None, 1, 2):
            rows = figures.frequency(
                selection,
                dimensions=("category", "product", "root_cause"),
                period="quarter",
                level=level,
                as_of=600,
            ).rows
            question = Question(selection, START, as_of=600, level=level)
            causes = figures.answer(FIGURES["root-causes"], question).lines
            counts = [line.numbers["count"] for line in causes]
            assert rows
            counted = [(row.cases, row.count) for row in rows]
            for cases, count in (*counted, *((n.cases, n.value) for n in counts)):
                assert cases is not None
                opened = figures.cases(cases, as_of=600, limit=1_000).rows
                assert len(opened) == count, cases


def test_a_period_begins_at_midnight_and_a_span_may_cut_it(store: SqlFactStore) -> None:
    midnight = datetime(2025, 3, 1, tzinfo=UTC)
    instant = timedelta(microseconds=1)
    for case, at in enumerate(
        (midnight - instant, midnight, midnight + instant, midnight + 9 * instant), 1
    ):
        arrive(store, [Logged(case, case, happened("ComplaintReceived", case, at=at))])
    figures = Figures(store, UTC_ZONE)

    def months(selection: Selection) -> dict[str | None, int]:
        rows = figures.frequency(selection, period="month").rows
        for row in rows:
            assert len(figures.cases(row.cases).rows) == row.count
        return {row.values["period"]: row.count for row in rows}

    assert months(ALL) == {"2025-02": 1, "2025-03": 3}
    span = Selection((), midnight + instant, midnight + 9 * instant)
    assert months(span) == {"2025-03": 1}


def test_an_answer_that_would_be_too_long_is_refused(
    store: SqlFactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for case, year in enumerate((1990, 2000, 2025), start=1):
        at = datetime(year, 1, 1, tzinfo=UTC)
        arrive(store, [Logged(case, case, happened("ComplaintReceived", case, at=at))])
    figures = Figures(store, UTC_ZONE)
    with pytest.raises(MalformedError) as refused:
        figures.frequency(ALL, period="day")
    assert refused.value.errors[0].field == "period"
    assert len(figures.frequency(ALL, period="month").rows) == 3
    monkeypatch.setattr("services.analytics.persistence.snapshot.MOST_GROUPS", 2)
    with pytest.raises(MalformedError) as refused:
        figures.frequency(ALL, period="month")
    assert refused.value.errors[0].field == "group_by"
    arrive(store, made_up_log(24, cases=40, events=40)[3:])
    with pytest.raises(MalformedError) as refused:
        figures.answer(FIGURES["root-causes"], Question(ALL, START, as_of=40))
    assert refused.value.errors[0].field == "basis"


def test_a_path_filter_takes_what_lies_below_and_no_namesake(
    store: SqlFactStore,
) -> None:
    for case, category in enumerate(
        ("a", "a/b", "a/b/c", "ab", "a_b", "a.b", None), start=1
    ):
        event = happened("ComplaintReceived", case, category=category)
        arrive(store, [Logged(case, case, event)])
    figures = Figures(store, UTC_ZONE)

    def found(*values: str) -> set[str | None]:
        selection = Selection(filters=(("category", values),))
        return {row.facts.category for row in figures.cases(selection).rows}

    assert found("a") == {"a", "a/b", "a/b/c"}
    assert found("a/-") == {"a"}
    assert found("a/b") == {"a/b", "a/b/c"}
    assert found("a_b", "-") == {"a_b", None}


def test_cases_come_in_pages(store: SqlFactStore) -> None:
    log = made_up_log(20, cases=25, events=400)
    arrive(store, log)
    figures = Figures(store, UTC_ZONE)
    seen, after, more = [], None, True
    while more:
        page = figures.cases(ALL, after=after, limit=7)
        assert len(page.rows) <= 7
        seen += [row.case_id for row in page.rows]
        after, more = page.rows[-1].case_id, page.more
    assert seen == sorted(folded(log))


def test_root_causes_rank_with_shares(store: SqlFactStore) -> None:
    categories = ["a/x"] * 5 + ["a/y"] * 3 + ["b"] * 2
    for case, category in enumerate(categories, start=1):
        event = happened("ComplaintReceived", case, category=category)
        arrive(store, [Logged(case, case, event)])
    figures = Figures(store, UTC_ZONE)

    def ranked(**asked: Any) -> list[tuple[object, ...]]:
        question = Question(ALL, START, **asked)
        lines = figures.answer(FIGURES["root-causes"], question).lines
        return [
            (
                line.values["cause"],
                *(line.numbers[name].value for name in ("count", "share")),
                line.numbers["cumulative_share"].value,
            )
            for line in lines
        ]

    assert ranked(basis="reported") == [
        ("a/x", 5, 0.5, 0.5),
        ("a/y", 3, 0.3, 0.8),
        ("b", 2, 0.2, 1.0),
    ]
    assert ranked(level=1) == [("a", 8, 0.8, 0.8), ("b", 2, 0.2, 1.0)]
    assert ranked(basis="found") == [(None, 10, 1.0, 1.0)]


def test_no_complaint_gives_no_row(store: SqlFactStore) -> None:
    figures = Figures(store, UTC_ZONE)
    for answer in (
        figures.frequency(ALL),
        figures.frequency(ALL, period="day", dimensions=("state",)),
        figures.cases(ALL),
    ):
        assert answer.rows == []
        assert (answer.known.position, answer.known.as_of) == (0, None)
    causes = figures.answer(FIGURES["root-causes"], Question(ALL, START))
    assert (causes.lines, causes.known.position) == ([], 0)


def test_a_demonstration_is_not_counted_unless_asked_for(store: SqlFactStore) -> None:
    log = made_up_log(21, cases=90, events=90)
    arrive(store, log)
    figures = Figures(store, UTC_ZONE)
    origins = Counter(fact.origin for fact in folded(log).values())
    assert origins["demo"] > 0
    [row] = figures.frequency(Selection()).rows
    assert row.count == origins["live"] + origins["migration"]
    [demo] = figures.frequency(Selection(filters=(("origin", ("demo",)),))).rows
    assert demo.count == origins["demo"]


def test_what_does_not_fit_marks_the_rows_as_damaged(store: SqlFactStore) -> None:
    stray = happened("ComplaintDeclined", version=2)
    assert arrive(store, [Logged(1, 1, stray)]) == 1
    assert Figures(store, UTC_ZONE).frequency(ALL).known.unfit == 1


def test_a_second_opening_finds_the_rows(
    make_database: Callable[..., Database],
) -> None:
    arrive(SqlFactStore(make_database("again")), made_up_log(22, cases=5, events=40))
    reopened = Figures(SqlFactStore(make_database("again")), UTC_ZONE)
    assert reopened.frequency(ALL).known.position == 40
    assert case_number(1) in {row.case_id for row in reopened.cases(ALL).rows}


def test_rows_of_another_shape_are_made_anew_from_the_log(
    make_database: Callable[..., Database],
) -> None:
    log = made_up_log(23, cases=5, events=40)
    arrive(SqlFactStore(make_database("shape")), log)
    database = make_database("shape")
    with database.write() as tx:
        tx.execute("UPDATE analytics_shape SET digest = 'of an earlier release'")
        tx.execute("ALTER TABLE complaint_row RENAME COLUMN appeals TO objections")
        tx.execute(
            "INSERT INTO inbox_case VALUES (?, ?, 3)", ("analytics", case_number(1))
        )
    store = SqlFactStore(database)
    with store.snapshot() as rows:
        assert rows.standing == (0, 0, 0)
    with database.read() as tx:
        assert tx.fetchone("SELECT COUNT(*) FROM inbox_case") == (0,)
    arrive(store, log)
    cases = Figures(store, UTC_ZONE).cases(ALL).rows
    assert {row.case_id: row.facts for row in cases} == folded(log)
