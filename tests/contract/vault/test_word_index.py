"""Words find their documents and tell nothing by themselves, on both databases."""

# ruff: noqa: RUF001 Chinese has signs of its own

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.kernel.errors import RefusedError
from services.kernel.vault import Worded, WordIndex, spelled, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database


class Library:
    """An index over databases of its own; documents, cases and people are numbers."""

    def __init__(self, make_database: Callable[..., Database], name: str = "") -> None:
        self.keys = make_database(f"keys{name}")
        self.store = make_database(f"words{name}")
        self.index = WordIndex(self.keys, self.store)

    def worded(self, number: int, text: str, *, case: int, who: int = 0) -> Worded:
        return self.index.worded(
            text,
            document_id=UUID(int=number),
            case_id=UUID(int=case),
            subject_id=UUID(int=who),
        )

    def put(self, *documents: Worded) -> None:
        with self.store.write() as tx:
            self.index.put(tx, documents)

    def erase(self, who: int) -> None:
        with self.store.write() as tx:
            self.index.erase(tx, UUID(int=who))

    def find(self, text: str) -> list[int]:
        return sorted(case.int for case in self.index.search(text))


@pytest.fixture
def library(make_database: Callable[..., Database]) -> Library:
    return Library(make_database)


def test_two_characters_of_chinese_are_a_word_in_any_sentence(library: Library) -> None:
    library.put(
        library.worded(1, "我要申请退款并开具发票，客服态度恶劣。", case=1),
        library.worded(2, "退款一直没有到账，中华人民共和国消费者权益保护法", case=2),
        library.worded(3, "发票抬头错误 by 王芳", case=3),
    )
    assert library.find("退款") == [1, 2]
    assert library.find("退款 发票") == library.find("退款发票") == [1]
    assert library.find("共和国") == library.find("中华人民共和国") == [2]
    assert library.find("王芳") == [3]  # in no dictionary
    assert library.find("退货") == []


def test_capitals_accents_and_wide_forms_make_no_difference(library: Library) -> None:
    library.put(library.worded(1, "Das CAFÉ in der Straße, ＡＢＣ１２３", case=1))
    for text in (
        "café",
        "CAFE",
        "cafe\u0301",
        "strasse",
        "STRASSE",
        "abc123",
        "ABC１２３",
    ):
        assert library.find(text) == [1], text
    assert library.find("caf") == []  # no part of a word


def test_every_word_must_stand_in_what_one_case_has(library: Library) -> None:
    """In any of its documents, in any order, however often."""
    library.put(
        library.worded(1, "The kettle leaks.", case=1),
        library.worded(2, "It hums and hums.", case=1),
        library.worded(3, "The kettle hums.", case=2),
    )
    assert library.find("kettle") == [1, 2]
    assert library.find("hums KETTLE hums") == [1, 2]
    assert library.find("leaks hums") == [1]
    assert library.find("leaks whistles") == []
    assert library.find("?! …") == library.find("") == []


def test_the_words_of_a_person_go_and_no_other(library: Library) -> None:
    library.put(
        library.worded(1, "kettle leaks", case=1, who=7),
        library.worded(2, "kettle hums", case=2, who=8),
        library.worded(3, "kettle again", case=3, who=7),
    )
    library.erase(7)
    library.erase(9)
    assert library.find("kettle") == [2]
    assert library.find("leaks") == []


def test_the_same_document_twice_is_there_once(library: Library) -> None:
    """So a whole installation may be taken in again."""
    document = library.worded(1, "kettle", case=1)
    library.put(document, library.worded(2, "pan", case=2))
    library.put(document)
    library.put()
    assert library.find("kettle") == [1]


def test_of_an_endless_text_the_first_words_are_taken_in(library: Library) -> None:
    many = " ".join(f"w{number}" for number in range(words.WORDS_LIMIT + 1))
    document = library.worded(1, f"{many} {'x' * 65}", case=1)
    assert len(document.digests) == words.WORDS_LIMIT
    library.put(document)
    assert library.find(f"w{words.WORDS_LIMIT - 1}") == [1]
    assert library.find(f"w{words.WORDS_LIMIT}") == []


def test_a_word_of_too_many_cases_is_refused(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "CASES_LIMIT", 3)
    library.put(*(library.worded(n, f"kettle n{n}", case=n) for n in range(1, 5)))
    with pytest.raises(RefusedError, match=r"search\.too_common"):
        library.find("kettle")
    assert library.find("kettle n2") == [2]


def test_the_secret_is_kept_and_is_no_other_installations(
    make_database: Callable[..., Database],
) -> None:
    library, other = Library(make_database), Library(make_database, "2")
    again = WordIndex(library.keys, library.store)
    library.put(library.worded(1, "kettle", case=1))
    assert again.search("kettle") == {UUID(int=1)}
    digests = {
        each.worded("kettle", document_id=UUID(int=1), **IDS).digests
        for each in (library.index, again, other.index)
    }
    assert len(digests) == 2


IDS = {"case_id": UUID(int=1), "subject_id": UUID(int=1)}


def test_no_word_lies_in_the_store(library: Library) -> None:
    library.put(library.worded(1, "unmistakable 绝无仅有", case=1))
    with library.store.read() as tx:
        rows = tx.fetchall("SELECT digest FROM document_word")
    assert rows
    for (digest,) in rows:
        assert len(digest) == 16
        for word in words.words_of("unmistakable 绝无仅有"):
            assert word.encode()[:16] not in digest


WRITTEN = st.text(max_size=200) | st.text(
    st.sampled_from("退款发票客服态度恶劣乒乓球拍卖完了中华人民共和国的 a1,é"),
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(WRITTEN)
@example("İstanbul ŉ ẛ̣ ﬃ ͅ Ω≠ 한국어 ไทย")
def test_what_is_taken_in_is_found_by_each_of_its_words(
    library: Library, text: str
) -> None:
    library.erase(1)
    library.put(library.worded(1, text, case=1, who=1))
    known = list(words.words_of(text))
    for word in known:
        assert library.find(word) == [1], word
        assert spelled(word) == word
    if known and len(known) < 50:
        assert library.find(" ".join(known)) == [1]
    library.erase(1)
    assert not any(library.find(word) for word in known)
