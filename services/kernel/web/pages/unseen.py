"""A stranger's bytes shown so that nothing in them acts, hides or turns the line round."""

from __future__ import annotations

import itertools
import unicodedata
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDS_A_LINE: Final = "\n"
_SPACES: Final = " \u3000"
_BLANKS: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, itertools.chain(range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))))
)
"""Letters and marks that draw nothing."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_ALONE: Final = 0xDC00  # what "surrogateescape" makes of a byte that is no UTF-8


def shown(body: bytes) -> Markup:
    """Give HTML of text: what cannot be seen by its code point, no UTF-8 by its byte."""
    return Markup("").join(_pieces(body.decode("utf-8", "surrogateescape")))


def _pieces(text: str) -> Iterator[Markup]:
    for name, characters in itertools.groupby(text, _named):
        if name:
            for each in characters:
                yield Markup('<span class="unseen">{}</span>').format(_named(each))
        else:
            yield Markup.escape("".join(characters))


def _named(character: str) -> str:
    """Name what is not drawn; "" for all else. A line still ends where it ends."""
    if character == _ENDS_A_LINE or character in _SPACES:
        return ""
    code = ord(character)
    if _ALONE <= code < _ALONE + 0x100:
        return f"{code - _ALONE:02X}"
    if unicodedata.category(character) in _HIDDEN or character in _BLANKS:
        return f"U+{code:04X}"
    return ""
