"""P12: a department sees what is its own, an auditor reads all and changes nothing.

A whole amends runs in this process; everybody tries everything, and each answer is held
against `bench/isolation/table.toml`. The broker's users try every subject and every known
way round its permissions. The control takes one protection of each away.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.isolation.bus import Insider, Leaks, every_attack, every_subject
from bench.isolation.cases import every_command, every_relation, restricted_classes
from bench.isolation.doors import every_door
from bench.isolation.house import opened
from bench.isolation.table import Found, Table
from bench.line import BROKEN, KEPT, line, options
from services.kernel.logs import configure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bench.isolation.house import Caller, Case, House
    from bench.line import Options, Size
    from services.bus import Bus

ROUNDS: Final[Mapping[Size, int]] = {"ci": 1, "night": 5}


async def matrix(
    folder: Path, wanted: Options, *, only: Collection[str] = ()
) -> tuple[Found, Leaks]:
    """Run amends in `folder`; try everything over HTTP, and every subject of the broker.

    `only` leaves out all roles but these, for a quick look.
    """
    found, leaks, table = Found(), Leaks(), Table.read()
    chance = random.Random(wanted.seed)  # noqa: S311 it must repeat
    async with opened(folder, unguarded=wanted.control) as house:
        codes = [
            d
            for d in house.policy.departments
            if d not in {house.policy.front_office, "external"}
        ]
        drawn = chance.sample(codes, len(table.relations))
        departments = dict(zip(table.relations, drawn, strict=True))
        case, foreign = await house.case(departments), await house.case(departments)
        roles = sorted(house.roles() & set(only) if only else house.roles())
        callers = await everybody(house, table, roles, case, departments["lead"])
        await house.signed_in("auditor", None, login="guest")
        await every_door(house, table, callers, found, case=case, spare=foreign)
        units = [
            await house.caller(role, code)
            for role in roles
            for code in drawn
            if role in table.units
        ]
        others = [caller for caller in callers if caller.name not in table.units]
        await every_relation(
            house, table, [*units, *others], case=case, foreign=foreign, found=found
        )
        await restricted_classes(house, table, units, case, found)
        headers = {
            caller.name: caller.header
            for caller in callers
            if caller.header and caller.name in house.roles() | {"receipt"}
        }
        await every_command(
            house, table, headers, lambda: house.case(departments), found
        )
        await every_subject(house.bus, insiders(house.bus, wanted), leaks)
    return found, leaks


async def tried(folder: Path, wanted: Options) -> tuple[Found, Leaks]:
    """Try everything, and every known way round the broker's permissions."""
    found, leaks = await matrix(folder / "data", wanted)
    for more in range(1, ROUNDS[wanted.size]):  # other departments are drawn
        again = replace(wanted, seed=wanted.seed + more)
        also, leaked = await matrix(folder / f"data-{more}", again)
        found.cells += also.cells
        leaks.subjects += leaked.subjects
        leaks.leaks += leaked.leaks
    await every_attack(folder / "attacked", leaks, unguarded=wanted.control)
    return found, leaks


def insiders(bus: Bus, wanted: Options) -> list[Insider]:
    """Name the users of the broker; in the control one of them has a service's rights."""
    users = [Insider(feed.user, feed.seed) for feed in bus.feeds]
    users += [Insider(each.user, each.seed) for each in bus.entrances]
    if wanted.control and bus.seed is not None:
        users[0] = replace(users[0], seed=bus.seed)
    return users


async def everybody(
    house: House, table: Table, roles: Sequence[str], case: Case, department: str
) -> list[Caller]:
    """Give one caller of each role, units in `department`, and all who are no role."""
    inside = [
        await house.caller(role, department if role in table.units else None)
        for role in roles
    ]
    return [*inside, *await house.outsiders(case)]


def main() -> int:
    """Run, print the line and each wrong cell, and give the exit code."""
    wanted = options("Everybody sees what is theirs to see, and nothing else.")
    configure("console", "error")
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found, leaks = asyncio.run(tried(Path(folder), wanted))
    for told in [*found.missing, *map(str, found.wrong()), *leaks.leaks]:
        print(told)
    print(
        line(
            "P12",
            {
                "cells": len(found.cells),
                "wrong_allows": found.wrong_allows,
                "wrong_denies": found.wrong_denies,
                "subjects": leaks.subjects,
                "leaks": len(leaks.leaks),
                "seconds": round(time.perf_counter() - begin),
                "seed": wanted.seed,
            },
        )
    )
    kept = not (found.wrong() or found.missing or leaks.leaks)
    return KEPT if kept else BROKEN


if __name__ == "__main__":
    sys.exit(main())
