"""Rates, appeals, refusals and stated deadlines: what a fold of the log counts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from services.analytics.application.figures import FIGURES, Figures, Question
from services.analytics.application.recording import record
from services.analytics.domain.figures import Selection
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from tests.support.histories import START, folded, made_up_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from services.analytics.application.figures import Number
    from services.analytics.domain.facts import Facts
    from services.kernel.store.database import Database

ALL = Selection(filters=())
LOG = made_up_log(71, cases=250, events=2_500)
POSITION = 2_100
Counts = dict[str, float | None]


@pytest.fixture
def figures(make_database: Callable[..., Database]) -> Figures:
    store = SqlFactStore(make_database("analytics"))
    with store.transaction() as tx:
        record(store.live, tx, [logged.entry for logged in LOG])
        store.live.note(tx, [Known(*logged[:2]) for logged in LOG])
        store.settle(tx)
    return Figures(store, ZoneInfo("UTC"))


def divided(count: int, whole: int) -> float | None:
    return count / whole if whole else None


def rates(facts: Iterable[Facts]) -> Counts:
    facts = list(facts)
    responded = [each for each in facts if each.responded == "yes"]
    solved = [each for each in facts if each.solved == "yes"]
    rated = [each for each in facts if each.satisfied in {"yes", "no"}]
    asked = [each for each in facts if each.satisfied is not None]
    known = sum(each.responded is not None for each in facts)
    solvable = sum(each.solved is not None for each in facts)
    happy = [each for each in facts if each.satisfied == "yes"]
    return {
        "received": len(facts),
        "response_known": known,
        "responded": len(responded),
        "responded_share": divided(len(responded), known),
        "solvable": solvable,
        "solved": len(solved),
        "solved_share": divided(len(solved), solvable),
        "asked": len(asked),
        "rated": len(rated),
        "rated_share": divided(len(rated), len(asked)),
        "satisfied": len(happy),
        "satisfied_share": divided(len(happy), len(rated)),
    }


def appeals(facts: Iterable[Facts]) -> Counts:
    facts = list(facts)
    decided = [each for each in facts if each.decided == "yes"]
    words = ("pending", "accepted", "dismissed", "confirmed", "overturned", "unclear")
    standing = {word: sum(each.appeal == word for each in facts) for word in words}
    ended = sum(standing[word] for word in ("dismissed", "confirmed", "overturned"))
    after = sum(each.appeal is not None for each in decided)
    return {
        "decided": len(decided),
        "appealed": sum(standing.values()),
        "appealed_after": after,
        "appealed_share": divided(after, len(decided)),
        **standing,
        "ended": ended,
        "overturned_share": divided(standing["overturned"], ended),
    }


def declines(facts: Iterable[Facts]) -> Counts:
    facts = list(facts)
    declined = sum(each.decline_reason is not None for each in facts)
    words = ("stands", "contested", "overturned")
    standing = {word: sum(each.decline == word for each in facts) for word in words}
    return {
        "received": len(facts),
        "declined": declined,
        "declined_share": divided(declined, len(facts)),
        **standing,
        "overturned_share": divided(standing["overturned"], declined),
    }


def stated_deadlines(facts: Iterable[Facts]) -> Counts:
    said = [each.overdue for each in facts if each.overdue is not None]
    return {
        "stated": len(said),
        "in_time": said.count("no"),
        "overdue": said.count("yes"),
        "unsaid": said.count("unsaid"),
        "said": len(said) - said.count("unsaid"),
        "overdue_share": divided(said.count("yes"), len(said) - said.count("unsaid")),
    }


EXPECTED: dict[str, Callable[[Iterable[Facts]], Counts]] = {
    "rates": rates,
    "appeals": appeals,
    "declines": declines,
    "stated-deadlines": stated_deadlines,
}


def counts(numbers: Mapping[str, Number]) -> Counts:
    return {name: number.value for name, number in numbers.items()}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_number_is_what_a_fold_of_the_log_counts(
    figures: Figures, name: str
) -> None:
    known = list(folded(LOG[:POSITION]).values())
    dimension = "decline_reason" if name == "declines" else "department"
    question = Question(
        ALL, START, as_of=POSITION, dimensions=(dimension,), period="quarter"
    )
    answer = figures.answer(FIGURES[name], question)
    assert counts(answer.total) == EXPECTED[name](known)
    groups: dict[tuple[str, str | None], list[Facts]] = defaultdict(list)
    for each in known:
        at = each.received_at
        quarter = f"{at.year}-Q{(at.month + 2) // 3}"
        groups[quarter, getattr(each, dimension)].append(each)
    expected = {key: EXPECTED[name](members) for key, members in groups.items()}
    if name == "stated-deadlines":
        expected = {key: found for key, found in expected.items() if found["stated"]}
    assert {
        (str(line.values["period"]), line.values[dimension]): counts(line.numbers)
        for line in answer.lines
    } == expected


def test_every_standing_occurs_in_what_was_made_up() -> None:
    """Otherwise the comparison above would prove nothing of it."""
    known = folded(LOG[:POSITION]).values()
    for name, expected in EXPECTED.items():
        assert all(expected(known).values()), name
