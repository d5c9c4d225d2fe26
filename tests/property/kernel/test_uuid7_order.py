"""UUIDv7: the layout of RFC 9562; ids of one millisecond rise, in every thread."""

import datetime as dt
import multiprocessing
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import new_uuid7

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
MILLISECOND = dt.timedelta(milliseconds=1)
after_1970 = st.datetimes(
    min_value=dt.datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.just(dt.UTC),
)


@given(after_1970)
def test_an_id_holds_its_instant_version_and_variant(now: dt.datetime) -> None:
    made = new_uuid7(now)
    since = now - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert made.int >> 80 == since // MILLISECOND
    assert made.version == 7
    assert made.variant == uuid.RFC_4122


@given(st.lists(st.integers(0, 3), max_size=200))
def test_ids_of_a_millisecond_rise_however_instants_interleave(
    steps: list[int],
) -> None:
    last: dict[int, uuid.UUID] = {}
    for step in steps:
        made = new_uuid7(NOW + step * MILLISECOND)
        assert made > last.get(step, uuid.UUID(int=0))
        last[step] = made


def test_threads_share_no_id_and_each_sees_its_own_rise() -> None:
    def take(_: int) -> list[uuid.UUID]:
        return [new_uuid7(NOW) for _ in range(2_000)]

    with ThreadPoolExecutor(4) as pool:
        lots = list(pool.map(take, range(4)))
    assert len({made for lot in lots for made in lot}) == 8_000
    assert all(lot == sorted(lot) for lot in lots)


def _tail(_: int) -> int:
    return new_uuid7(NOW).int & (2**74 - 1)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork here"
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # since 3.12
def test_a_forked_child_does_not_go_on_where_its_parent_is() -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (child,) = pool.map(_tail, [0])
    assert abs(child - _tail(0)) > 2**40


def test_an_instant_before_1970_is_refused() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        new_uuid7(dt.datetime(1969, 12, 31, tzinfo=dt.UTC))
