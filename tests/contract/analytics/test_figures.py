"""The figures of the register on both databases: each number is what a fold of the log says."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from services.analytics.application.figures import FIGURES, Figures, Question
from services.analytics.application.recording import record
from services.analytics.domain.figures import OPEN, Selection
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from tests.support.histories import START, folded, made_up_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.analytics.application.figures import Answer
    from services.analytics.domain.facts import Facts
    from services.kernel.store.database import Database

ALL = Selection(filters=())
LOG = made_up_log(61, cases=200, events=1_500)
NOW = START + timedelta(days=300)


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


def test_every_number_opens_exactly_the_cases_that_it_counts(figures: Figures) -> None:
    """Holds for every figure of the register, also for one that is added later."""
    dice = random.Random(62)  # noqa: S311 - repeatable
    for figure in FIGURES.values():
        dimensions = ("channel",) if "group_by" in figure.parameters else ()
        position = dice.randrange(1_000, len(LOG))
        question = Question(ALL, NOW, as_of=position, dimensions=dimensions)
        answer = figures.answer(figure, question)
        assert answer.lines, figure.name
        # The links of a line are told beside its numbers, under this name.
        assert "cases" not in figure.columns, figure.name
        for numbers in (*(line.numbers for line in answer.lines), answer.total):
            assert list(numbers) == list(figure.columns), figure.name
            for name, number in numbers.items():
                if number.cases is not None and number.value:
                    cases = figures.cases(number.cases, as_of=position, limit=1_000)
                    assert len(cases.rows) == number.value, (figure.name, name)


def test_every_share_is_the_quotient_of_two_counts_of_its_table(
    figures: Figures,
) -> None:
    """A reader can divide again: no share is of a number that is nowhere told."""
    for figure in FIGURES.values():
        shares = {name for name, kind in figure.columns.items() if kind == "share"}
        assert shares == set(figure.shares), figure.name
        dimensions = ("channel",) if "group_by" in figure.parameters else ()
        answer = figures.answer(figure, Question(ALL, NOW, dimensions=dimensions))
        total = {name: number.value or 0 for name, number in answer.total.items()}
        for name, parts in figure.shares.items():
            kinds = {figure.columns[part] for part in (parts.of, parts.out_of)}
            assert kinds == {"count"}, (figure.name, name)
            running = 0.0
            for line in answer.lines:
                numbers = line.numbers
                part = numbers[parts.of].value or 0
                running += part
                whole = total[parts.out_of]
                if not parts.of_all:
                    whole = numbers[parts.out_of].value or 0
                share = (running if parts.running else part) / whole if whole else None
                assert numbers[name].value == pytest.approx(share), (figure.name, name)
            whole = total[parts.out_of]
            assert answer.total[name].value == pytest.approx(total[parts.of] / whole)


def backlog(figures: Figures, question: Question) -> Answer:
    return figures.answer(FIGURES["backlog"], question)


def test_the_backlog_is_what_was_open_by_age(figures: Figures) -> None:
    answer = backlog(figures, Question(ALL, NOW, dimensions=("department",)))
    still = [each for each in facts() if each.state in OPEN]
    assert {
        line.values["department"]: line.numbers["open"].value for line in answer.lines
    } == (Counter(each.department for each in still))
    assert answer.total["open"].value == len(still)
    ages = [NOW - each.received_at for each in still]
    days = (-10_000, 1, 7, 30, 90, 10_000)  # what lies ahead is young
    assert [answer.total[name].value for name in answer.total if name != "open"] == [
        sum(timedelta(first) < age <= timedelta(last) for age in ages)
        for first, last in pairwise(days)
    ]


def test_the_backlog_of_a_past_position_tells_ages_of_then(figures: Figures) -> None:
    """Its ages are told at the instant at which the position was known."""
    answer = backlog(figures, Question(ALL, NOW, as_of=700))
    assert answer.known.as_of is not None
    then = answer.known.as_of
    still = [each for each in facts(700) if each.state in OPEN]
    over = [each for each in still if then - each.received_at > timedelta(days=90)]
    assert answer.total["open"].value == len(still)
    assert answer.total["over_90_days"].value == len(over)


def test_nothing_open_is_an_empty_backlog(
    make_database: Callable[..., Database],
) -> None:
    empty = Figures(SqlFactStore(make_database("analytics")), ZoneInfo("UTC"))
    answer = backlog(empty, Question(ALL, NOW, dimensions=("state",)))
    assert answer.lines == []
    assert answer.total["open"].value == 0
