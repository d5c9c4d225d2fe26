"""What importing costs: memory over the rows of a file, and time beside a bare loader.

The same file of made-up complaints goes into a running amends, whole, with its histories,
and into one SQLite table by `csv` and `executemany`. Then `amends import --dry-run` reads
a small and a great file, and the highest memory of its process is compared. `--control`
keeps every row that it reads: the memory must grow with the file.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.erasure.running import Amends
from bench.line import BROKEN, KEPT, line, options
from bench.rows import HEADER, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.line import Options, Size
    from services.intake.domain.mapping import Coder, TableMapping

GROWTH: Final = 1.25
"""The great file may take so many times the memory of the small one, and no more."""

_SMALL: Final = 10_000
_GREAT: Final[Mapping[Size, int]] = {"ci": 200_000, "night": 1_000_000}
_IMPORTED: Final[Mapping[Size, int]] = {"ci": 2_000, "night": 10_000}
_ROUNDS: Final[Mapping[Size, int]] = {"ci": 3, "night": 5}
_MEASURE: Final = "--measure"


def main() -> int:
    if _MEASURE in sys.argv:
        return _measured(sys.argv[sys.argv.index(_MEASURE) + 1 :])
    given = options(__doc__ or "")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="amends-importing-") as folder:
        figures = {} if given.control else _rates(Path(folder), given)
        highest = {
            rows: _highest(Path(folder), rows, given)
            for rows in (_SMALL, _GREAT[given.size])
        }
    growth = highest[_GREAT[given.size]] / highest[_SMALL]
    figures |= {f"kb_at_{rows}": kilobytes for rows, kilobytes in highest.items()}
    figures["growth"] = round(growth, 2)
    figures["seconds"] = round(time.monotonic() - begun)
    figures["seed"] = given.seed
    print(line("IMPORTING", figures))
    return KEPT if growth <= GROWTH else BROKEN


def _rates(folder: Path, given: Options) -> dict[str, float]:
    """Import and load bare in turns: rows a second of each, and the median ratio."""
    count = _IMPORTED[given.size]
    ours, bare, ratios = list[float](), list[float](), list[float]()
    amends = Amends(folder)
    with amends.running():
        for turn in range(_ROUNDS[given.size]):
            file = folder / f"turn-{turn}.csv"
            write(file, count, given.seed, first=1 + turn * count)
            began = time.perf_counter()
            words = ("import", str(file), "--format", "cfpb", "--history", "--json")
            done = amends.verb(*words)
            took = time.perf_counter() - began
            if json.loads(done.stdout)["accepted"] != count:
                raise RuntimeError(done.stdout)
            loaded = _loaded(file, folder / "bare.db")
            ours.append(count / took)
            bare.append(count / loaded)
            ratios.append(loaded / took)
            sys.stderr.write(f"  seconds: amends {took:.2f}, bare {loaded:.4f}\n")
    return {
        "rows_per_s": round(statistics.median(ours)),
        "bare_rows_per_s": round(statistics.median(bare)),
        "ratio": round(statistics.median(ratios), 4),
    }


def _loaded(file: Path, database: Path) -> float:
    """Load a file into one table, on disk before it is done; give the seconds."""
    columns = ", ".join(f"c{number}" for number in range(len(HEADER)))
    places = ", ".join("?" * len(HEADER))
    began = time.perf_counter()
    with closing(sqlite3.connect(database)) as db, file.open(encoding="utf-8") as text:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"CREATE TABLE IF NOT EXISTS complaint ({columns})")
        rows = csv.reader(text)
        next(rows)
        db.executemany(f"INSERT INTO complaint VALUES ({places})", rows)  # noqa: S608 our own names
        db.commit()
    return time.perf_counter() - began


def _highest(folder: Path, rows: int, given: Options) -> int:
    """Give the highest memory, in kB, of a process that reads a file of so many rows."""
    file = folder / f"rows-{rows}.csv.gz"
    write(file, rows, given.seed)
    words = [*(["keep"] if given.control else ["read"]), str(file)]
    done = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "-m", "bench.importing", _MEASURE, *words],
        env=dict(Amends(folder / f"for-{rows}").environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1])


def _measured(words: Sequence[str]) -> int:
    """Read a file as `amends import --dry-run` does, in this process; print its memory."""
    from services.cli import app  # noqa: PLC0415 in the child alone
    from services.intake.importing import running  # noqa: PLC0415 as above

    how, file = words
    kept: list[Mapping[str, str]] = []
    made = running.submission_of  # type: ignore[attr-defined]

    def keeping(
        mapping: TableMapping, row: Mapping[str, str], coder: Coder
    ) -> dict[str, Any]:
        if how == "keep":
            kept.append(row)
        return made(mapping, row, coder)

    running.submission_of = keeping  # type: ignore[attr-defined]
    app(
        ["import", file, "--format", "cfpb", "--dry-run", "--json"],
        standalone_mode=False,
    )
    status = Path("/proc/self/status").read_text("utf-8")
    print(next(each.split()[1] for each in status.splitlines() if "VmHWM" in each))
    return KEPT


if __name__ == "__main__":
    sys.exit(main())
