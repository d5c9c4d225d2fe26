"""Many cases in one record, each at another place of its life, their events interleaved."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID

from events import codec
from services.handling.domain.evolution import evolve
from services.handling.persistence import WorkList
from services.kernel.store.application import EventStore, open_store
from tests.support.given import STAGES, enveloped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.envelope import Envelope
    from services.handling.domain.case import Case
    from services.kernel.store.database import Database

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


def staged(cases: int, *, seed: int) -> list[Envelope[Any]]:
    """Give the events of so many cases, mixed as they would arrive; the same for a seed."""
    chance = random.Random(seed)  # noqa: S311 it must repeat
    histories = []
    for number in range(cases):
        case_id = UUID(int=chance.getrandbits(128) & ~(0xF << 76) | 0x8 << 76)
        events = enveloped(chance.choice(list(STAGES.values())))
        receipt = events[0].data.model_copy(update={"receipt_no": f"{number:016}"})
        histories.append(
            [
                event.model_copy(
                    update={
                        "case_id": case_id,
                        "event_id": UUID(
                            int=event.event_id.int | chance.getrandbits(32) << 80
                        ),
                        "data": receipt if event.version == 1 else event.data,
                    }
                )
                for event in events
            ]
        )
    turns = [at for at, history in enumerate(histories) for _ in history]
    chance.shuffle(turns)
    left = [iter(history) for history in histories]
    return [next(left[at]) for at in turns]


def recorded(
    database: Database, events: Sequence[Envelope[Any]]
) -> tuple[EventStore[Any], WorkList]:
    """Put them into a record, known a minute apart, with the rows of their cases."""
    clock = iter(range(len(events)))
    store: EventStore[Any] = open_store(
        database,
        name="handling",
        codec=codec,
        now=lambda: START + dt.timedelta(minutes=next(clock)),
    )
    work_list = WorkList(database)
    cases: dict[UUID, Case] = {}
    for event in events:
        case = cases[event.case_id] = evolve(cases.get(event.case_id), event)
        with database.write() as tx:
            store.put(tx, [event])
            work_list.keep(tx, [case])
    return store, work_list
