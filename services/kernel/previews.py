"""Small pictures of pictures: made anew in a child process that may do little.

What a stranger sent is decoded there alone, under limits of memory, time and pixels;
only what Pillow draws comes back, without anything else that was in the file.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from services.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MEDIA_TYPE: Final = "image/webp"
LARGEST: Final = 20 * 1024**2
"""Bytes of a picture of which a preview is made."""
WITHIN: Final = 20.0
"""Seconds that one may take."""

_TYPES: Final = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_PROGRAM: Final = Path(__file__).with_name("drawing.py")
_AT_ONCE: Final = asyncio.Semaphore(2)

_log = structlog.get_logger(__name__)


def may_be_shown(media_type: str, size: int) -> bool:
    """Tell of which files there are previews: pictures that are not too large."""
    return media_type in _TYPES and size <= LARGEST


async def preview(content: AsyncIterator[bytes]) -> bytes:
    """Give a small WebP of a picture. Raises NotFoundError where there can be none."""
    async with _AT_ONCE:
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(WITHIN):
                given = b"".join([piece async for piece in content])
                drawn, _ = await program.communicate(given)
        except TimeoutError:
            drawn = b""
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
    if program.returncode != 0 or not drawn:
        _log.info("preview.none", exit_code=program.returncode)
        raise no_preview()
    return drawn


def no_preview() -> NotFoundError:
    return NotFoundError("preview.none", "This file cannot be shown here: keep it.")
