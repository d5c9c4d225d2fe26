"""Finds documents by the words in them, without keeping a word.

A text becomes its different words: runs of Chinese are cut by rjieba, all else at
spaces and signs, without capitals and accents. Each is kept as HMAC-SHA256 under a
secret of the key database, cut to 16 bytes, beside the document that it stands in, and
goes with the document's person. Whoever reads the store alone sees how often an unknown
word occurs, and which documents share it; whoever has the secret too can test guesses.
"""

from __future__ import annotations

import hmac
import itertools
import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import rjieba

from services.kernel.errors import NotFoundError, RefusedError
from services.kernel.vault.documents import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from services.kernel.store.database import Database, Dialect, Tx
    from services.kernel.vault.documents import Vault

FORM: Final = 1
"""Of the words; another one means that every text must be taken in again."""
WORDS_LIMIT: Final = 2_000
"""Different words of one document that are taken in: the first ones."""
LONGEST: Final = 64
"""Characters of a word; a longer run is no word that anybody looks for."""
WORDS_REMEMBERED: Final = 20_000
"""Digests kept in memory: most of a text are words that others have too."""
CASES_LIMIT: Final = 20_000
"""Cases that one search may have; with more the words are too common."""

_TEXT: Final = "text/plain"
_DIGEST_SIZE: Final = 16
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS: Final = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN: Final = re.compile(rf"[{_HAN}]")
_SECRET_SIZE: Final = 32
_SECRETS: Final = """CREATE TABLE IF NOT EXISTS vault_secret (
    name TEXT PRIMARY KEY, value BYTEA NOT NULL)"""
# Ids of documents rise with time: what comes in goes to the end of each word's rows.
# All digests of a document lie together once more, so that its rows are found again
# without a second index over all of them.
_WORD: Final = """CREATE TABLE IF NOT EXISTS document_word (
    digest BYTEA NOT NULL, document_id UUID NOT NULL, case_id UUID NOT NULL,
    PRIMARY KEY (digest, document_id))"""
_WORDED: Final = (
    """CREATE TABLE IF NOT EXISTS worded_document (
        document_id UUID PRIMARY KEY, subject_id UUID NOT NULL, digests BYTEA NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS worded_document_subject
        ON worded_document (subject_id)""",
)
TABLES: Final[dict[Dialect, tuple[str, ...]]] = {
    "sqlite": (f"{_WORD} WITHOUT ROWID", *_WORDED),  # narrow rows: one b-tree less
    "postgres": (_WORD, *_WORDED),
}
_WITH: Final = "SELECT case_id FROM document_word WHERE digest = ?"


@dataclass(frozen=True, slots=True)
class Worded:
    """The words of one document, ready to be kept."""

    document_id: UUID
    case_id: UUID
    subject_id: UUID
    digests: tuple[bytes, ...]


def worded_anew(
    vault: Vault, index: WordIndex, document_id: UUID, case_id: UUID
) -> Worded | None:
    """Take a stored text apart once more; None where nothing can be read any more."""
    try:
        document = vault.open(document_id)
    except (NotFoundError, DamagedError):  # erased, or named by `audit verify`
        return None
    if not document.media_type.startswith(_TEXT):
        return None
    return index.worded(
        document.plaintext.decode(errors="replace"),
        document_id=document_id,
        case_id=case_id,
        subject_id=document.subject_id,
    )


class WordIndex:
    """Which words stand in which document, of which case and person.

    Rows are put in the transaction that stores the document; those of a person go in
    the transaction that records the erasure.
    """

    def __init__(
        self,
        keys: Database,
        documents: Database,
        *,
        randbytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        keys.migrate((_SECRETS,))
        documents.migrate(TABLES[documents.dialect])
        self._documents = documents
        with keys.write() as tx:
            tx.execute(
                "INSERT INTO vault_secret (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                ("word_index", randbytes(_SECRET_SIZE)),
            )
            row = tx.fetchone(
                "SELECT value FROM vault_secret WHERE name = ?", ("word_index",)
            )
        secret: bytes = row[0] if row else b""

        @lru_cache(WORDS_REMEMBERED)
        def digest(word: str) -> bytes:
            return hmac.digest(secret, word.encode(), "sha256")[:_DIGEST_SIZE]

        self._digest = digest

    def worded(
        self, text: str, *, document_id: UUID, case_id: UUID, subject_id: UUID
    ) -> Worded:
        """Take a text apart; writes nothing."""
        some = itertools.islice(words_of(text), WORDS_LIMIT)
        return Worded(
            document_id, case_id, subject_id, tuple(self._digest(word) for word in some)
        )

    def put(self, tx: Tx, documents: Iterable[Worded]) -> None:
        """Keep the words of documents; those that are known are passed over."""
        given = [each for each in documents if each.digests]
        if not given:
            return
        tx.executemany(
            "INSERT INTO worded_document (document_id, subject_id, digests)"
            " VALUES (?, ?, ?) ON CONFLICT (document_id)"
            " DO UPDATE SET digests = excluded.digests",
            [
                (each.document_id, each.subject_id, b"".join(each.digests))
                for each in given
            ],
        )
        if tx.dialect == "postgres":
            rows = sorted(
                (digest, each.document_id, each.case_id)
                for each in given
                for digest in each.digests
            )
            tx.execute(
                "INSERT INTO document_word (digest, document_id, case_id)"
                " SELECT digest, document_id, case_id FROM"
                " unnest(?::bytea[], ?::uuid[], ?::uuid[])"
                " AS t (digest, document_id, case_id) ON CONFLICT DO NOTHING",
                [list(column) for column in zip(*rows, strict=True)],
            )
            return
        tx.executemany(
            "INSERT INTO document_word (digest, document_id, case_id)"
            " VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            sorted(  # as bytes, which is how they lie there: much faster
                (digest, document, case)
                for each in given
                for document, case in [(each.document_id.bytes, each.case_id.bytes)]
                for digest in each.digests
            ),
        )

    def find(self, tx: Tx, text: str) -> set[UUID]:
        """Give the cases in whose documents every word of the text stands.

        Raises RefusedError where they are too many. A text without a word finds none.
        """
        wanted = [self._cases(run) for run in _runs(text)]
        if not wanted:
            return set()
        found = tx.fetchall(
            f"{_all_of(sql for sql, _ in wanted)} LIMIT ?",
            [*itertools.chain(*(digests for _, digests in wanted)), CASES_LIMIT + 1],
        )
        if len(found) > CASES_LIMIT:
            raise too_common()
        return {case_id for (case_id,) in found}

    def search(self, text: str) -> set[UUID]:
        """As `find`, in a transaction of its own."""
        with self._documents.read() as tx:
            return self.find(tx, text)

    def erase(self, tx: Tx, subject_id: UUID) -> None:
        """Forget every word of a person's documents."""
        rows = tx.fetchall(
            "SELECT document_id, digests FROM worded_document WHERE subject_id = ?",
            (subject_id,),
        )
        tx.executemany(
            "DELETE FROM document_word WHERE digest = ? AND document_id = ?",
            [
                (digests[at : at + _DIGEST_SIZE], document_id)
                for document_id, digests in rows
                for at in range(0, len(digests), _DIGEST_SIZE)
            ],
        )
        # Overwritten where it lies: see `Vault.blank` on rows that go.
        blank = "''::bytea" if tx.dialect == "postgres" else "zeroblob(length(digests))"
        tx.execute(
            f"UPDATE worded_document SET digests = {blank} WHERE subject_id = ?",  # noqa: S608 fixed words
            (subject_id,),
        )

    def _cases(self, run: str) -> tuple[str, list[bytes]]:
        """Select the cases with this run as one word, or else with all of its words.

        The same run may be cut otherwise where more stands round it.
        """
        words = _cut(run, search=False)
        if words == [run]:
            return _WITH, [self._digest(run)]
        parts = _all_of([_WITH] * len(words))
        select = f"{_WITH} UNION SELECT case_id FROM ({parts}) AS parts"  # noqa: S608 fixed words
        return select, [self._digest(word) for word in (run, *words)]


def words_of(text: str) -> Iterator[str]:
    """Give the different words of a text, in the order in which they first stand."""
    runs = _runs(text)
    if text.isascii():  # nothing to cut, and the most common case
        words: Iterable[str] = runs
    else:
        words = dict.fromkeys(word for run in runs for word in _cut(run, search=True))
    return (word for word in words if len(word) <= LONGEST)


def spelled(text: str) -> str:
    """Give the words that somebody looks for in one spelling; empty without a word."""
    return " ".join(sorted(_runs(text)))


def too_common() -> RefusedError:
    return RefusedError(
        "search.too_common",
        f"More than {CASES_LIMIT} cases have this: add a word, or a number.",
    )


def _all_of(selects: Iterable[str]) -> str:
    return " INTERSECT ".join(
        f"SELECT DISTINCT case_id FROM ({select}) AS one"  # noqa: S608 fixed words
        for select in selects
    )


def _runs(text: str) -> dict[str, None]:
    """Cut a text at spaces, at signs, and where Chinese begins and ends; each run once."""
    return dict.fromkeys(_RUNS.findall(_folded(text)))


def _folded(text: str) -> str:
    """Make equal what people take for equal: capitals, accents, wide forms."""
    if text.isascii():
        return text.lower()
    for _ in range(2):  # small letters may come apart into a letter and its accent
        apart = unicodedata.normalize("NFKD", text)
        bare = "".join(c for c in apart if unicodedata.category(c) != "Mn")
        text = unicodedata.normalize("NFKC", bare).casefold()
    return text


def _cut(run: str, *, search: bool) -> Sequence[str]:
    """Give the words of one run; without guessing at words that no dictionary has.

    Such guesses depend on what stands round them; single characters do not.
    """
    if not _IS_HAN.match(run):
        return [run]
    cut = rjieba.cut_for_search if search else rjieba.cut
    return list(cut(run, False))
