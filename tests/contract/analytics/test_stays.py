"""Dwell, holding and returns on both databases: what a walk through the log measures."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from events.catalogue import AssignmentReturned, DepartmentAssigned, RecordCorrected
from events.vocabulary import AssignmentRole, Precision, ReturnReason
from services.analytics.application.figures import FIGURES, Figures, Question
from services.analytics.application.recording import record
from services.analytics.domain.figures import OPEN, Selection
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from tests.support.histories import (
    START,
    Logged,
    case_number,
    happened,
    made_up_log,
    shuffled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from services.analytics.application.figures import Answer
    from services.kernel.store.database import Database

ALL = Selection(filters=())
LOG = made_up_log(81, cases=150, events=2_000)
NOW = START + timedelta(days=500)


@pytest.fixture
def store(make_database: Callable[..., Database]) -> SqlFactStore:
    return SqlFactStore(make_database("analytics"))


def arrive(store: SqlFactStore, log: list[Logged]) -> Figures:
    for at in range(0, len(log), 77):
        part = log[at : at + 77]
        with store.transaction() as tx:
            assert record(store.live, tx, [logged.entry for logged in part]) == 0
            store.live.note(tx, [Known(*logged[:2]) for logged in part])
            store.settle(tx)
    return Figures(store, ZoneInfo("UTC"))


@dataclass
class Stay:
    """A walk's own account of one stay."""

    case: UUID
    place: str
    began: datetime | None
    took: int | None = None
    running: bool = True


@dataclass
class Walk:
    """A second account of the log, which shares no code with the rows."""

    state: str = "RECEIVED"
    lead: str | None = None
    states: list[Stay] = field(default_factory=list)
    holders: list[Stay] = field(default_factory=list)
    returns: list[tuple[str, str]] = field(default_factory=list)


def walked(log: Iterable[Logged]) -> dict[UUID, Walk]:
    walks: dict[UUID, Walk] = {}
    for _, _, event in log:
        exact = event.occurred_precision is not Precision.NOT_BEFORE
        at = event.occurred_at if exact else None
        case, data = event.case_id, event.data
        if case not in walks:
            first = [Stay(case, "RECEIVED", at)], [Stay(case, "-", at)]
            walks[case] = Walk(states=first[0], holders=first[1])
            continue
        walk = walks[case]
        lead = getattr(data, "role", None) is AssignmentRole.LEAD
        if isinstance(data, DepartmentAssigned) and lead:
            walk.lead = data.department
        if isinstance(data, AssignmentReturned) and lead:
            walk.lead = None
            walk.returns.append((data.department, data.reason.value))
        if isinstance(data, RecordCorrected):
            assert data.correction is None or data.correction.field != "department"
        walk.state = event.data.state_after(None) or walk.state
        for stays, place in (
            (walk.states, walk.state),
            (walk.holders, walk.lead or "-"),
        ):
            there = place if walk.state in OPEN else None
            last = stays[-1] if stays and stays[-1].running else None
            if last is not None and last.place != there:
                last.running = False
                last.took = spent(last.began, at)
            if there is not None and (last is None or not last.running):
                stays.append(Stay(case, there, at))
    return walks


def spent(began: datetime | None, ended: datetime | None) -> int | None:
    if began is None or ended is None:
        return None
    return max(0, int((ended - began) / timedelta(seconds=1)))


def measured(stays: list[Stay], at: datetime) -> dict[str, float | None]:
    took = [spent(s.began, at) if s.running else s.took for s in stays]
    known = sorted(each for each in took if each is not None)
    return {
        "complaints": len({stay.case for stay in stays}),
        "stays": len(stays),
        "still": sum(stay.running for stay in stays),
        "left_out": len(took) - len(known),
        "median": known[ceil(len(known) / 2) - 1] if known else None,
        "p90": known[ceil(len(known) * 9 / 10) - 1] if known else None,
        "mean": sum(known) / len(known) if known else None,
        "longest": max(known, default=None),
    }


def lines(answer: Answer, *names: str) -> dict[tuple[str | None, ...], object]:
    return {
        tuple(line.values[name] for name in names): {
            name: number.value for name, number in line.numbers.items()
        }
        for line in answer.lines
    }


@pytest.mark.parametrize("position", [2_000, 1_100])
@pytest.mark.parametrize(
    ("name", "kind", "label"),
    [("dwell", "states", "in_state"), ("holding", "holders", "holder")],
)
def test_stays_are_what_a_walk_through_the_log_measures(
    store: SqlFactStore, name: str, kind: str, label: str, position: int
) -> None:
    figures = arrive(store, shuffled(LOG, random.Random(82)))  # noqa: S311 repeatable
    question = Question(ALL, NOW, as_of=position)
    answer = figures.answer(FIGURES[name], question)
    at = answer.known.as_of
    assert at is not None
    places: dict[tuple[str | None], list[Stay]] = defaultdict(list)
    for walk in walked(LOG[:position]).values():
        for stay in getattr(walk, kind):
            places[(None if stay.place == "-" else stay.place,)].append(stay)
    assert lines(answer, label) == {
        place: measured(stays, at) for place, stays in places.items()
    }
    every = [stay for stays in places.values() for stay in stays]
    total = {name: number.value for name, number in answer.total.items()}
    assert total == measured(every, at)


def test_a_stay_is_counted_in_the_group_that_its_complaint_is_in_now(
    store: SqlFactStore,
) -> None:
    figures = arrive(store, LOG)
    question = Question(ALL, NOW, dimensions=("channel",), period="year")
    answer = figures.answer(FIGURES["dwell"], question)
    receipts = {}
    for _, _, event in LOG:
        receipts.setdefault(event.case_id, event)
    groups: dict[tuple[str | None, ...], list[Stay]] = defaultdict(list)
    for case, walk in walked(LOG).items():
        receipt = receipts[case]
        channel = receipt.channel.value if receipt.channel else None
        for stay in walk.states:
            groups[str(receipt.occurred_at.year), channel, stay.place].append(stay)
    assert lines(answer, "period", "channel", "in_state") == {
        key: measured(stays, NOW) for key, stays in groups.items()
    }


def test_returns_are_counted_for_the_department_that_gave_back(
    store: SqlFactStore,
) -> None:
    figures = arrive(store, LOG)
    answer = figures.answer(FIGURES["returns"], Question(ALL, NOW))
    had: dict[str, set[UUID]] = defaultdict(set)
    gave: dict[str, list[tuple[UUID, str]]] = defaultdict(list)
    for case, walk in walked(LOG).items():
        for stay in walk.holders:
            if stay.place != "-":
                had[stay.place].add(case)
        for department, reason in walk.returns:
            gave[department].append((case, reason))
    assert lines(answer, "had_by") == {
        (department,): {
            "assigned": len(had[department]),
            "returned": len({case for case, _ in gave[department]}),
            "returned_share": len({case for case, _ in gave[department]})
            / len(had[department])
            if had[department]
            else None,
            "returns": len(gave[department]),
            **{
                reason.value: sum(why == reason for _, why in gave[department])
                for reason in ReturnReason
            },
        }
        for department in {*had, *gave}
    }
    assert sum(map(len, gave.values())) > 20
    returned = {case for each in gave.values() for case, _ in each}
    assert answer.total["returned"].value == len(returned)


def test_what_is_not_exactly_known_is_left_out_and_said(store: SqlFactStore) -> None:
    history = [
        happened("ComplaintReceived"),
        happened(
            "DepartmentAssigned",
            version=2,
            at=START + timedelta(days=2),
            department="quality",
        ),
        happened(
            "ComplaintResolved",
            version=3,
            at=START + timedelta(days=3),
            precision=Precision.NOT_BEFORE,
        ),
    ]
    log = [Logged(n, n, event) for n, event in enumerate(history, start=1)]
    figures = arrive(store, log)
    answer = figures.answer(FIGURES["dwell"], Question(ALL, NOW))
    found = {line.values["in_state"]: line.numbers for line in answer.lines}
    assert found["RECEIVED"]["median"].value == timedelta(days=2).total_seconds()
    assert [found[state]["left_out"].value for state in found] == [0, 1, 1]
    assert found["ASSIGNED"]["longest"].value is None
    assert found["RESOLVED"]["still"].value == 1


def test_a_corrected_department_is_no_move(store: SqlFactStore) -> None:
    assigned = happened("DepartmentAssigned", version=2, department="quality")
    wrong = happened(
        "RecordCorrected",
        version=3,
        target_event_id=assigned.event_id,
        correction=happened("RecordCorrected").data.correction.model_copy(  # type: ignore[attr-defined]
            update={"field": "department", "value": "sales"}
        ),
    )
    log = [
        Logged(n, n, event)
        for n, event in enumerate(
            [happened("ComplaintReceived"), assigned, wrong], start=1
        )
    ]
    figures = arrive(store, log)
    answer = figures.answer(FIGURES["holding"], Question(ALL, NOW))
    assert {
        line.values["holder"]: line.numbers["stays"].value for line in answer.lines
    } == {None: 1, "sales": 1}
    assert case_number(1) == assigned.case_id


def test_what_a_complaint_went_through_can_be_asked_for(store: SqlFactStore) -> None:
    figures = arrive(store, LOG)
    walks = walked(LOG)
    chosen = Selection(filters=(("was_in", ("INVESTIGATED",)), ("held_by", ("sales",))))
    expected = {
        case
        for case, walk in walks.items()
        if any(stay.place == "INVESTIGATED" for stay in walk.states)
        and any(stay.place == "sales" for stay in walk.holders)
    }
    found = figures.cases(chosen, limit=1_000).rows
    assert {row.case_id for row in found} == expected
    assert 0 < len(expected) < len(walks)
