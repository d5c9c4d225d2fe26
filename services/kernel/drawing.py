"""Draws a small picture of the one on standard input; run by `previews`, never imported.

It begins by giving up: memory, time, files, cores. Then it decodes what a stranger sent.
"""

import io
import resource
import sys
import warnings

from PIL import Image, ImageOps

MEMORY = 768 * 1024**2
SECONDS = 10
PIXELS = 50_000_000
SIDE = 480
FORMATS = ("GIF", "JPEG", "PNG", "WEBP")


def main() -> None:
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    warnings.simplefilter("error")
    Image.MAX_IMAGE_PIXELS = PIXELS
    given = io.BytesIO(sys.stdin.buffer.read())
    drawn = io.BytesIO()
    with Image.open(given, formats=FORMATS) as picture:
        picture.draft("RGB", (2 * SIDE, 2 * SIDE))
        picture.thumbnail((SIDE, SIDE))
        small = ImageOps.exif_transpose(picture).convert("RGBA")
    clean = Image.new("RGBA", small.size)  # nothing of the old one but its pixels
    clean.paste(small)
    clean.save(drawn, "WEBP", quality=80)
    sys.stdout.buffer.write(drawn.getvalue())


if __name__ == "__main__":
    main()
