"""All promises one after the other: `python -m tests.faults --size ci`.

Each `pNN.py` beside this file is one, found by its name; so is the simulation. Writes
what they printed to `build/faults.json`, and ends with 1 where one of them is broken.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.machine import commit, machine
from tests.support.children import dying_with_us

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).parent
FIGURE: Final = re.compile(r"\(?(\w+)=([^\s)]+)")
SIMULATION: Final = "simulation"


def modules(folder: Path = HERE) -> list[str]:
    """Name the promises that have a module here, in the order of their numbers."""
    found = sorted(each.stem for each in folder.glob("p[0-9][0-9].py"))
    return found + [SIMULATION] * (folder / f"{SIMULATION}.py").exists()


def promise(module: str, folder: Path = HERE) -> str:
    """Give the first line of a module without running it: `P1: no receipt …`."""
    text = (folder / f"{module}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or module).partition("\n")[0]


def figures(line: str) -> dict[str, str]:
    """Read `P1 kills=20 lost=0 (prefix=0 middle=0) …`."""
    return dict(FIGURE.findall(line))


def tried(module: str, size: str, seed: int, *, control: bool) -> dict[str, Any]:
    """Run one promise, and its control where asked for; what it says is shown."""
    words = [f"tests.faults.{module}", "--size", size, "--seed", str(seed)]
    begun = time.monotonic()
    status, line = _ran(words)
    found = {
        "name": module if module == SIMULATION else f"P{int(module[1:])}",
        "promise": promise(module),
        "line": line,
        "figures": figures(line),
        "held": status == 0,
        "skipped": "skipped=" in line,
        "control_lost": None,
        "seconds": round(time.monotonic() - begun),
        "command": f"python -m {' '.join(words)}",
    }
    if control and not found["skipped"]:
        status, line = _ran([*words, "--control"])
        found["control_lost"] = status == 1 and bool(figures(line))
        found["control"] = line
    return found


def _ran(words: Sequence[str]) -> tuple[int, str]:
    """Give the exit status and the last line that was printed."""
    last = ""
    with subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_us(),  # noqa: PLW1509 - see there
    ) as program:
        assert program.stdout is not None
        for each in program.stdout:
            print(each, end="", flush=True)
            last = each.strip() or last
    return program.returncode, last


def table(promises: Sequence[dict[str, Any]]) -> Table:
    shown = Table("", "promise", "held", "control", "seconds", box=None)
    for each in promises:
        lost = each["control_lost"]
        held = "yes" if each["held"] else "NO"
        shown.add_row(
            each["name"],
            escape(each["promise"].partition(": ")[2] or each["promise"]),
            "skipped" if each["skipped"] else held,
            "not run" if lost is None else "lost" if lost else "DID NOT LOSE",
            str(each["seconds"]),
        )
    return shown


def good(promises: Sequence[dict[str, Any]]) -> bool:
    """Say whether each held, and each control that was run lost."""
    return all(each["held"] and each["control_lost"] is not False for each in promises)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="p01 p05 …; all without")
    parser.add_argument("--size", choices=("ci", "night"), default="ci")
    parser.add_argument("--control", action="store_true", help="run each control too")
    parser.add_argument("--seed", type=int, help="repeat a run")
    parser.add_argument("--to", type=Path, default=Path("build/faults.json"))
    read = parser.parse_args(given)
    seed = random.randrange(2**31) if read.seed is None else read.seed
    read.to.parent.mkdir(parents=True, exist_ok=True)
    promises = []
    for module in read.only or modules():
        promises.append(tried(module, read.size, seed, control=read.control))
        written = {
            "machine": machine(read.to.parent),
            "commit": commit(),
            "seed": seed,
            "size": read.size,
            "promises": promises,
        }
        read.to.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    Console().print(table(promises))
    print(f"seed={seed} written={read.to}")
    return 0 if good(promises) else 1


if __name__ == "__main__":
    sys.exit(main())
