"""Every message has its words in every language, and no catalogue holds another."""

import re

import pytest

from events import catalogue, vocabulary, words
from services.handling.main import default_policy
from services.kernel.i18n import Catalogues, language_of
from tests.support.catalogues import LOCALES, Part, parts, untranslated

PARTS = [
    pytest.param(part, locale, id=f"{part.folder.name}-{locale}")
    for part in parts()
    for locale in LOCALES
]


@pytest.mark.parametrize(("part", "locale"), PARTS)
def test_every_message_is_translated_and_none_is_left_over(
    part: Part, locale: str
) -> None:
    stored = part.stored(locale)
    known = {message.id for message in stored if message.id}
    assert known == part.used(), "run `python -m tests.support.catalogues`"
    assert not list(untranslated(stored))


@pytest.mark.parametrize(("part", "locale"), PARTS)
def test_a_translation_keeps_its_placeholders(part: Part, locale: str) -> None:
    for message in part.stored(locale):
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        said = (
            message.string if isinstance(message.string, tuple) else (message.string,)
        )
        wanted = {name for each in originals for name in placeholders(each)}
        for text in said:
            assert placeholders(text) <= wanted, message.id
        if not isinstance(message.id, tuple):
            assert placeholders(said[0]) == wanted, message.id


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def test_every_code_has_its_word() -> None:
    lists = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): {
            str(code.value) for code in kind
        }
        for name, kind in vars(vocabulary).items()
        if isinstance(kind, type)
        and issubclass(kind, vocabulary.StrEnum | vocabulary.IntEnum)
        and kind.__module__ == vocabulary.__name__
    }
    lists["event"] = set(catalogue.EVENTS)
    lists["department"] = set(default_policy().departments)
    assert {kind: set(table) for kind, table in words.WORDS.items()} == lists


def test_words_of_codes_are_translated() -> None:
    chinese = Catalogues([words.LOCALE]).of("zh_CN")
    assert chinese.ugettext(words.WORDS["state"]["CLOSED"]) == "已结案"


@pytest.mark.parametrize(
    ("wishes", "accept", "given"),
    [
        ((), None, "en"),
        (("zh-CN",), None, "zh_CN"),
        (("xx", "zh_cn"), "en", "zh_CN"),
        ((), "zh-TW,zh;q=0.9", "zh_CN"),
        ((), "en;q=0.3, zh-Hans;q=0.8", "zh_CN"),
        ((), "de, fr", "en"),
        ((), "zh;q=0, en;q=0.1", "en"),
        ((), ";q=x, ,*;q=nan", "en"),
        ((), "e", "en"),
    ],
)
def test_the_language_follows_the_wish_then_the_browser(
    wishes: tuple[str, ...], accept: str | None, given: str
) -> None:
    assert language_of(*wishes, accept=accept) == given
