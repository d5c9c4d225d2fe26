"""New files: each comes to its place whole or not at all, and replaces nothing."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def refuse_existing(to: Path) -> None:
    """Raise `RefusedError` where something is."""
    if os.path.lexists(to):
        raise RefusedError(
            "file.exists",
            f"{to} is there already: name a file that is not.",
        )


@contextlib.contextmanager
def draft(to: Path) -> Iterator[Path]:
    """Give a new file beside `to`, for our eyes alone; it is gone in the end."""
    beside = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise RefusedError(
            "file.not_writable",
            f"{to} cannot be written ({error.strerror}): name another place.",
        ) from error
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def put(beside: Path, to: Path) -> None:
    """Put a draft that is whole into its place."""
    try:
        os.link(beside, to)  # unlike a renaming, it replaces nothing
    except FileExistsError:
        refuse_existing(to)
        raise
