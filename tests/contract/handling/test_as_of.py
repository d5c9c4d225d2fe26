"""A case as of an instant is one and the same by the interface, by the pages and by a replay."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from services.handling.api import cases
from services.handling.application.canonical import canonical
from services.handling.application.cases import Handling
from services.handling.application.looking import look
from services.handling.application.replaying import PARTITIONS, joined, replay_part
from services.handling.domain.evolution import evolve
from services.handling.persistence.case_order import in_case_order
from services.kernel.access import Credential
from services.kernel.clock import from_micros, rfc3339
from services.kernel.store.database import open_database
from services.kernel.web.problems import install
from tests.support.browsing import Browser
from tests.support.desk import NOW
from tests.support.given import DEFAULT_POLICY
from tests.support.stages import recorded, staged

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from services.handling.domain.case import Case

AUDITOR = Credential("user-yao", "auditor")
INSTANTS = 200
REPLAYS = 10
"""At so many of them the whole record is replayed too."""


class Auditor:
    def authenticate(self, _header: str | None) -> Credential:
        return AUDITOR


def digest(states: dict[UUID, Case]) -> str:
    """Digest the states of all cases by hand."""
    parts = [sha256() for _ in range(16)]
    for case_id in sorted(states):
        state = sha256(canonical(states[case_id]))
        parts[int(case_id.hex[0], 16)].update(state.digest())
    return sha256(b"".join(part.digest() for part in parts)).hexdigest()


def test_two_hundred_random_instants(tmp_path: Path) -> None:
    """Beside them the log is folded once more, from its beginning, in its own order."""
    events = staged(40, seed=12)
    database = open_database(f"sqlite:///{tmp_path}/one.sqlite", schema="handling")
    store, work_list = recorded(database, events)
    handling = Handling(store, work_list)
    app = FastAPI()
    app.include_router(
        cases.router(
            handling,
            None,  # type: ignore[arg-type]  # nothing is searched
            Auditor(),
            policy=DEFAULT_POLICY,
            zone=ZoneInfo("UTC"),
            now=lambda: NOW,
        )
    )
    install(app)
    api = Browser(app)
    chance = random.Random(13)  # noqa: S311 it must repeat
    log = store.log(0, len(events))
    first, last = log[0].committed_at, log[-1].committed_at
    instants = sorted(chance.randint(first, last) for _ in range(INSTANTS))
    replayed_at = set(chance.sample(range(INSTANTS), REPLAYS))
    then: dict[UUID, Case] = {}
    waiting = list(zip(log, events, strict=True))
    position = 0
    for number, at in enumerate(instants):
        while waiting and waiting[0][0].committed_at <= at:
            entry, event = waiting.pop(0)
            then[event.case_id] = evolve(then.get(event.case_id), event)
            position = entry.position
        instant = from_micros(at)
        case = then[chance.choice(list(then))]
        shown = look(
            handling, str(case.id), instant, sender=AUDITOR, policy=DEFAULT_POLICY
        )
        assert (shown.case, shown.position) == (case, position)
        told = api.get(f"/api/handling/cases/{case.id}?as_of={rfc3339(instant)}").json()
        assert told["position"] == position
        assert (told["version"], told["state"]) == (case.version, case.state)
        if number in replayed_at:
            parts = {
                each: replay_part(in_case_order(database, each, upto=position))
                for each in range(PARTITIONS)
            }
            found = joined(parts, handling.position(instant))
            assert (found.position, found.events) == (position, position)
            assert found.cases == len(then)
            assert found.digest == digest(then)
    database.close()
