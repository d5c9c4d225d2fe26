"""`amends doctor` and `amends migrate`: whether all is as it should be, in today's form."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict

import typer

from services.cli.printing import REFUSED, show
from services.doctor import examined
from services.kernel.folder import DataFolder
from services.kernel.logs import configure
from services.kernel.settings import load_settings


def doctor(*, as_json: bool) -> None:
    configure(level="error")  # what is found is told below
    found = asyncio.run(examined())
    ok = all(each.status != "fault" for each in found)
    if as_json:
        checks = [asdict(each) for each in found]
        show({"checks": checks, "ok": ok}, as_json=True, human="")
    else:
        for each in found:
            typer.echo(f"{each.status:<8}{each.check:<26}{each.detail}")
            if each.remedy and each.status != "ok":
                typer.echo(f"        {each.remedy}")
    if not ok:
        sys.exit(REFUSED)


def migrate(*, as_json: bool) -> None:
    folder = DataFolder(load_settings().data)
    folder.require()
    number = folder.known_format()
    told = {"format": number, "migrated": False}
    show(told, as_json=as_json, human=f"Nothing to migrate: format {number}.")
