"""Words find their documents and tell nothing by themselves, on both databases."""

# ruff: noqa: RUF001 Chinese has signs of its own

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.kernel.errors import RefusedError
from services.kernel.vault import WordIndex, spelled, word_index, words
from services.kernel.vault.word_index import PART, Worded

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.kernel.store.database import Database


class Library:
    """An index over databases of its own; cases and people are numbers."""

    def __init__(self, make_database: Callable[..., Database], name: str = "") -> None:
        self.keys = make_database(f"keys{name}")
        self.store = make_database(f"words{name}")
        self.index = WordIndex(self.keys, self.store)
        self.position = 0

    def take(
        self, *texts: str, case: int, who: int = 0, position: int | None = None
    ) -> None:
        """Take in an event that brought these texts."""
        after, self.position = self.position, position or self.position + 1
        worded = Worded(
            self.position, UUID(int=case), UUID(int=who), self.index.digests(texts)
        )
        with self.store.write() as tx:
            self.index.put(tx, [worded], after=after, upto=self.position)

    def pass_over(self, position: int) -> None:
        """Take in events that brought no words, up to a position."""
        with self.store.write() as tx:
            self.index.put(tx, [], after=self.position, upto=position)
        self.position = position

    def erase(self, who: int) -> None:
        with self.store.write() as tx:
            self.index.erase(tx, UUID(int=who))

    def find(self, text: str) -> list[int]:
        return sorted(case.int for case in self.index.search(text))

    def held(self) -> bytes:
        """Give all that the index keeps, row after row."""
        with self.store.read() as tx:
            rows = tx.fetchall("SELECT digests FROM worded")
            rows += tx.fetchall("SELECT entries FROM word_shard")
        return b"|".join(row[0] for row in rows)


@pytest.fixture
def library(make_database: Callable[..., Database]) -> Library:
    return Library(make_database)


def test_two_characters_of_chinese_are_a_word_in_any_sentence(library: Library) -> None:
    library.take("我要申请退款并开具发票，客服态度恶劣。", case=1)
    library.take("退款一直没有到账，中华人民共和国消费者权益保护法", case=2)
    library.take("发票抬头错误 by 王芳", case=3)
    assert library.find("退款") == [1, 2]
    assert library.find("退款 发票") == library.find("退款发票") == [1]
    assert library.find("共和国") == library.find("中华人民共和国") == [2]
    assert library.find("王芳") == [3]  # in no dictionary
    assert library.find("退货") == []


def test_capitals_accents_and_wide_forms_make_no_difference(library: Library) -> None:
    library.take("Das CAFÉ in der Straße, ＡＢＣ１２３", case=1)
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
    library.take("The kettle leaks.", case=1)
    library.take("It hums and hums.", "Loudly.", case=1)
    library.take("The kettle hums.", case=2)
    assert library.find("kettle") == [1, 2]
    assert library.find("hums KETTLE hums") == [1, 2]
    assert library.find("leaks hums loudly") == [1]
    assert library.find("leaks whistles") == []
    assert library.find("?! …") == library.find("") == []


@pytest.mark.parametrize("whole", [False, True], ids=["growing", "whole"])
def test_the_words_of_a_person_go_and_no_other(
    library: Library, *, whole: bool
) -> None:
    """From an event as from a part that is whole; of what they had nothing is left."""
    library.take("kettle leaks", case=1, who=7)
    library.take("kettle hums", case=2, who=8)
    library.take("kettle again", case=3, who=7)
    if whole:
        library.pass_over(PART)
    theirs = library.index.digests(["leaks again"])
    assert all(digest in library.held() for digest in (theirs[:8], theirs[8:]))
    library.erase(7)
    library.erase(9)
    assert library.find("kettle") == [2]
    assert library.find("leaks") == []
    assert not any(digest in library.held() for digest in (theirs[:8], theirs[8:]))


def test_parts_that_are_whole_and_the_one_that_grows_are_searched(
    library: Library,
) -> None:
    """Also where positions are missing, and where nobody wrote anything."""
    for case, position in enumerate((1, PART - 1, PART, 5 * PART - 1, 5 * PART), 1):
        library.take(f"kettle n{case}", case=case, position=position)
        assert library.find("kettle") == list(range(1, case + 1))
    assert [library.find(f"kettle n{case}") for case in range(1, 6)] == [
        [case] for case in range(1, 6)
    ]
    with library.store.read() as tx:
        assert tx.fetchall("SELECT part FROM word_part ORDER BY part") == [
            (0,),
            (1,),
            (4,),
        ]


def test_who_was_erased_is_in_no_part_that_becomes_whole(library: Library) -> None:
    library.take("kettle", case=1, who=7)
    library.take("kettle", case=2, who=8)
    library.erase(7)
    library.pass_over(PART)
    assert library.find("kettle") == [2]
    library.erase(8)
    assert library.find("kettle") == []


def test_another_form_begins_anew(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.take("kettle", case=1)
    library.pass_over(PART)
    monkeypatch.setattr(word_index, "FORM", word_index.FORM + 1)
    with library.store.read() as tx:
        assert library.index.reach(tx) == 0
    library.position = 0
    library.take("pan", case=1)
    library.pass_over(PART)
    assert (library.find("kettle"), library.find("pan")) == ([], [1])


def test_of_an_endless_text_the_first_words_are_taken_in(library: Library) -> None:
    many = " ".join(f"w{number}" for number in range(word_index.WORDS_LIMIT + 1))
    library.take(f"{many} {'x' * 65}", case=1)
    assert library.find(f"w{word_index.WORDS_LIMIT - 1}") == [1]
    assert library.find(f"w{word_index.WORDS_LIMIT}") == []


def test_a_word_of_too_many_cases_is_refused(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_index, "CASES_LIMIT", 3)
    for number in range(1, 5):
        library.take(f"kettle n{number}", case=number)
    with pytest.raises(RefusedError, match=r"search\.too_common"):
        library.find("kettle")
    assert library.find("kettle n2") == [2]


def test_the_secret_is_kept_and_is_no_other_installations(
    make_database: Callable[..., Database],
) -> None:
    library, other = Library(make_database), Library(make_database, "2")
    again = WordIndex(library.keys, library.store)
    library.take("kettle", case=1)
    assert again.search("kettle") == {UUID(int=1)}
    digests = {each.digests(["kettle"]) for each in (library.index, again, other.index)}
    assert len(digests) == 2


def test_no_word_lies_in_the_store(library: Library) -> None:
    library.take("unmistakable 绝无仅有", case=1)
    library.pass_over(PART)
    held = library.held()
    assert library.index.digests(["unmistakable"]) in held
    for word in words.words_of("unmistakable 绝无仅有"):
        assert word.encode()[:8] not in held


@settings(max_examples=100)
@given(
    st.text(st.sampled_from("退款发票，。：；！？（）《》“”…— aB1._-\n"), max_size=40)
)
def test_texts_of_plain_signs_are_cut_as_all_others(text: str) -> None:
    """They are cut on a shorter way; an accent leads to the longer one."""
    accented = words.runs_of(f"{text} é")
    assert [*words.runs_of(f"{text} e")] == [*accented]


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
    library.take(text, case=1, who=1)
    known = list(words.words_of(text))
    for word in known:
        assert library.find(word) == [1], word
        assert spelled(word) == word
    if known and len(known) < 50:
        assert library.find(" ".join(known)) == [1]
    library.erase(1)
    assert not any(library.find(word) for word in known)
