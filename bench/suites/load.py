"""Loading a case of ten events: its state, and beside it what the library gives by default.

The library's own aggregate holds the same facts in as many events, in its own SQLite
recorder with its own JSON transcoding and projector, all as it comes.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from events import codec
from services.handling.domain.evolution import evolve
from services.handling.persistence import WorkList
from services.handling.persistence.record import HandlingRecord
from services.kernel.clock import system_clock
from services.kernel.store.application import EventStore, open_store
from services.kernel.store.database import open_database
from tests.support.given import STAGES, enveloped

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.measuring import Run
    from events.envelope import Envelope
    from services.handling.domain.case import Case

_CASES: Final = 200
_LOADS: Final = 5
_EVENTS: Final = 10


class Complaint(Aggregate):
    """A complaint as the library's guide would write it; its events say what ours do."""

    def __init__(self, name: str, said: dict[str, Any]) -> None:
        self.said = {name: said}
        self.facts = 1

    @event("Happened")
    def happen(self, name: str, said: dict[str, Any]) -> None:
        self.said[name] = said
        self.facts += 1


def measure(run: Run) -> None:
    history = _history()
    chance = run.chance
    ids = [UUID(int=chance.getrandbits(128)) for _ in range(_CASES)]
    with closing(
        open_database(f"sqlite://{run.folder}/ours.sqlite", schema="handling")
    ) as database:
        store: EventStore[Any] = open_store(
            database, name="handling", codec=codec, now=system_clock
        )
        record = HandlingRecord(
            store, WorkList(database), cast("Any", None), cast("Any", None)
        )
        with database.write() as tx:
            for case in ids:
                store.put(
                    tx, [it.model_copy(update={"case_id": case}) for it in history]
                )
        library: Application[UUID] = Application(
            env={
                "PERSISTENCE_MODULE": "eventsourcing.sqlite",
                "SQLITE_DBNAME": f"{run.folder}/library.sqlite",
            }
        )
        theirs = [_complaint(library, history) for _ in ids]

        def fold(case_id: UUID) -> Case | None:
            case: Case | None = None
            with database.read() as tx:
                for each in record.load(tx, case_id):
                    case = evolve(case, each)
            return case

        for case in ids:
            state = fold(case)
            run.agree("version of a case", state and state.version, _EVENTS)
            run.agree("what happened", state and len(state.history), _EVENTS)
        for each in theirs:
            found: Complaint = library.repository.get(each)
            run.agree("facts of the library's", found.facts, _EVENTS)
        took = run.turns(
            {
                "ours": _timed(fold, ids),
                "library": _timed(library.repository.get, theirs),
            }
        )
        library.close()
    run.ratio("load/library", took["ours"], took["library"])
    run.figure("load/rate", took["ours"], unit="cases/s")


def _history() -> list[Envelope[Any]]:
    """Find a life that has ten events, or begins with ten."""
    lives = (enveloped(stage) for stage in STAGES.values())
    return next(life for life in lives if len(life) >= _EVENTS)[:_EVENTS]


def _complaint(library: Application[UUID], history: Sequence[Envelope[Any]]) -> UUID:
    complaint = Complaint(history[0].type, _said(history[0]))
    for each in history[1:]:
        complaint.happen(each.type, _said(each))
    library.save(complaint)
    return complaint.id


def _said(fact: Envelope[Any]) -> dict[str, Any]:
    plain = json.loads(codec.encode(fact))
    return {
        "event_id": fact.event_id,
        "occurred_at": fact.occurred_at,
        "recorded_at": fact.recorded_at,
        **{name: plain[name] for name in ("actor", "tenant", "correlation_id", "data")},
    }


def _timed(load: Callable[[UUID], Any], ids: Sequence[UUID]) -> Callable[[], float]:
    def rate() -> float:
        begun = time.process_time()
        for _ in range(_LOADS):
            for case in ids:
                load(case)
        return _LOADS * len(ids) / (time.process_time() - begun)

    return rate
