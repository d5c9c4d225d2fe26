"""`amends support-bundle`: what somebody who helps from afar needs, in one file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.bundle import write_bundle
from services.cli.client import places
from services.cli.printing import show
from services.doctor import examined
from services.kernel.errors import RefusedError, UnavailableError
from services.kernel.logs import configure
from services.kernel.settings import load_settings
from services.logged import LINES

if TYPE_CHECKING:
    from pathlib import Path


def support_bundle(target: Path, log: Path | None, *, as_json: bool) -> None:
    """Write the bundle, of what runs and of what lies there."""
    configure(level="error")
    settings = load_settings()
    try:
        where = places()
    except UnavailableError:  # what lies there is worth a look all the same
        where = {}
    findings = asyncio.run(examined())
    lines = _end_of(log) if log is not None else []
    try:
        names = write_bundle(target, settings, where, findings, lines)
    except OSError as error:
        if target.exists():
            raise RefusedError(
                "bundle.taken", f"{target} is there already: name another file."
            ) from None
        raise RefusedError(
            "file.not_writable",
            f"{target} cannot be written ({error.strerror}): name another place.",
        ) from error
    human = [f"Wrote {target}: {', '.join(names)}."]
    if not where:
        human.append("Nothing runs: neither health nor figures are in it.")
    if log is None:
        human.append("No log: add the last lines with --log FILE.")
    human.append("It holds codes, figures and sizes; look before you send it.")
    found = {"bundle": str(target), "parts": names}
    show(found, as_json=as_json, human="\n".join(human))


def _end_of(log: Path) -> list[str]:
    """Give the last lines of a file, however long it is."""
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LINES * 2_000))
        return file.read().decode(errors="replace").splitlines()[-LINES:]
