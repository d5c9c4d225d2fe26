"""The table of who may do what holds against a whole amends, for some of the roles.

`make p12` tries all of them; here one role of each kind stands for its like. That every
route, role, command and class of events is in the table is looked at whole.
"""

import asyncio
from pathlib import Path

import pytest

from bench.isolation.table import Table, Verdict
from bench.line import Options
from bench.p12 import matrix

pytestmark = [pytest.mark.connected, pytest.mark.e2e]

ONE_OF_EACH = (
    "admin",
    "agent",
    "auditor",
    "channel",
    "department_handler",
    "migration",
)


def tried(folder: Path, *, control: bool = False, only=ONE_OF_EACH):
    wanted = Options(size="ci", control=control, seed=12)
    return asyncio.run(matrix(folder / "data", wanted, only=only))


def test_everybody_is_met_as_the_table_says(tmp_path: Path):
    found, leaks = tried(tmp_path)
    assert [*found.missing, *map(str, found.wrong())] == []
    assert leaks.leaks == []
    routes = {cell.what for cell in found.cells}
    assert routes >= set(Table.read().doors)
    assert leaks.subjects > 1_000


def test_a_protection_taken_away_is_noticed(tmp_path: Path):
    """Under rules in which nobody acts for a department, units see what is others'."""
    found, leaks = tried(tmp_path, control=True, only=("department_handler",))
    seen = {cell.what for cell in found.wrong() if cell.got is Verdict.LET_IN}
    assert {"list", "count", "search", "read", "document", "write"} <= seen
    assert leaks.leaks
