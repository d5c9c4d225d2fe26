"""How often, how many people, why: on both databases what a fold of the log says."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import ceil
from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from events.vocabulary import Channel, Source
from services.analytics.application.figures import FIGURES, Figures, Line, Question
from services.analytics.application.recording import record
from services.analytics.domain.figures import Selection
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from tests.support.histories import START, Logged, folded, happened, made_up_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from services.analytics.domain.comparison import Compare
    from services.analytics.domain.facts import Facts
    from services.analytics.domain.figures import Same
    from services.kernel.store.database import Database

ALL = Selection(filters=())
LOG = made_up_log(71, cases=200, events=1_500)
NOW = START + timedelta(days=400)


@pytest.fixture
def figures(make_database: Callable[..., Database]) -> Figures:
    store = SqlFactStore(make_database("analytics"))
    with store.transaction() as tx:
        record(store.live, tx, [logged.entry for logged in LOG])
        store.live.note(tx, [Known(*logged[:2]) for logged in LOG])
        store.settle(tx)
    return Figures(store, ZoneInfo("UTC"))


def facts(position: int = len(LOG)) -> list[Facts]:
    return list(folded(LOG[:position]).values())


def cut(path: str | None, level: int | None) -> str | None:
    return path and "/".join(path.split("/")[:level])


def numbers(line: Line, *names: str) -> tuple[float | None, ...]:
    return tuple(line.numbers[name].value for name in names)


def people(found: Iterable[Facts]) -> int:
    return len({each.subject for each in found})


@pytest.mark.parametrize("level", [None, 1, 2, 3])
def test_each_line_counts_complaints_people_and_countermeasures(
    figures: Figures, level: int | None
) -> None:
    """A path cut to its first codes counts somebody once who complained of two below."""
    question = Question(
        ALL, NOW, as_of=900, dimensions=("category", "channel"), level=level
    )
    answer = figures.answer(FIGURES["frequency"], question)
    expected: dict[tuple[str | None, ...], list[Facts]] = defaultdict(list)
    for each in facts(900):
        expected[cut(each.category, level), each.channel].append(each)
    names = ("count", "customers", "countermeasures")
    assert {
        tuple(line.values.values()): numbers(line, *names) for line in answer.lines
    } == {
        values: (
            len(found),
            people(found),
            sum(each.countermeasure is not None for each in found),
        )
        for values, found in expected.items()
    }
    assert answer.total["customers"].value == people(facts(900))
    assert people(facts(900)) < sum(
        line.numbers["customers"].value or 0 for line in answer.lines
    )


@pytest.mark.parametrize("basis", ["reported", "found"])
def test_a_cause_tells_how_many_people_it_met(figures: Figures, basis: str) -> None:
    question = Question(
        ALL, NOW, level=1, basis="found" if basis == "found" else "reported"
    )
    answer = figures.answer(FIGURES["root-causes"], question)
    expected: dict[str | None, list[Facts]] = defaultdict(list)
    for each in facts():
        path = each.root_cause if basis == "found" else each.reported_category
        expected[cut(path, 1)].append(each)
    assert {
        line.values["cause"]: numbers(line, "count", "customers", "share")
        for line in answer.lines
    } == {
        cause: (len(found), people(found), len(found) / len(facts()))
        for cause, found in expected.items()
    }
    assert numbers(answer.lines[-1], "cumulative_share") == (1.0,)
    assert answer.total["customers"].value == people(facts())


def test_the_share_settled_at_first_contact_is_of_what_was_resolved(
    figures: Figures,
) -> None:
    question = Question(ALL, NOW, as_of=1_200, dimensions=("channel",))
    answer = figures.answer(FIGURES["first-contact"], question)
    resolved = [each for each in facts(1_200) if each.first_contact]
    at_once = [each for each in resolved if each.first_contact == "yes"]
    assert answer.total["resolved"].value == len(resolved)
    assert answer.total["share"].value == len(at_once) / len(resolved)
    assert {
        line.values["channel"]: numbers(line, "resolved", "first_contact")
        for line in answer.lines
    } == {
        channel: (
            sum(each.channel == channel for each in resolved),
            sum(each.channel == channel for each in at_once),
        )
        for channel in {each.channel for each in resolved}
    }


def again(found: list[Facts], days: int, same: str) -> list[Facts]:
    """Give each complaint whose person had complained at most so long before."""

    def repeats(late: Facts, early: Facts) -> bool:
        of = None if same == "any" else getattr(late, same)
        return (
            early is not late
            and early.subject == late.subject
            and (early.origin == "demo") is (late.origin == "demo")
            and (same == "any" or (of is not None and getattr(early, same) == of))
            and timedelta() <= late.received_at - early.received_at <= timedelta(days)
        )

    return [late for late in found if any(repeats(late, early) for early in found)]


@pytest.mark.parametrize("same", ["any", "category", "product"])
def test_a_repeat_is_of_somebody_who_had_complained_before(
    figures: Figures, same: Same
) -> None:
    """Also of another channel than the one asked for: the person is the same."""
    web = Selection(filters=(("channel", ("web",)),))
    for days, selection in ((200, ALL), (3_660, web)):
        question = Question(
            selection, NOW, as_of=900, dimensions=("state",), days=days, same=same
        )
        answer = figures.answer(FIGURES["repeats"], question)
        counted = [e for e in facts(900) if selection is ALL or e.channel == "web"]
        found = [each for each in again(facts(900), days, same) if each in counted]
        assert found
        assert numbers(
            Line({}, answer.total), "count", "repeats", "share", "customers"
        ) == (len(counted), len(found), len(found) / len(counted), people(found))
        assert {
            line.values["state"]: numbers(line, "repeats", "customers")
            for line in answer.lines
        } == {
            state: (
                sum(each.state == state for each in found),
                people(each for each in found if each.state == state),
            )
            for state in {each.state for each in counted}
        }


@pytest.mark.parametrize("dimension", ["channel", "source"])
def test_every_channel_and_source_is_listed_with_what_came_by_it(
    figures: Figures, dimension: str
) -> None:
    question = Question(ALL, NOW, as_of=600, dimensions=(dimension,))
    answer = figures.answer(FIGURES["coverage"], question)
    ways = [line.values[dimension] for line in answer.lines]
    codes = Channel if dimension == "channel" else Source
    assert ways == [*(code.value for code in codes), None]
    known = facts(600)
    for line, value in zip(answer.lines, ways, strict=True):
        found = [each for each in known if getattr(each, dimension) == value]
        assert numbers(line, "count", "share") == (len(found), len(found) / len(known))
        if not found:
            assert numbers(line, "last_received", "silent") == (None, None)
            continue
        came = sorted(each.received_at for each in found)
        gaps = [(late - early).total_seconds() for early, late in pairwise(came)]
        assert line.numbers["last_received"].value == came[-1].timestamp()
        assert line.numbers["usual_interval"].value == pytest.approx(median(gaps))
        longest = sorted(gaps)[ceil(0.99 * len(gaps)) - 1]
        assert line.numbers["silent_after"].value == max(longest, 7 * 86_400)
        days = [
            (each.received_at.date() - date(1970, 1, 1)).days - each.documented_day
            for each in found
            if each.documented_day is not None
        ]
        expected = median(days) * 86_400 if days else None
        assert line.numbers["registered_within"].value == expected
        measured = sum(each.countermeasure is not None for each in found)
        assert line.numbers["countermeasure_share"].value == measured / len(found)


def receipts(
    make_database: Callable[..., Database], *days: int, source: Source | None = None
) -> Figures:
    """Have one complaint come by web on each of these days."""
    store = SqlFactStore(make_database("rhythm"))
    log = [
        Logged(
            number,
            number,
            happened(
                "ComplaintReceived",
                number,
                at=START + timedelta(days=day),
                source=source,
            ),
        )
        for number, day in enumerate(days, start=1)
    ]
    with store.transaction() as tx:
        record(store.live, tx, [logged.entry for logged in log])
        store.live.note(tx, [Known(*logged[:2]) for logged in log])
        store.settle(tx)
    return Figures(store, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("days", "since", "silent"),
    [
        ((0, 1, 2, 3, 4, 5), 7, False),
        ((0, 1, 2, 3, 4, 5), 8, True),
        ((0, 20, 40, 60, 80, 100), 20, False),
        ((0, 20, 40, 60, 80, 100), 21, True),
        ((0,), 30, False),
        ((0,), 31, True),
    ],
)
def test_a_channel_is_silent_when_it_is_quiet_for_longer_than_it_ever_was(
    make_database: Callable[..., Database],
    days: tuple[int, ...],
    since: int,
    silent: bool,
) -> None:
    """Never before 7 days, and before much is known of it after 30."""
    figures = receipts(make_database, *days)
    now = START + timedelta(days=days[-1] + since)
    span = Selection((), START + timedelta(days=days[-1]), None)
    for selection in (ALL, span):
        question = Question(selection, now, dimensions=("channel",))
        answer = figures.answer(FIGURES["coverage"], question)
        web = next(line for line in answer.lines if line.values["channel"] == "web")
        assert web.numbers["silent"].value == int(silent)


def test_a_source_from_which_nothing_ever_came_is_silent_and_a_channel_is_not(
    make_database: Callable[..., Database],
) -> None:
    figures = receipts(make_database, 0, source=Source.COLLEAGUE)
    rings = [
        code
        for dimension in ("channel", "source")
        for line in figures.answer(
            FIGURES["coverage"], Question(ALL, START, dimensions=(dimension,))
        ).lines
        for code in line.values.values()
        if line.numbers["silent"].value
    ]
    assert rings == list("ABCDEG")


def months(start: str, stop: str) -> Selection:
    """Select what was received from the first day of a month to that of another."""
    first, after = (datetime.fromisoformat(f"{at}-01T00:00Z") for at in (start, stop))
    return Selection((), first, after)


def received(start: str, stop: str) -> list[Facts]:
    return [each for each in facts() if start <= f"{each.received_at:%Y-%m}" < stop]


def compared(line: Line, name: str) -> tuple[float | None, ...]:
    number = line.numbers[name]
    assert number.before is not None
    return number.value, number.before.value, number.change


def test_a_span_is_compared_with_the_months_before_it(figures: Figures) -> None:
    """Also what is no more has a line, and the earlier number opens its own cases."""
    question = Question(
        months("2025-04", "2025-06"), NOW, dimensions=("product",), compare="previous"
    )
    answer = figures.answer(FIGURES["frequency"], question)
    now, before = received("2025-04", "2025-06"), received("2025-02", "2025-04")
    assert {
        line.values["product"]: (*compared(line, "count"), *compared(line, "customers"))
        for line in answer.lines
    } == {
        product: (
            len(new),
            len(old),
            len(new) - len(old),
            people(new),
            people(old),
            people(new) - people(old),
        )
        for product in {each.product for each in now + before}
        for new in [[each for each in now if each.product == product]]
        for old in [[each for each in before if each.product == product]]
    }
    total = compared(Line({}, answer.total), "count")
    assert total == (len(now), len(before), len(now) - len(before))
    for line in answer.lines:
        old = line.numbers["count"].before
        if old is not None and old.value and old.cases is not None:
            opened = figures.cases(old.cases, limit=1_000)
            assert len(opened.rows) == old.value


@pytest.mark.parametrize("compare", ["previous", "last_year"])
@pytest.mark.parametrize(
    "selection", [ALL, months("2025-03", "2025-12")], ids=["always", "in 2025"]
)
def test_each_month_is_compared_with_another(
    figures: Figures, selection: Selection, compare: Compare
) -> None:
    question = Question(
        selection, NOW, dimensions=("channel",), period="month", compare=compare
    )
    answer = figures.answer(FIGURES["frequency"], question)
    counts = Counter((f"{each.received_at:%Y-%m}", each.channel) for each in facts())
    shown = {line.values["period"] or "" for line in answer.lines}
    expected = {}
    for month in shown:
        year, number = int(month[:4]), int(month[5:])
        earlier = f"{year - 1}-{number:02}"
        if compare == "previous":
            earlier = f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"
        for channel in ("web", "phone", None):
            pair = counts[month, channel], counts[earlier, channel]
            if any(pair):
                expected[month, channel] = (*pair, pair[0] - pair[1])
    assert {
        (line.values["period"], line.values["channel"]): compared(line, "count")
        for line in answer.lines
    } == expected
    labels = [line.values["period"] or "" for line in answer.lines]
    assert labels == sorted(labels)


def test_nothing_now_is_compared_with_nothing(figures: Figures) -> None:
    nothing = Selection((("product", ("none",)),))
    question = Question(nothing, NOW, period="month", compare="previous")
    assert figures.answer(FIGURES["frequency"], question).lines == []
