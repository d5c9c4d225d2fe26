"""The languages of the pages: which one a reader gets, and its words.

A message is its English sentence. Catalogues are `.po` files, read at start, so that
no compiled file can be older than its source.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "zh_CN": "简体中文"}
"""Locales that pages speak, each with its own name for itself; the first is default."""
DEFAULT: Final = "en"
LOCALE: Final = Path(__file__).parent / "locale"
"""The kernel's own catalogues."""

_LONGEST_HEADER: Final = 500


def msgid(message: str) -> str:
    """Mark an English message for the catalogue where it is not yet translated."""
    return message


def tag(locale: str) -> str:
    """Give the BCP 47 tag, as HTML and HTTP write it: `zh-CN`."""
    return locale.replace("_", "-")


def language_of(*wishes: str | None, accept: str | None = None) -> str:
    """Give the locale of the first wish that we speak, else by `Accept-Language`."""
    for wish in wishes:
        locale = _spoken(wish or "")
        if locale is not None:
            return locale
    for wish in _accepted(accept or ""):
        locale = _spoken(wish)
        if locale is not None:
            return locale
    return DEFAULT


def _spoken(wish: str) -> str | None:
    """Match a tag by its whole, then by its language: every Chinese gets ours."""
    wanted = wish.replace("-", "_").lower()
    for locale in LANGUAGES:
        if wanted == locale.lower():
            return locale
    language = wanted.partition("_")[0]
    for locale in LANGUAGES:
        if language and language == locale.partition("_")[0]:
            return locale
    return None


def _accepted(header: str) -> Sequence[str]:
    """Give the tags of an `Accept-Language` header, the most wanted first."""
    wishes: list[tuple[float, str]] = []
    for part in header[:_LONGEST_HEADER].split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            weight = 0.0
        if name and weight > 0:
            wishes.append((weight, name))
    return [name for _, name in sorted(wishes, key=lambda wish: -wish[0])]


class Catalogues:
    """The translations of several folders, each `<locale>/LC_MESSAGES/messages.po`."""

    def __init__(self, folders: Iterable[Path]) -> None:
        """Read them all; where two translate one message, the later folder wins."""
        self._known = {locale: Translations() for locale in LANGUAGES}
        for folder in folders:
            for locale, known in self._known.items():
                path = catalogue(folder, locale)
                if locale != DEFAULT and path.exists():
                    found = _compiled(path, locale)
                    known.merge(found)
                    # Merging leaves out how the language counts.
                    known.plural = found.plural

    def of(self, locale: str) -> Translations:
        return self._known[locale]


def catalogue(folder: Path, locale: str) -> Path:
    return folder / locale / "LC_MESSAGES" / "messages.po"


@cache  # the pages of every service have the kernel's words
def _compiled(path: Path, locale: str) -> Translations:
    with path.open("rb") as source:
        messages = read_po(source, locale=Locale.parse(locale), abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translations(compiled)
