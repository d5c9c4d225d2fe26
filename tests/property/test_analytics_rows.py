"""Rows do not depend on how events arrive: disordered, twice, in batches of any size."""

from __future__ import annotations

import random
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from services.analytics.application.recording import record
from services.analytics.domain.figures import pareto
from services.analytics.persistence import SqlFactStore
from services.analytics.ports import Known
from services.kernel.store.database import open_database
from tests.support.histories import Logged, made_up_log, shuffled


def digest_of(arrived: list[Logged], cuts: random.Random, position: int) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "analytics.sqlite"
        database = open_database(f"sqlite:///{path}", schema="analytics")
        store = SqlFactStore(database)
        at = 0
        while at < len(arrived):
            part = arrived[at : at + cuts.randrange(1, 40)]
            at += len(part)
            with store.transaction() as tx:
                assert record(store.live, tx, [each.entry for each in part]) == 0
                store.live.note(tx, [Known(*each[:2]) for each in part])
                store.settle(tx)
        with store.snapshot() as rows:
            assert rows.standing[:2] == (position, 0)
        found = store.digest(position, beside=False)
        database.close()
    return found


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), cases=st.integers(1, 12), events=st.integers(1, 90))
def test_disorder_and_repetition_give_the_same_rows(
    seed: int, cases: int, events: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable
    log = made_up_log(seed, cases=cases, events=events)
    in_order = digest_of(log, dice, events)
    assert digest_of(shuffled(log, dice), dice, events) == in_order


PATHS = st.none() | st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
    "/".join
)


@given(st.dictionaries(PATHS, st.integers(1, 50)))
def test_shares_of_a_pareto_add_up_to_one(counts: dict[str | None, int]) -> None:
    rows = pareto(counts)
    assert [row.count for row in rows] == sorted(counts.values(), reverse=True)
    assert not rows or rows[-1].cumulative_share == 1.0
    shares = [row.cumulative_share for row in rows]
    assert shares == sorted(shares)
