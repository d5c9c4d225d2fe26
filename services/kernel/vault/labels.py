"""What a file is called and what it is: a name is a label only, a type is looked at."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import puremagic

LONGEST: Final = 200
"""Bytes of a name in UTF-8; with what a download adds it fits every file system."""
SNIFFED: Final = 512 * 1024
"""How many bytes of a file's beginning are looked at."""
UNKNOWN: Final = "application/octet-stream"
TEXT: Final = "text/plain"

_NAMELESS: Final = "file"
_HIDDEN: Final = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
_BLANKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LONGEST_SUFFIX: Final = 16  # bytes, with its dot
_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")
_ZIP: Final = b"PK\x03\x04"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_ZIPPED: Final = {
    b"word/": f"{_OFFICE}wordprocessingml.document",
    b"xl/": f"{_OFFICE}spreadsheetml.sheet",
    b"ppt/": f"{_OFFICE}presentationml.presentation",
}
"""What a zip file is by the folders that it begins with."""
_RUN: Final = re.compile(r"^text/|[/+]xml$|html|script|flash")
"""What a browser might run, however it was recognised."""
_CONTROLS: Final = frozenset({*range(0x20), 0x7F}) - {*b"\t\n\r\f\x1b"}


def clean_name(claimed: str) -> str:
    """Make a label of what somebody calls a file: one line that hides nothing.

    No folder, no control, no character that is not seen or turns the line round; at
    most 200 bytes, the ending kept. It is never a path.
    """
    seen = "".join(
        character
        for character in unicodedata.normalize("NFC", claimed)
        if unicodedata.category(character) not in _HIDDEN and character not in _BLANKS
    )
    last = re.split(r"[/\\]", seen.rstrip("/\\ "))[-1]
    return _cut(" ".join(last.split()).rstrip(". ")) or _NAMELESS


def _cut(name: str) -> str:
    if len(name.encode()) <= LONGEST:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = dot + suffix if stem and len(suffix.encode()) < _LONGEST_SUFFIX else ""
    room = LONGEST - len(ending.encode())
    cut = name.removesuffix(ending).encode()[:room].decode(errors="ignore")
    return cut.rstrip() + ending


def sniff(beginning: bytes) -> str:
    """Give the media type of a file by its first bytes; what it claims is not asked.

    Anything that a browser might read as markup is told as text.
    """
    if not beginning:
        return UNKNOWN
    if _is_text(beginning) and not beginning.startswith(b"%PDF-"):
        return TEXT
    if beginning.lstrip()[:1] == b"<":  # markup with something hidden in it
        return UNKNOWN
    if beginning.startswith(_ZIP):  # puremagic takes every zip file for a letter
        return _zipped(beginning)
    try:
        found = puremagic.magic_string(beginning[:SNIFFED])
    except (puremagic.PureError, ValueError):
        return UNKNOWN
    best = next((str(each.mime_type) for each in found if each.mime_type), "")
    return best if _TYPE.fullmatch(best) and not _RUN.search(best) else UNKNOWN


def _zipped(beginning: bytes) -> str:
    if b"[Content_Types].xml" in beginning:
        for folder, media_type in _ZIPPED.items():
            if folder in beginning:
                return media_type
    return "application/zip"


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last character may go on behind what is looked at.
        if error.start < len(content) - 3 or error.reason != "unexpected end of data":
            return False
    return not _CONTROLS.intersection(content)
