"""A demonstration made: an empty folder marked, filled with a story, and what to see."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from services.demo.arrivals import planted_lot
from services.demo.pace import StoryClock
from services.demo.simulation import Simulation
from services.demo.stage import staged
from services.demo.story import load_story
from services.kernel.errors import RefusedError
from services.kernel.folder import DEMONSTRATION, DataFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.demo.simulation import Told
    from services.demo.story import Story
    from services.kernel.settings import Settings

SPAN: Final = dt.timedelta(days=730)
"""How much is told."""

Report = Callable[[int, int, dt.datetime], None]
"""Hears how many complaints came in, of how many, and until when."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be told; the same wish tells the same, but for ids and secrets."""

    story: str = "appliances"
    seed: int = 1
    cases: int | None = None
    until: dt.datetime | None = None
    span: dt.timedelta = SPAN


async def make_demonstration(
    settings: Settings, wish: Wish, *, now: dt.datetime, report: Report
) -> dict[str, Any]:
    """Fill the data folder, which must be new or empty; give what to sign in with.

    Raises `RefusedError` for a folder that holds an installation, for servers that
    others share, and for a time to come.
    """
    story = load_story(wish.story)
    until = wish.until or now
    if until > now:
        raise RefusedError("demo.future", "Tell until today or an earlier day.")
    folder = _marked(settings)
    start, cases = until - wish.span, wish.cases or story.cases
    clock, password = StoryClock(start), _password()
    # Nothing waits for the disk meanwhile: what is cut short is made anew.
    draft = DataFolder(settings.data, draft=True)
    with folder.held():
        async with staged(settings, draft, clock) as stage:
            actors = await stage.let_in(story.people, password)
            simulation = Simulation(
                story,
                stage,
                actors,
                seed=wish.seed,
                start=start,
                until=until,
                cases=cases,
            )
            expected = simulation.expected
            told = simulation.run(lambda done, at: report(done, expected, at))
            waiting = stage.open_cases(story.slow_department)
    os.sync()
    made = {
        "story": story.name,
        "seed": wish.seed,
        "house": story.house,
        "language": story.language,
        "time_zone": story.time_zone,
        "phone_region": story.phone_region,
        "from": start.isoformat(timespec="seconds"),
        "until": until.isoformat(timespec="seconds"),
        "complaints": told.complaints,
        "commands": told.commands,
        "refused": dict(told.refused),
        "password": password,
        "users": [
            {
                "login": each.login,
                "role": each.role,
                "department": each.department,
                "name": each.name,
            }
            for each in story.people
        ],
        "see": _sights(story, told, start=start, until=until, waiting=waiting),
    }
    _mark(folder, made)
    return made


def made_before(folder: DataFolder) -> dict[str, Any] | None:
    """Give what was made in this folder; None where it was not, or not to its end."""
    if not folder.demonstration:
        return None
    made = json.loads((folder.path / DEMONSTRATION).read_text(encoding="utf-8"))
    return made if isinstance(made, dict) and "users" in made else None


def remove_demonstration(folder: DataFolder) -> None:
    """Delete a folder that holds a demonstration, and no other.

    Raises `RefusedError` for a folder in use or with anything real.
    """
    if not folder.demonstration:
        raise _no_demonstration(folder)
    with folder.held():
        # The mark goes last: what is left of a deletion cut short can be deleted too.
        for each in sorted(folder.path.iterdir()):
            if each.name == DEMONSTRATION:
                continue
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink()
    shutil.rmtree(folder.path)


def for_story(settings: Settings, story: Mapping[str, Any]) -> Settings:
    """Take the story's zone and region where the operator set none."""
    wanted = {
        name: story[name]
        for name in ("time_zone", "phone_region")
        if name not in settings.model_fields_set
    }
    return settings.model_copy(update=wanted)


def _marked(settings: Settings) -> DataFolder:
    """Make the folder, and mark it before anything is in it."""
    folder = DataFolder(settings.data)
    if folder.exists():
        raise _no_demonstration(folder)
    servers = settings.database_url, settings.nats_url
    folder.require_own(*servers, demonstration=True)
    folder.make()
    _mark(folder, {})
    return folder


def _mark(folder: DataFolder, made: Mapping[str, Any]) -> None:
    target = folder.path / DEMONSTRATION
    draft = target.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file, ensure_ascii=False, indent=1)
    draft.replace(target)


def _password() -> str:
    """Make one that can be typed: it opens nothing real."""
    return "-".join(secrets.token_hex(2) for _ in range(3))


def _no_demonstration(folder: DataFolder) -> RefusedError:
    return RefusedError(
        "demo.not_empty",
        f"{folder.path} holds an installation: a demonstration is made in an empty or a"
        " new folder only. Name one, as in `AMENDS_DATA=amends-demo amends demo`.",
    )


def _sights(
    story: Story, told: Told, *, start: dt.datetime, until: dt.datetime, waiting: int
) -> list[dict[str, str]]:
    """Name what is worth a look, and where; of a short story not all of it came about.

    `waiting`: the open cases of the slow department.
    """
    sights = []
    lots = {course.arrival.lot for course in told.courses.values()}
    for planted in story.planted:
        lot = planted_lot(story, planted, start, until)
        if lot in lots:
            what = (
                f"Lot {lot} of {planted.model} has a planted defect: it rises for weeks"
                " before the burst"
            )
            where = f"/insight?lot={lot}&period=week"
            sights.append({"what": what, "where": where})
    if waiting:
        slow = story.slow_department
        where = f"/desk/cases?department={slow}&state=open"
        sights.append({"what": f"The slow department is {slow}", "where": where})
    giving = story.returning_department
    if told.returned[giving]:
        what = f"{giving} gives many cases back"
        sights.append({"what": what, "where": f"/insight?department={giving}"})
    overturned = [case for case, course in told.courses.items() if course.overturned]
    if overturned:
        what = "An appeal that was upheld after all"
        sights.append({"what": what, "where": f"/desk/cases/{overturned[-1]}"})
    return sights
