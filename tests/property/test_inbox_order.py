"""However events are disordered, doubled and cut into batches, the result is one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.store.database import open_database
from tests.support.inbox import Follower, Reader

KEYS = [(case, version) for case in range(1, 5) for version in range(1, 7)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("inbox") / "inbox.sqlite"
    database = open_database(f"sqlite:///{path}", schema="inbox")
    yield database
    database.close()


def batches(keys: list[tuple[int, int]], cuts: list[int]):
    edges = sorted({0, len(keys), *(cut % (len(keys) + 1) for cut in cuts)})
    return [keys[a:b] for a, b in pairwise(edges)]


@given(
    order=st.permutations(KEYS),
    twice=st.lists(st.sampled_from(KEYS), max_size=20),
    late=st.sets(st.sampled_from(KEYS), max_size=6),
    poison=st.sets(st.sampled_from(KEYS), max_size=4),
    raising=st.sets(st.sampled_from(KEYS), max_size=4),
    cuts=st.lists(st.integers(0, 60), max_size=12),
    random=st.randoms(use_true_random=False),
)
def test_any_delivery_equals_the_one_in_order(  # noqa: PLR0917  (drawn by name)
    database, order, twice, late, poison, raising, cuts, random
):
    """What lacks, cannot be read or handled holds its own case at its own place, no more."""
    reader = Reader(poison=set(poison))
    follower = Follower(database, reader)
    follower.raising = set(raising)
    deliveries = [key for key in [*order, *twice] if key not in late]
    random.shuffle(deliveries)
    for batch in batches(deliveries, cuts):
        follower.take(batch)
    held = late | poison | raising

    def upto(case: int) -> int:
        return min((v for c, v in held if c == case), default=7) - 1

    expected = {case: list(range(1, upto(case) + 1)) for case in range(1, 5)}
    assert follower.by_case() == {case: vs for case, vs in expected.items() if vs}
    delivered = {key for key in KEYS if key not in late}
    waiting = {(case, v) for case, v in delivered if v > upto(case)}
    assert sum(follower.waiting().values()) == len(waiting)

    follower.take(sorted(late, reverse=True))
    reader.poison.clear()
    follower.raising.clear()
    follower.replay()
    assert follower.by_case() == {case: list(range(1, 7)) for case in range(1, 5)}
    assert follower.waiting() == {}
