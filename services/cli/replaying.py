"""`amends audit replay`: fold the whole record again, in every core; a reading verb."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import Progress

from services.cli.printing import show
from services.handling.application.looking import read_as_of
from services.handling.application.replaying import PARTITIONS, joined
from services.handling.cli import replay_partition
from services.handling.main import NAME, open_for_reading, record_url
from services.kernel.folder import DataFolder
from services.kernel.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.handling.application.replaying import Part, Replayed

WORTH_A_PROCESS: Final = 20_000
"""Events that take about as long as another process takes to begin."""


def replay(until: str | None, *, processes: int | None, as_json: bool) -> None:
    """Replay handling's record to the end, or to a position or an instant."""
    settings = load_settings()
    folder = DataFolder(settings.data)
    folder.require()
    when = read_as_of(until, ZoneInfo(settings.time_zone), field="until")
    with open_for_reading(settings, folder) as handling:
        position = handling.position(when)
    parts: dict[int, Part] = {}
    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(NAME, total=PARTITIONS)
        url = record_url(settings, folder)
        for number, part in replayed(url, position, processes or _useful(position)):
            parts[number] = part
            bar.advance(task)
    found = joined(parts, position)
    show({"store": NAME, **asdict(found)}, as_json=as_json, human=_told(found))


def replayed(url: str, position: int, processes: int) -> Iterator[tuple[int, Part]]:
    """Give each partition as it is done."""
    if processes == 1:
        for number in range(PARTITIONS):
            yield number, replay_partition(url, NAME, number, position)
        return
    # A fork would copy the progress bar's thread and the database's connections.
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawned) as pool:
        asked = {
            pool.submit(replay_partition, url, NAME, number, position): number
            for number in range(PARTITIONS)
        }
        for done in as_completed(asked):
            yield asked[done], done.result()


def _useful(events: int) -> int:
    """Give as many processes as there are cores, where there is enough to do."""
    wanted = events // WORTH_A_PROCESS
    return max(1, min(wanted, os.cpu_count() or 1, PARTITIONS))


def _told(found: Replayed) -> str:
    head = (
        f"{NAME}: {found.events:,} events make {found.cases:,} cases,"
        f" replayed to position {found.position}"
    )
    rows = [f"  {count:>12,}  {name}" for name, count in found.types.items()]
    return "\n".join([head, *rows, f"Digest of all case states: {found.digest}"])
