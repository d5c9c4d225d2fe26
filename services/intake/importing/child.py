"""The process that reads, checks or sends one import; run by `jobs`, never imported.

It learns what to do from its standard input, and ends when that ends: then nobody is
left who began it. It may be ended at any time; what it sent is received once.
"""

import csv
import json
import os
import resource
import select
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, Final

from services.intake.domain.mapping import TableMapping
from services.intake.importing.histories import laid_aside
from services.intake.importing.inspecting import inspected, require_no_bomb
from services.intake.importing.jobs import Work, write_json
from services.intake.importing.mapping_file import values_of
from services.intake.importing.rejects import Rejects, as_workbook
from services.intake.importing.running import (
    BATCH_SIZE,
    Progress,
    Shown,
    Summary,
    load_mapping,
    run_import,
)
from services.intake.importing.sending import taken_over
from services.kernel.errors import AmendsError
from services.kernel.reaching import client_of_processes

MEMORY: Final = 3 * 1024**3
"""Address space in bytes: far more than any table needs."""
PREVIEWED: Final = 5
FAULTS: Final = 50
"""Most rejected rows that the page itself shows."""
_TOLD: Final = 0.3
"""Seconds between two looks at the clock, and at the wish to stop."""
_REASONS: Final = 20


def main() -> None:
    folder = Path(sys.argv[1])
    told = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_watch, args=(folder,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    os.nice(5)  # the day's work comes first
    room = folder / "tmp"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    tempfile.tempdir = str(room)
    work(folder, told)
    shutil.rmtree(room, ignore_errors=True)


def work(folder: Path, told: Mapping[str, Any]) -> None:
    """Do what is told, and leave the outcome."""
    try:
        outcome = _done(folder, told)
    except AmendsError as error:
        outcome = {"error": _error(error)}
    except Exception as error:  # noqa: BLE001 the page must be told
        traceback.print_exc()
        big = isinstance(error, MemoryError)
        code = "import.too_big" if big else "import.failed"
        outcome = {"error": {"code": code, "detail": "See the log.", "errors": []}}
    write_json(folder / "outcome.json", {"run": told["run"], **outcome})


def _watch(folder: Path) -> None:
    """End this process, wherever it is, when nobody wants it any more."""
    while not (folder / "stop").exists():
        ready, _, _ = select.select([sys.stdin], [], [], _TOLD)
        if ready and not os.read(sys.stdin.fileno(), 1):
            break
    os._exit(0)


def _done(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    about = json.loads((folder / "about.json").read_bytes())
    if told["work"] == Work.READ:
        return _read(folder, about)
    values = json.loads((folder / "mapping.json").read_bytes())
    mapping = TableMapping.model_validate(values)
    done = _imported(folder, about, mapping, told)
    found = _summary(done, folder / "rejects.csv")
    if (folder / "rejects.csv").exists():
        as_workbook(folder / "rejects.csv", folder / "rejects.xlsx")
    if told["work"] == Work.IMPORT:
        (folder / "file").unlink()  # it holds what people wrote, and is needed no more
    return found


def _read(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    found, guess = inspected(
        folder / "file",
        zone=about["zone"],
        encoding=about.get("encoding"),
        sheet=about.get("sheet"),
    )
    found["doubts"] = list(guess.doubts)
    write_json(folder / "found.json", found)
    write_json(folder / "guess.json", guess.values)
    known = values_of(load_mapping(found["fits"][0])) if found["fits"] else guess.values
    write_json(folder / "mapping.json", known)
    return {}


def _imported(
    folder: Path,
    about: Mapping[str, Any],
    mapping: TableMapping,
    told: Mapping[str, Any],
) -> Summary:
    require_no_bomb(folder / "file")
    with (
        laid_aside(mapping, told["departments"])
        if about.get("history")
        else nullcontext() as past,
        client_of_processes(told["addresses"], told["token"]) as client,
    ):

        def record(rejects: Rejects) -> None:
            if past is not None:
                taken_over(client)
                tell = _progress(folder, "histories")
                past.record(client, rejects, batch_size=BATCH_SIZE, progress=tell)

        return run_import(
            client if told["addresses"] else None,
            folder / "file",
            mapping,
            rejects=folder / "rejects.csv",
            encoding=about.get("encoding"),
            sheet=about.get("sheet"),
            language=told["locale"],
            shown=Shown(previewed=PREVIEWED, reasons_in=told["locale"]),
            batch_id=about.get("batch"),
            histories=past,
            then=record,
            dry_run=told["work"] != Work.IMPORT,
            file_name=about["name"],
            progress=_progress(folder, "rows"),
        )


def _progress(folder: Path, phase: str) -> Progress:
    """Give who writes down, not too often, how far the work is."""
    begin = time.monotonic()
    last = 0.0

    def tell(done: int, total: int, /) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _TOLD and done < total:
            return
        last = now
        write_json(
            folder / "progress.json",
            {"phase": phase, "done": done, "total": total, "seconds": now - begin},
        )

    return tell


def _summary(done: Summary, rejects: Path) -> dict[str, Any]:
    return {
        "read": done.read,
        "accepted": done.accepted,
        "duplicates": done.duplicates,
        "rejected": done.rejected,
        "continued": done.continued,
        "left_out": done.left_out.most_common(_REASONS),
        "before": done.before,
        "reasons": done.reasons.most_common(_REASONS),
        "more_reasons": max(0, len(done.reasons) - _REASONS),
        "preview": [{"line": line, "complaint": each} for line, each in done.preview],
        "faults": _faults(rejects),
        "histories": done.histories.told() if done.histories else None,
    }


def _faults(rejects: Path) -> list[list[str]]:
    """Give line and reason of the first rejected rows."""
    if not rejects.exists():
        return []
    with rejects.open(encoding="utf-8-sig", newline="") as file:
        rows = islice(csv.reader(file), 1, FAULTS + 1)
        return [row[:2] for row in rows]


def _error(error: AmendsError) -> dict[str, Any]:
    return {
        "code": error.code,
        "detail": error.detail,
        "errors": [asdict(each) for each in error.errors],
    }


if __name__ == "__main__":
    main()
