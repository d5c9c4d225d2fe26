"""Finds how a text is encoded, or says on which line it is not what it seems to be."""

import codecs
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import IO, Final

from charset_normalizer import from_bytes

from services.intake.importing.reading.table import fault_at
from services.kernel.errors import MalformedError, MisuseError

Reopened = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens the bytes from their beginning."""

_CHUNK: Final = 1024**2
_SAMPLE: Final = 64 * 1024
_COMMON: Final = 0.9
"""Least share of everyday characters among those that GB18030 would read."""
NAMES: Final = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with a byte order mark",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "gb18030": "GB18030",
}


def encoding_of(opened: Reopened, given: str | None = None) -> str:
    """Give the name of the codec that reads every byte; `given` wins where it does.

    UTF-8 and UTF-16 are known for certain; GB18030 where what it reads is Chinese.
    Nothing else is taken by a guess: it is named, so that a person may say so.
    Raises `MalformedError` naming the first line that cannot be read.
    """
    if given is not None:
        codec = _known(given)
        if fault := _first_fault(opened, codec):
            raise _refused(*fault, given, "")
        return codec
    with opened() as file:
        head = file.read(_SAMPLE)
    codec = _marked(head)
    fault = _first_fault(opened, codec)
    if fault is None:
        return codec
    sample = _foreign(opened)
    if codec == "utf-8" and _chinese(sample) and not _first_fault(opened, "gb18030"):
        return "gb18030"
    best = from_bytes(sample).best() if codec == "utf-8" else None
    hint = f" It may be {best.encoding}." if best else ""
    raise _refused(*fault, NAMES[codec], hint)


def _known(given: str) -> str:
    try:
        b"?".decode(given, "ignore")
    except (LookupError, ValueError):
        raise MisuseError(
            "import.unknown_encoding",
            f"There is no encoding {given!r}: give utf-8, utf-16, gb18030, cp1252, …",
        ) from None
    return codecs.lookup(given).name


def _marked(head: bytes) -> str:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if odd > len(head) // 4 and not even:
        return "utf-16-le"
    if even > len(head) // 4 and not odd:
        return "utf-16-be"
    return "utf-8"


def _chunks(opened: Reopened) -> Iterator[bytes]:
    with opened() as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _first_fault(opened: Reopened, codec: str) -> tuple[int, int] | None:
    """Give line and byte, counted from 1, of the first that the codec cannot read."""
    decoder = codecs.getincrementaldecoder(codec)()
    line, column = 1, 0
    waiting = 0
    try:
        for chunk in _chunks(opened):
            decoder.decode(chunk)
            ended = chunk.count(b"\n")
            line += ended
            column = len(chunk) - chunk.rfind(b"\n") - 1 + (0 if ended else column)
            waiting = len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        if ended := before.count(b"\n"):
            return line + ended, len(before) - before.rfind(b"\n")
        return line, column - waiting + len(before) + 1
    return None


def _foreign(opened: Reopened) -> bytes:
    """Collect some of the lines that are not plain ASCII."""
    found = bytearray()
    for chunk in _chunks(opened):
        for line in chunk.splitlines(keepends=True):
            if not line.isascii():
                found += line[:_CHUNK]
        if len(found) > _SAMPLE:
            break
    return bytes(found[: 2 * _SAMPLE])


def _chinese(sample: bytes) -> bool:
    """Say whether what GB18030 reads in it are mostly characters of every day."""
    read = sample.decode("gb18030", errors="ignore")
    others = [each for each in read if not each.isascii()]
    common = sum(1 for each in others if _in_gb2312(each))
    return bool(others) and common >= _COMMON * len(others)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _refused(line: int, byte: int, name: str, hint: str) -> MalformedError:
    return fault_at(
        "import.encoding",
        line,
        f"is not {name} at byte {byte}",
        "Save the file as UTF-8 (in a spreadsheet: CSV UTF-8), or say what it is with"
        f" --encoding.{hint}",
    )
