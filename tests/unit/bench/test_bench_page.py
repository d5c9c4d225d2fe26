"""The page of figures says what the run's file says, and nothing else."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import bench
from bench.measuring import Figure
from bench.page import page
from bench.report import document
from bench.targets import TARGETS

MACHINE = {
    "cpu": "A processor",
    "cores": 2,
    "fdatasync_per_s": 9_876,
    "os": "Linux",
    "python": "3.11",
}
MISSED_COLOUR = "#d2603a"
SUITES = "".join(
    each.read_text("utf-8") for each in (Path(bench.__file__).parent).rglob("*.py")
)
MISSED = """
## `e2e/bare`

The loop is the limit.

## `load/library`

Never shown.
"""


def figure(name: str, value: float, points=()) -> Figure:
    return Figure(
        name=name,
        value=value,
        low=value * 0.9,
        high=value * 1.1,
        unit="ratio",
        better="higher",
        turns=5,
        checked=True,
        points=points,
    )


def written(*, quick: bool) -> dict[str, str]:
    done = document(
        [
            figure("e2e/bare", 0.4321),
            figure("load/library", 8.765),
            figure("fsyncs/intake", 0.15),
            figure("e2e/amends_rate", 1_234.4, points=[(10, 1.0), (100, 0.75)]),
        ],
        {"append/emmett": "node is not there"},
        machine=MACHINE,
        commit="abc123",
        seed=42,
        quick=quick,
    )
    return page(done, MISSED)


@pytest.fixture
def files() -> dict[str, str]:
    return written(quick=False)


def row(files: dict[str, str], name: str) -> list[str]:
    (found,) = re.findall(rf"^\| `{name}`.*$", files["performance.md"], re.MULTILINE)
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_each_figure_stands_there_with_spread_target_and_standing(files):
    assert row(files, "e2e/bare")[1:] == [
        "0.432 [0.389-0.475]",
        "≥ 0.65 (aim 0.85)",
        "missed",
    ]
    assert row(files, "load/library")[1:] == ["8.77 [7.89-9.64]", "≥ 4", "met"]
    assert row(files, "e2e/amends_rate")[1:] == ["1,234 [1,111-1,358]", "ratio", "5"]


def test_every_target_has_its_row_also_where_it_was_not_measured(files):
    for target in TARGETS:
        assert len(row(files, target.name)) == 4
    assert row(files, "append/emmett")[3] == "skipped: node is not there"
    assert row(files, "replay/scan")[1:] == ["", "≥ 0.15", "not measured"]


def test_the_machine_the_commit_and_the_seed_stand_there(files):
    text = files["performance.md"]
    assert "A processor, 2 cores, 9,876 fdatasync/s, Linux; python 3.11" in text
    assert "Commit `abc123`, seed 42." in text


def test_what_is_known_of_a_missed_target_stands_there_and_of_no_other(files):
    text = files["performance.md"]
    assert "### `e2e/bare`\n\nThe loop is the limit." in text
    assert "Never shown." not in text


def test_a_quick_run_says_so_and_gives_no_verdict_on_times(files):
    quick = written(quick=True)
    text = quick["performance.md"]
    assert "a quick run (`make bench-quick`)" in text
    assert "the median" not in text
    assert row(quick, "e2e/bare")[3] == row(quick, "load/library")[3] == ""
    assert row(quick, "fsyncs/intake")[2:] == ["≤ 0.5 in a quick run", "met"]
    assert "Where a target is missed" not in text
    assert MISSED_COLOUR not in quick["performance-targets.svg"]
    assert "quick run" not in files["performance.md"]
    assert "the median" in files["performance.md"]
    assert MISSED_COLOUR in files["performance-targets.svg"]


def test_every_unit_is_explained(files):
    units = re.findall(r"unit=\"([^\"]+)\"", SUITES)
    assert len(set(units)) > 5
    told = files["performance.md"].partition("| unit |")[2].partition("\n\n")[0]
    first = " ".join(line.split("|")[1] for line in told.splitlines()[1:])
    assert [unit for unit in units if unit not in first] == []


def test_plots_are_svg_with_their_numbers(files):
    names = {name for name in files if name.endswith(".svg")}
    assert names == {"performance-targets.svg", "performance-e2e-amends-rate.svg"}
    for name in names:
        assert f"]({name})" in files["performance.md"]
        ET.fromstring(files[name])  # noqa: S314 our own
    assert ">0.432<" in files["performance-targets.svg"]
    assert ">0.75<" in files["performance-e2e-amends-rate.svg"]
