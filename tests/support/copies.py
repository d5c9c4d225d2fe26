"""A history in which events of every kind concern departments, or do not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any
from uuid import UUID

from events.examples import EXAMPLES
from events.vocabulary import Origin
from services.kernel.clock import new_uuid7

if TYPE_CHECKING:
    import random

    from events.envelope import Envelope

NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)
DEPARTMENTS = ("logistics", "quality")


def history(dice: random.Random, *, cases: int, events: int) -> list[Envelope[Any]]:
    """Give events of several cases, mixed; of no, one or all of the departments."""
    versions = dict.fromkeys((UUID(int=1 << 127 | n) for n in range(cases)), 0)
    told = []
    for _ in range(events):
        case_id = dice.choice(list(versions))
        versions[case_id] += 1
        example = EXAMPLES[dice.choice(list(EXAMPLES))]
        concerned = dice.sample(DEPARTMENTS, dice.randint(0, len(DEPARTMENTS)))
        changes = {
            "event_id": new_uuid7(NOW),
            "case_id": case_id,
            "version": versions[case_id],
            "departments": tuple(sorted(concerned)),
            "origin": dice.choice([Origin.LIVE] * 4 + [Origin.MIGRATION, Origin.DEMO]),
        }
        told.append(example.model_copy(update=changes))
    return told
