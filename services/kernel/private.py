"""Small files that are there whole or not at all, whatever happens; secrets for one."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def kept_private(path: Path, make: Callable[[], str]) -> str:
    """Read the file, made (mode 0600) where there is none; where two make it, one wins.

    Half a secret would lock its holder out for ever, so it appears whole or not at all.
    """
    if not path.exists():
        _create(path, make() + "\n")
    return path.read_text(encoding="utf-8").strip()


def write_whole(path: Path, text: str) -> None:
    """Write a file that others may read; a power cut leaves the old one or the new."""
    draft = _draft(path, text, 0o644)
    draft.replace(path)
    _keep(path)


def _create(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(path, text, 0o600)
    with suppress(FileExistsError):  # another process was faster: its file stays
        os.link(draft, path)
    draft.unlink()
    _keep(path)


def _draft(path: Path, text: str, mode: int) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _keep(path: Path) -> None:
    """Make durable that a file has its name."""
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
