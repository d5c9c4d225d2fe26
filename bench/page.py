"""Writes the page of figures from a run's file: `python -m bench.page [build/bench.json]`.

Every number on the page comes from that file; words about what is missed come from
`bench/missed.md`, a section a figure, and stand there only while it is missed.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.plots import against_targets, line_of
from bench.report import about, bound, number, standing
from bench.targets import BY_NAME, TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "performance.md"
MISSED: Final = Path(__file__).with_name("missed.md")

HEAD: Final = """\
# Performance

What amends does beside the limits of its machine and beside other programs.
{how}
A figure is given only where what came of the work was checked against an [independent model]({oracle}) of what had to come: rows, positions, states, figures, streams, rejects, ledger, rebuild.
Absolute rates say as much about the machine as about amends:

> {machine}
>
> Commit `{commit}`, seed {seed}.

## Targets

![Each figure beside its target](performance-targets.svg)

| figure | measured | target | |
|---|---:|---:|---|
"""
FULL: Final = """\
One run of `make bench` measured it; where two sides are compared, both are of that run and taken in turns (A B, B A, …).
Of several turns the median stands here, and in brackets the lowest and highest."""
QUICK: Final = """\
These figures are of a quick run (`make bench-quick`): little work, one turn each, so no medians and no spread.
Its times give no verdict: `met` and `missed` stand only beside what was counted, such as syncs, with the bound of a quick run.
`make bench` measures in full."""
UNITS: Final = """\
| unit | what it is |
|---|---|
| ratio | the rate, time or cost of one side in parts of the other's, without a unit |
| complaints/s, commands/s, cases/s, events/s, rows/s | so many in each second |
| ms | thousandths of a second; `p50` and `p99` are what half and 99 of 100 of all tries do not exceed, `max` the longest |
| µs | of `e2e/…_intake`, `_handling`, `_analytics`, `_broker`: millionths of a second of processor time that this process spends for each complaint |
| us/event | millionths of a second of processor time for each event |
| for each | syncs to the disk for each complaint |

"""
ORACLE: Final = "../adr/0022-figures-that-are-checked.md"


def page(done: Mapping[str, Any], missed: str) -> dict[str, str]:
    """Give the page and its plots, by the names of their files."""
    files = {
        PAGE.name: "".join(_page(done, missed)),
        "performance-targets.svg": against_targets(
            done["figures"], quick=done["quick"]
        ),
    }
    for figure in done["figures"]:
        if figure["points"]:
            files[_plot(figure)] = line_of(figure)
    return files


def write(source: Path, folder: Path = PAGE.parent) -> None:
    """Write them, and remove plots of figures that are no more."""
    files = page(json.loads(source.read_text("utf-8")), MISSED.read_text("utf-8"))
    for old in folder.glob("performance-*.svg"):
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


def _page(done: Mapping[str, Any], missed: str) -> Iterator[str]:
    yield HEAD.format(
        oracle=ORACLE,
        machine=about(done["machine"]),
        commit=done["commit"],
        seed=done["seed"],
        how=QUICK if done["quick"] else FULL,
    )
    found = {figure["name"]: figure for figure in done["figures"]}
    for target in TARGETS:
        measured, word = "", "not measured"
        if target.name in found:
            figure = found[target.name]
            measured, word = _measured(figure), standing(figure, quick=done["quick"])
        elif target.name in done["skipped"]:
            word = f"skipped: {done['skipped'][target.name]}"
        yield f"| `{target.name}` {target.what} | {measured} | {bound(target, quick=done['quick'])} | {word} |\n"
    yield from _sections(found, missed, quick=done["quick"])
    yield "\n## Everything else that was measured\n\n"
    yield UNITS
    yield "| figure | measured | unit | turns |\n|---|---:|---|---:|\n"
    for figure in done["figures"]:
        if figure["name"] not in BY_NAME:
            cells = (_measured(figure), figure["unit"], figure["turns"])
            yield f"| `{figure['name']}` | " + " | ".join(map(str, cells)) + " |\n"
    for name, reason in done["skipped"].items():
        if name not in BY_NAME:
            yield f"| `{name}` | | skipped: {reason} | |\n"
    for figure in done["figures"]:
        if figure["points"]:
            yield f"\n![{figure['name']}]({_plot(figure)})\n"


def _sections(
    found: Mapping[str, Mapping[str, Any]], missed: str, *, quick: bool
) -> Iterator[str]:
    """Give what is known of each target that is missed: profile, tries, what it takes."""
    sections = re.split(r"^## ", missed, flags=re.MULTILINE)[1:]
    wanted = [
        section
        for section in sections
        if any(
            name in found and standing(found[name], quick=quick) == "missed"
            for name in re.findall(r"`([\w/]+)`", section.partition("\n")[0])
        )
    ]
    if wanted:
        yield "\n## Where a target is missed\n"
    for section in wanted:
        yield f"\n### {section.strip()}\n"


def _measured(figure: Mapping[str, Any]) -> str:
    """Write `0.71 [0.68-0.74]`."""
    low, high = number(figure["low"]), number(figure["high"])
    spread = f" [{low}-{high}]" if figure["turns"] > 1 else ""
    return f"{number(figure['value'])}{spread}"


def _plot(figure: Mapping[str, Any]) -> str:
    return f"performance-{re.sub('[^a-z0-9]+', '-', figure['name'])}.svg"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "bench.json")
