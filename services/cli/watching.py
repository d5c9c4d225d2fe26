"""`amends top`: what the services do now, how far everybody is behind, what is red."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from services.cli.client import places
from services.cli.printing import REFUSED, show
from services.kernel.sighting import sight, told

if TYPE_CHECKING:
    from collections.abc import Mapping

_PAUSE: Final = 1.0


def top(*, once: bool, as_json: bool) -> None:
    where = places()
    before = sight(where)
    if once or as_json:
        time.sleep(_PAUSE)
        seen = told(sight(where), before)
        if as_json:
            show(seen, as_json=True, human="")
        else:
            Console(highlight=False).print(_shown(seen))
        raise SystemExit(REFUSED if seen["red"] else 0)
    console = Console(highlight=False)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, screen=console.is_terminal, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(_PAUSE)
            now = sight(where)
            live.update(_shown(told(now, before)), refresh=True)
            before = now


def _shown(seen: Mapping[str, Any]) -> Group:
    return Group(
        _headline(seen),
        *_red(seen["red"]),
        Text(),
        _services(seen["services"]),
        Text(),
        _followers(seen["followers"]),
        Text(),
        _feeds(seen["feeds"]),
    )


def _headline(seen: Mapping[str, Any]) -> Text:
    oldest, free = seen["oldest_unpublished_seconds"], seen["disk_free_bytes"]
    parts = [
        "nothing recorded yet"
        if not any(each["recorded"] for each in seen["services"])
        else f"oldest unpublished {oldest:.0f} s"
        if oldest
        else "all published"
        if oldest is not None
        else "published: not known",
        f"quarantine {sum(each['messages'] for each in seen['quarantine'])}",
        f"disk {free / 1024**3:.1f} GiB free" if free is not None else "",
    ]
    return Text("amends  ", style="bold").append(
        " · ".join(filter(None, parts)), style="not bold"
    )


def _red(found: list[dict[str, str]]) -> list[Text]:
    if not found:
        return [Text("all as it should be", style="green")]
    return [
        Text.assemble(
            (f"! {each['what']}", "bold red"),
            f"  {each['do']}",
            (f"  docs/how-to/on-call/{each['page']}.md" if each["page"] else "", "dim"),
        )
        for each in found
    ]


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _services(services: list[dict[str, Any]]) -> Table:
    table = _table(
        "service", "events", "sealed", "ev/s", "writes/s", "ms", "queue", "bus"
    )
    for each in services:
        broker = {None: "", True: "yes", False: "no"}[each["broker"]]
        table.add_row(
            each["service"],
            *map(
                _cell,
                (
                    each["recorded"],
                    each["sealed"],
                    each["events_per_second"],
                    each["writes_per_second"],
                    each["milliseconds_per_commit"],
                    each["queued"],
                ),
            ),
            broker,
        )
    return table


def _followers(followers: list[dict[str, Any]]) -> Table:
    table = _table("follower", "behind", "seconds")
    for each in followers:
        name = f"{each['service']}/{each['follower']}"
        table.add_row(name, _cell(each["events"]), _cell(_rounded(each["seconds"])))
    return table


def _feeds(feeds: list[dict[str, Any]]) -> Table | Text:
    taken = [each for each in feeds if each["followed"]]
    if not taken:
        return Text("No department follows its feed.", style="dim")
    table = _table("feed", "behind", "seconds")
    for each in taken:
        table.add_row(
            each["department"], _cell(each["events"]), _cell(_rounded(each["seconds"]))
        )
    return table


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
