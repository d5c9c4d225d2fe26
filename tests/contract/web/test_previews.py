"""A preview is drawn anew under limits; what is no picture, or a bomb, has none."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from services.kernel.errors import NotFoundError
from services.kernel.previews import LARGEST, may_be_shown, preview

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def drawn(content: bytes) -> bytes:
    async def pieces() -> AsyncIterator[bytes]:
        yield content[:100]
        yield content[100:]

    return asyncio.run(preview(pieces()))


def picture(form: str, size: tuple[int, int] = (1200, 600), **more: object) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, "red").save(content, form, **more)
    return content.getvalue()


def bomb() -> bytes:
    """A PNG of 40,000 times 40,000 white points in a few bytes."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    data = zlib.compress(b"\0" * 5_001 * 100)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_is_drawn_small_and_without_what_else_was_in_it(form: str) -> None:
    more = {"comment": b"PLANTED-MARK"} if form in {"JPEG", "GIF"} else {}
    small = drawn(picture(form, **more) + b"PLANTED-MARK")
    with Image.open(io.BytesIO(small)) as image:
        assert (image.format, image.size) == ("WEBP", (480, 240))
    assert b"PLANTED-MARK" not in small


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture("BMP"),
        picture("PNG")[:200],
        bomb(),
    ],
    ids=["empty", "text", "svg", "bmp", "cut", "bomb"],
)
def test_what_cannot_be_drawn_has_no_preview(content: bytes) -> None:
    with pytest.raises(NotFoundError) as told:
        drawn(content)
    assert told.value.code == "preview.none"


@pytest.mark.real_data
def test_hostile_files_have_none(real_data: Path) -> None:
    for path in (real_data / "badinput/own/archives").iterdir():
        with pytest.raises(NotFoundError):
            drawn(path.read_bytes())


def test_only_pictures_of_a_fair_size_are_tried() -> None:
    assert may_be_shown("image/png", LARGEST)
    assert not may_be_shown("image/png", LARGEST + 1)
    for media_type in ("image/svg+xml", "image/tiff", "text/plain", "application/pdf"):
        assert not may_be_shown(media_type, 1)
