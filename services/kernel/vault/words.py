"""Cuts texts into the words that they are found by.

A text becomes its different words: runs of Chinese are cut by rjieba, all else at
spaces and signs, without capitals and accents.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import rjieba

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LONGEST: Final = 64
"""Characters of a word; a longer run is no word that anybody looks for."""

_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS: Final = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_PLAIN: Final = re.compile(
    r"[\x00-\x7f\u3001\u3002\u300a-\u300f\u2014\u2018-\u201d\u2026\uff01\uff08\uff09"
    r"\uff0c\uff1a\uff1b\uff1f\u3400-\u4dbf\u4e00-\u9fff]*"
)
"""Letters and signs that have one form: all that most Chinese texts hold."""
_IS_HAN: Final = re.compile(rf"[{_HAN}]")


def words_of(text: str) -> Iterator[str]:
    """Give the different words of a text, in the order in which they first stand."""
    runs = runs_of(text)
    if text.isascii():  # nothing to cut, and the most common case
        words: Iterable[str] = runs
    else:
        words = dict.fromkeys(word for run in runs for word in cut(run, search=True))
    return (word for word in words if len(word) <= LONGEST)


def spelled(text: str) -> str:
    """Give the words that somebody looks for in one spelling; empty without a word."""
    return " ".join(sorted(runs_of(text)))


def runs_of(text: str) -> dict[str, None]:
    """Cut a text at spaces, at signs, and where Chinese begins and ends; each run once."""
    return dict.fromkeys(_RUNS.findall(_folded(text)))


def _folded(text: str) -> str:
    """Make equal what people take for equal: capitals, accents, wide forms."""
    if text.isascii() or _PLAIN.fullmatch(text):
        return text.lower()
    for _ in range(2):  # small letters may come apart into a letter and its accent
        apart = unicodedata.normalize("NFKD", text)
        bare = "".join(c for c in apart if unicodedata.category(c) != "Mn")
        text = unicodedata.normalize("NFKC", bare).casefold()
    return text


def cut(run: str, *, search: bool) -> Sequence[str]:
    """Give the words of one run; without guessing at words that no dictionary has.

    Such guesses depend on what stands round them; single characters do not.
    """
    if not _IS_HAN.match(run):
        return [run]
    return list((rjieba.cut_for_search if search else rjieba.cut)(run, False))
