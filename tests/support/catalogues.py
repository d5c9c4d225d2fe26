"""The translations' upkeep: `python -m tests.support.catalogues [events intake …]`.

Brings the catalogues of the named packages, or of all, up to date.
New messages are added without a translation, unused ones are dropped; the test of the
catalogues fails until every message has its words.
"""

import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from babel import Locale
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from events.words import WORDS
from services.kernel.i18n import DEFAULT, LANGUAGES, catalogue

ROOT = Path(__file__).resolve().parents[2]
_KEYWORDS = {
    "msgid": None,
    "_": None,
    "gettext": None,  # what {% trans %} becomes
    "ngettext": (1, 2),
}
_METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
_OPTIONS = {"**/templates/**.html": {"trimmed": "false", "silent": "false"}}

Message = str | tuple[str, ...]
LOCALES = tuple(locale for locale in LANGUAGES if locale != DEFAULT)


@dataclass(frozen=True)
class Part:
    """A package with catalogues of its own, and the messages that stand elsewhere."""

    folder: Path
    words: Mapping[str, Mapping[str, str]] | None = None

    @property
    def locale(self) -> Path:
        return self.folder / "locale"

    def used(self) -> frozenset[Message]:
        if self.words is not None:
            return frozenset(
                each for table in self.words.values() for each in table.values()
            )
        found = extract_from_dir(
            self.folder, _METHODS, _OPTIONS, _KEYWORDS, strip_comment_tags=False
        )
        return frozenset(message for _, _, message, _, _ in found if message)

    def stored(self, locale: str) -> Catalog:
        path = catalogue(self.locale, locale)
        if not path.exists():
            return Catalog(locale=Locale.parse(locale))
        with path.open("rb") as source:
            return read_po(source, locale=Locale.parse(locale), abort_invalid=True)


def parts() -> list[Part]:
    """Give every package that says something to people."""
    services = [Part(folder) for folder in sorted((ROOT / "services").iterdir())]
    own = [part for part in services if part.folder.is_dir() and part.used()]
    return [Part(ROOT / "events", WORDS), *own]


def update(part: Part, locale: str) -> bytes:
    """Give the catalogue as it should be: all that is used, nothing else."""
    old = part.stored(locale)
    new = Catalog(locale=Locale.parse(locale), fuzzy=False)
    for message in sorted(part.used(), key=_first):
        known = old.get(_first(message))
        fitting = known is not None and known.id == message and not known.fuzzy
        new.add(message, known.string if known is not None and fitting else None)
    written = io.BytesIO()
    # Without the header's dates and places two runs give the same bytes.
    write_po(written, new, no_location=True, omit_header=True, width=0)
    return _HEADER.encode() + written.getvalue()


def _first(message: Message) -> str:
    return message if isinstance(message, str) else message[0]


_HEADER = """msgid ""
msgstr ""
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def untranslated(catalog: Catalog) -> Iterable[object]:
    for message in catalog:
        said = (
            message.string if isinstance(message.string, tuple) else (message.string,)
        )
        if message.id and (message.fuzzy or not said or not all(said)):
            yield message.id


if __name__ == "__main__":
    for each in parts():
        if sys.argv[1:] and each.folder.name not in sys.argv[1:]:
            continue
        for language in LOCALES:
            path = catalogue(each.locale, language)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(update(each, language))
            for left in untranslated(each.stored(language)):
                sys.stdout.write(f"{path.relative_to(ROOT)}: {left!r} has no words\n")
