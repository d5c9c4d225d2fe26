"""The services through drawn faults: a few seeds; thousands by `make simulation`."""

from __future__ import annotations

from itertools import count

import pytest

from tests.faults.simulation import live

# Chance decides what it reaches: the report counts the tests of single cases alone.
pytestmark = pytest.mark.no_cover

SEEDS = range(1, 19)


def test_no_promise_is_broken_whatever_befalls_the_services() -> None:
    lives = list(live(SEEDS))
    assert [each.violations for each in lives if each.violations] == []
    assert sum(each.crashes for each in lives) > len(SEEDS)
    assert sum(each.events for each in lives) > 10 * len(SEEDS)


def test_a_seed_gives_the_same_life_again() -> None:
    """Else a failure could not be repeated; also behind another seed's life."""
    first, _, again = live([19, 20, 19])
    assert first == again


@pytest.mark.parametrize("which", [1, 2], ids=["acknowledges first", "applies all"])
def test_an_inbox_without_its_protection_is_found_out(which: int) -> None:
    lives = live(count(which, 2), control=True)
    assert any(each.violations for each, _ in zip(lives, range(40), strict=False))
