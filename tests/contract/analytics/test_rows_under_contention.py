"""Several workers and a rebuild at once lose nothing, double nothing, block nobody."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from events.codec import encode
from services.analytics.application.rebuilding import run_rebuild
from services.analytics.application.recording import record
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.log_client import Page
from tests.support.histories import Logged, made_up_log, shuffled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.kernel.store.database import Database

LOG = made_up_log(51, cases=120, events=1_500)


class _Line:
    def __init__(self, logged: Logged) -> None:
        self.position, self.committed_at = logged.position, logged.committed_at
        self.body = encode(logged.event)


LINES = [_Line(logged) for logged in LOG]


def work(store: SqlFactStore, part: Sequence[Logged]) -> None:
    for at in range(0, len(part), 20):
        batch = part[at : at + 20]
        with store.transaction() as tx:
            unfit = record(store.live, tx, [each.entry for each in batch])
            store.live.note(tx, [Known(*each[:2]) for each in batch])
            store.settle(tx, unfit=unfit)


async def _page(after: int, limit: int) -> Page:
    return Page([each for each in LINES if each.position > after][:limit], len(LOG))


async def _write(job: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(job)


def rebuild(store: SqlFactStore) -> None:
    asyncio.run(
        run_rebuild(
            store,
            fetch=_page,
            write=_write,
            report=lambda _: None,
            patience=0,
        )
    )


def test_workers_and_rebuilds_at_once(make_database: Callable[..., Database]) -> None:
    dice = random.Random(52)  # noqa: S311 - repeatable
    stores = [SqlFactStore(make_database("analytics")) for _ in range(3)]
    arrived = shuffled(LOG, dice, again=0.1)
    mine = [each for each in arrived if each.event.case_id.int % 2]
    yours = [each for each in arrived if not each.event.case_id.int % 2]
    with ThreadPoolExecutor() as threads:
        running = [
            threads.submit(work, stores[0], mine),
            threads.submit(work, stores[1], yours),
            threads.submit(rebuild, stores[2]),
        ]
        for each in running:
            each.result(timeout=60)
    alone = SqlFactStore(make_database("alone"))
    work(alone, LOG)
    with stores[0].snapshot() as rows:
        assert rows.standing[:2] == (len(LOG), 0)
    assert stores[0].digest(len(LOG), beside=False) == alone.digest(
        len(LOG), beside=False
    )
