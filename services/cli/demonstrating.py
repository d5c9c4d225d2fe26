"""`amends demo`: make a demonstration, say how to look at it, and serve it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
import zoneinfo
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli import running
from services.cli.printing import show
from services.demo.making import (
    Wish,
    for_story,
    made_before,
    make_demonstration,
    remove_demonstration,
)
from services.demo.story import load_story
from services.kernel.clock import system_clock
from services.kernel.errors import RefusedError
from services.kernel.folder import DataFolder
from services.kernel.logs import configure
from services.kernel.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from services.kernel.settings import Settings


def demo(
    *,
    story: str,
    cases: int | None,
    seed: int,
    until: dt.date | None,
    again: bool,
    serve: bool,
    as_json: bool,
) -> None:
    """Make it where there is none, tell how to look at it, and serve it."""
    settings = load_settings()
    folder = DataFolder(settings.data)
    if again and folder.exists():
        remove_demonstration(folder)
    made = made_before(folder)
    if made is None:
        if folder.demonstration:  # begun, and cut short
            remove_demonstration(folder)
        configure(settings.log_format, "warning")
        told = load_story(story)
        wish = Wish(story, seed, cases, _end_of(until, told.time_zone))
        made = _make(for_story(settings, told.model_dump()), wish, shown=not as_json)
    show(made, as_json=as_json, human=_told(made, settings))
    if serve and not as_json:
        running.up(for_story(settings, made))


def _make(settings: Settings, wish: Wish, *, shown: bool) -> dict[str, Any]:
    with _watched(shown=shown) as report:
        return asyncio.run(
            make_demonstration(settings, wish, now=system_clock(), report=report)
        )


@contextlib.contextmanager
def _watched(*, shown: bool) -> Iterator[Callable[[int, int, dt.datetime], None]]:
    """Show how far the story is, on standard error, where somebody looks."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} complaints"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not (shown and sys.stderr.isatty()),
        transient=True,
    ) as bar:
        task = bar.add_task("Telling two years", total=1)

        def report(done: int, expected: int, at: dt.datetime) -> None:
            bar.update(task, total=expected, completed=done, description=f"{at:%Y-%m}")

        yield report


def _end_of(day: dt.date | None, zone: str) -> dt.datetime | None:
    if day is None:
        return None
    end = dt.datetime.combine(
        day + dt.timedelta(days=1), dt.time(), zoneinfo.ZoneInfo(zone)
    ).astimezone(dt.UTC)
    now = system_clock()
    if end - dt.timedelta(days=1) > now:
        raise RefusedError("demo.future", "Tell until today or an earlier day.")
    return min(end, now)


def _told(made: dict[str, Any], settings: Settings) -> str:
    """Say in a few lines what is there and how to come in."""
    lines = [
        (
            f"{made['house']}: {made['complaints']:,} complaints and {made['commands']:,}"
            f" commands, {made['from'][:10]} to {made['until'][:10]}. Nothing of it is real."
        ),
        "",
        f"Sign in at /access/login, everybody with the password {made['password']}",
    ]
    width = max(len(each["login"]) for each in made["users"])
    for each in made["users"]:
        unit = f" in {each['department']}" if each["department"] else ""
        lines.append(f"  {each['login']:<{width}}  {each['role']}{unit}")
    lines += ["", "Worth a look:"] if made["see"] else []
    lines += [f"  {each['what']}\n    {each['where']}" for each in made["see"]]
    lines += ["", f"It lies in {settings.data}; `amends demo --again` makes it anew."]
    return "\n".join(lines)
