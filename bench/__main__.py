"""Measure amends beside its limits and its peers: `python -m bench`, `make bench`.

Every suite checks what came of its work; where that is not what had to come, no figure
is printed and the exit code is 1. So it is where a target on counted work is missed.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench import suites
from bench.machine import commit, machine
from bench.measuring import Disagreement, Run
from bench.report import STYLES, about, document, failed, table

BUILD: Final = Path("build")
WIDTH: Final = 110

_SUITES = typer.Option("--suite", help=f"Of {', '.join(suites.NAMES)}; else all.")
_QUICK = typer.Option("--quick", help="Small work: for the checks, not for the times.")
_SEED = typer.Option("--seed", help="Repeat a run; else one is drawn.")
_JSON = typer.Option("--json", help="Print the document instead of the table.")
_TO = typer.Option("--to", help="The file that the document is written to.")


def main(
    suite: Annotated[str | None, _SUITES] = None,
    quick: Annotated[bool, _QUICK] = False,
    seed: Annotated[int | None, _SEED] = None,
    as_json: Annotated[bool, _JSON] = False,
    to: Annotated[Path, _TO] = BUILD / "bench.json",
) -> None:
    """Measure amends beside its limits and its peers."""
    chosen = [name.strip() for name in suite.split(",")] if suite else suites.NAMES
    unknown = [name for name in chosen if name not in suites.NAMES]
    if unknown:
        names = ", ".join(suites.NAMES)
        raise typer.BadParameter(f"no suite {', '.join(unknown)}; there are: {names}")
    drawn = random.randrange(2**31) if seed is None else seed  # noqa: S311 it must repeat
    told = Console(stderr=True, highlight=False)
    told.print(f"seed {drawn}")
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)  # no figure outlives a run that failed
    runs = []
    for name in chosen:
        try:
            runs.append(measured(name, told, quick=quick, seed=drawn))
        except Disagreement as disagreement:
            told.print(f"no figures: {disagreement}", style="bold red", markup=False)
            sys.exit(1)
    done = document(
        [figure for run in runs for figure in run.figures],
        {name: why for run in runs for name, why in run.skipped.items()},
        machine=machine(BUILD if BUILD.is_dir() else to.parent),
        commit=commit(),
        seed=drawn,
        quick=quick,
    )
    to.write_text(json.dumps(done, indent=1) + "\n", "utf-8")
    if as_json:
        print(json.dumps(done, indent=1))
    else:
        shown = Console(highlight=False)
        shown.width = max(shown.width, WIDTH)  # in a file nothing need be cut
        shown.print(table(done))
        shown.print(about(done["machine"]), style=STYLES[""], markup=False)
    for name in failed(done):
        told.print(f"{name} is missed, on any machine", style=STYLES["missed"])
    sys.exit(1 if failed(done) else 0)


def measured(name: str, told: Console, *, quick: bool, seed: int) -> Run:
    """Let one suite work, in a folder that goes away."""
    suite = suites.named(name)
    cache = BUILD / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix=f"amends-bench-{name}-") as folder,
        told.status(name) as status,
    ):
        run = Run(
            suite=name,
            quick=quick,
            seed=seed,
            folder=Path(folder),
            cache=cache,
            say=lambda what: status.update(f"{name}: {what}"),
        )
        suite.measure(run)
    told.print(f"{name}: {time.monotonic() - begun:.0f} s")
    return run


if __name__ == "__main__":
    typer.run(main)
