"""How long a complaint takes at a steady pace, from when it was meant to be sent.

The loop is open: a message that had to wait for others counts that time as well. When
analytics has committed is heard on the bus, where it acknowledges after its commit.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.loading import offer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg

    from bench.measuring import Run
    from bench.offered import Lot, Offered
    from bench.processes import Amends

PACES: Final = (10, 100, 500)
SECONDS: Final = 10
SAMPLES: Final = 200
QUICK: Final = 50
"""Complaints at each pace."""

_ACKS: Final = "$JS.ACK.CASES.analytics.>"
_SEQUENCE: Final = -4
"""Place of the stream's sequence in the subject of an acknowledgement, from its end."""
_LOOK: Final = 0.02
_PLACES: Final = """
    SELECT s.channel || '/' || s.key, e.position
    FROM submission AS s JOIN handling.stored_events AS e
        ON e.case_id = s.case_id AND e.version = 1 AND e.position > {after}"""


def steady(run: Run, amends: Amends, offered: Offered, capacity: float) -> None:
    """Measure at three paces, and at 80 % of what it takes at most."""
    paces = {f"{pace}": float(pace) for pace in PACES} | {"capacity": 0.8 * capacity}
    found = run.turns(
        {
            name: partial(_turn, amends, offered, pace, quick=run.quick)
            for name, pace in paces.items()
        },
        turns=None if run.quick else 3,
        warm=False,
    )
    late = {
        name: [1e3 * percentile(turn, 0.99) for turn in turns]
        for name, turns in found.items()
    }
    for name, turns in found.items():
        half = [1e3 * percentile(turn, 0.5) for turn in turns]
        most = [1e3 * turn[-1] for turn in turns]
        run.figure(f"latency/{name}_p50", half, unit="ms", better="lower")
        run.figure(f"latency/{name}_p99", late[name], unit="ms", better="lower")
        run.figure(f"latency/{name}_max", most, unit="ms", better="lower")
    for name in ("100", "500"):
        run.ratio(f"latency/{name}", late[name], late["10"], better="lower")


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that so many of the sorted ones do not exceed."""
    return values[min(len(values) - 1, int(len(values) * share))]


def _turn(amends: Amends, offered: Offered, pace: float, *, quick: bool) -> list[float]:
    """Offer complaints at a pace; give the seconds of each, sorted.

    Nothing but complaints was ever handed in: position and sequence are the same then.
    """
    lot = offered.draw(QUICK if quick else max(SAMPLES, round(pace * SECONDS)))
    after = amends.committed()
    meant, acknowledged = asyncio.run(_heard(amends, lot, pace))
    first: dict[str, float] = {}
    for each, at in zip(lot.messages, meant, strict=True):
        if each.key in lot.worth:
            first.setdefault(f"{each.channel}/{each.key}", at)
    places = dict(amends.joined(_PLACES.format(after=after)))
    amends.quiet()
    return sorted(acknowledged[places[key]] - at for key, at in first.items())


async def _heard(
    amends: Amends, lot: Lot, pace: float
) -> tuple[list[float], dict[int, float]]:
    client, listener = await amends.connect(), await amends.connect()
    heard: dict[int, float] = {}
    done = amends.committed() + len(lot.worth)

    async def note(message: Msg) -> None:
        sequence = int(message.subject.split(".")[_SEQUENCE])
        heard.setdefault(sequence, time.perf_counter())

    await listener.subscribe(_ACKS, cb=note)
    await listener.flush()
    meant = await offer(client, lot.messages, lot.worth, rate=pace)
    while done not in heard or len(heard) < len(lot.worth):  # noqa: ASYNC110 told by a callback
        await asyncio.sleep(_LOOK)
    await client.close()
    await listener.close()
    return meant, heard
