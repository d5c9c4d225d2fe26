"""What the parts of a service tell of themselves, when somebody asks for figures.

Each question costs a few reads of an index or two words with the broker, however long
the history is. What does not answer in time is left out, and counted as missing.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel import measures
from services.kernel.ledger.tree import sealed
from services.kernel.measures import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from services.kernel.inbox import Consumer, Following
    from services.kernel.inbox.door import Door
    from services.kernel.record import Record
    from services.kernel.relay import Relay
    from services.kernel.store.recorder import LogEntry

    class _Log(Protocol):
        def log(self, after: int, limit: int) -> Sequence[LogEntry]: ...

        def last_position(self) -> int: ...

    class _Pulled(Protocol):
        @property
        def in_hand(self) -> int: ...

        async def lag(self) -> tuple[int, float]: ...


Question = Callable[[], Awaitable[Iterable[Sample]]]
"""Gives what one part tells now."""

PATIENCE: Final = 2.0
"""Seconds that one question may take."""

_CODE: Final = re.compile(r"[a-z]+(\.[a-z0-9_]+)+")
_UNREADABLE: Final = "bus.malformed"
"""Stands for the reasons that name the fields of one message: they are no code."""

_STANDBYS: Final = (
    "SELECT COUNT(*), MAX(EXTRACT(EPOCH FROM replay_lag)) FROM pg_stat_replication"
    " WHERE state = 'streaming'"
)
"""A role that may not see what others do counts none."""

_log = structlog.get_logger(__name__)


async def told(service: str, questions: Sequence[Question]) -> list[Sample]:
    """Ask all at once; never raises."""
    answers = await asyncio.gather(*(_answered(each) for each in questions))
    missing = sum(answer is None for answer in answers)
    found = [sample for answer in answers for sample in answer or ()]
    return [*found, measures.MISSING.of(missing, service)]


async def _answered(question: Question) -> list[Sample] | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return list(await question())
    except Exception as error:  # noqa: BLE001 whatever it is, the others answer
        _log.debug("figures.missing", reason=type(error).__name__)
        return None


def asked_in_thread(look: Callable[[], Iterable[Sample]]) -> Question:
    """Make a question of a look at the database."""

    async def question() -> Iterable[Sample]:
        return await asyncio.to_thread(look)

    return question


def of_record(record: Record[Any]) -> list[Sample]:
    """Tell how far a record and its seal reach."""
    store = record.store
    with record.database.read() as tx:
        seal = sealed(tx).position
        standbys = tx.fetchone(_STANDBYS) if tx.dialect == "postgres" else None
    behind = float(standbys[1] or 0.0) if standbys and standbys[0] else None
    return [
        *([] if behind is None else [measures.STANDBY.of(behind, store.name)]),
        measures.RECORD.of(store.last_position(), store.name),
        measures.SEAL.of(seal, store.name),
        *lagging(store, store.name, "sealer", seal),
    ]


def lagging(log: _Log, service: str, follower: str, position: int) -> list[Sample]:
    """Tell how far a follower of a service's own log is behind its end."""
    events = max(0, log.last_position() - position)
    first = log.log(position, 1) if events else ()
    since = first[0].committed_at if first else None
    return _lag(service, follower, events, _age(since))


def of_relay(service: str, relay: Relay) -> list[Sample]:
    """Tell what a relay sent, and of what it has still to send."""
    status = relay.status()
    names = service, status.stream
    found = [
        measures.RELAYING.of(status.state == "relaying", *names),
        measures.RELAY_SENT.of(status.sent, *names),
        measures.RELAY_ACCEPTED.of(status.accepted, *names),
        measures.RELAY_WINDOW.of(status.unanswered, *names),
    ]
    oldest = relay.oldest()
    if oldest is not None:  # else nobody knows yet where the stream ends
        events, since = oldest
        found += _lag(service, f"relay_{status.stream}", events, _age(since))
    return found


async def of_pull(service: str, follower: str, pull: _Pulled) -> list[Sample]:
    """Tell what somebody who pulls from a stream has still to handle."""
    events, seconds = await pull.lag()
    return [
        measures.IN_HAND.of(pull.in_hand, service, follower),
        *_lag(service, follower, events, seconds),
    ]


def of_inbox(service: str, consumer: Consumer) -> list[Sample]:
    """Tell what waits in an inbox, as its consumer saw it half a second ago."""
    status = consumer.status()
    waiting = status.waiting
    counts = {"gap": waiting.gaps, "newer": waiting.newer, "poison": waiting.poison}
    since = waiting.since if waiting.gaps else None
    return [
        *(measures.WAITING.of(n, service, reason) for reason, n in counts.items()),
        measures.OLDEST_GAP.of(_age(since), service),
        measures.PAUSED.of(status.paused, service),
        measures.TAKEN.of(consumer.taken, service),
    ]


def of_quarantine(
    service: str, following: Following, door: Door | None = None
) -> list[Sample]:
    """Count what waits for a person, by the code of why."""
    counts: Counter[str] = Counter()
    with following.database.read() as tx:
        for reason, count in following.inbox.quarantine.counted(tx):
            counts[reason if _CODE.fullmatch(reason) else _UNREADABLE] += count
        if door is not None:
            counts.update(door.counted(tx))
    return [
        measures.QUARANTINE.of(count, service, reason)
        for reason, count in sorted(counts.items())
    ]


def _lag(service: str, follower: str, events: int, seconds: float) -> list[Sample]:
    return [
        measures.LAG_EVENTS.of(events, service, follower),
        measures.LAG_SECONDS.of(seconds, service, follower),
    ]


def _age(since: int | None) -> float:
    """Give the seconds since an instant in microseconds; 0 where there is none."""
    return 0.0 if since is None else max(0.0, time.time() - since / 1e6)
