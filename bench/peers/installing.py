"""Peers of npm, installed into `build/peers` by the bench and by nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measuring import Absent

if TYPE_CHECKING:
    from bench.measuring import Run

_FOLDER = Path("build/peers")
_PATIENCE = 900  # seconds


def npm(run: Run, package: str, version: str) -> Path:
    """Give the folder in which a package lies in `node_modules`; a quick run gets none."""
    folder = _FOLDER / package.replace("/", "-").removeprefix("@")
    if (folder / "node_modules" / package / "package.json").exists():
        return folder.absolute()
    if run.quick:
        raise Absent("not installed: a quick run installs nothing")
    tool = shutil.which("npm")
    if tool is None:
        raise Absent("no npm")
    run.say(f"installing {package}")
    folder.mkdir(parents=True, exist_ok=True)
    words = ["install", "--no-audit", "--no-fund", "--prefix", f"{folder}"]
    try:
        subprocess.run(  # noqa: S603 npm, as the machine has it
            [tool, *words, f"{package}@{version}"],
            check=True,
            capture_output=True,
            timeout=_PATIENCE,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        raise Absent(f"npm could not install {package} {version}") from None
    return folder.absolute()
