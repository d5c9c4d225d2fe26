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
from typing import TYPE_CHECKING, Final

import rjieba

from services.kernel.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from uuid import UUID

    from services.kernel.store.database import Database, Dialect, Tx

FORM: Final = 1
"""Of the words; another one means that every text must be taken in again."""
WORDS_LIMIT: Final = 2_000
"""Different words of one document that are taken in: the first ones."""
LONGEST: Final = 64
"""Characters of a word; a longer run is no word that anybody looks for."""
CASES_LIMIT: Final = 20_000
"""Cases that one search may have; with more the words are too common."""

_DIGEST_SIZE: Final = 16
_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS: Final = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN: Final = re.compile(rf"[{_HAN}]")
_SECRET_SIZE: Final = 32
_SECRETS: Final = """CREATE TABLE IF NOT EXISTS vault_secret (
    name TEXT PRIMARY KEY, value BYTEA NOT NULL)"""
# Ids of documents rise with time: what comes in goes to the end of each word's rows.
_MARK: Final = """CREATE TABLE IF NOT EXISTS word_mark (
    digest BYTEA NOT NULL, document_id UUID NOT NULL, case_id UUID NOT NULL,
    subject_id UUID NOT NULL, PRIMARY KEY (digest, document_id))"""
_BY_SUBJECT: Final = (
    "CREATE INDEX IF NOT EXISTS word_mark_subject ON word_mark (subject_id)"
)
TABLES: Final[dict[Dialect, tuple[str, ...]]] = {
    "sqlite": (f"{_MARK} WITHOUT ROWID", _BY_SUBJECT),  # narrow rows: one b-tree less
    "postgres": (_MARK, _BY_SUBJECT),
}
_WITH: Final = "SELECT case_id FROM word_mark WHERE digest = ?"
_COLUMNS: Final = "digest, document_id, case_id, subject_id"


@dataclass(frozen=True, slots=True)
class Worded:
    """The words of one document, ready to be kept."""

    document_id: UUID
    case_id: UUID
    subject_id: UUID
    digests: tuple[bytes, ...]


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
        self._secret: bytes = row[0] if row else b""

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
        rows = sorted(
            (digest, each.document_id, each.case_id, each.subject_id)
            for each in documents
            for digest in each.digests
        )
        if not rows:
            return
        if tx.dialect == "postgres":
            tx.execute(
                f"INSERT INTO word_mark ({_COLUMNS}) SELECT {_COLUMNS} FROM"  # noqa: S608 fixed words
                " unnest(?::bytea[], ?::uuid[], ?::uuid[], ?::uuid[])"
                f" AS t ({_COLUMNS}) ON CONFLICT DO NOTHING",
                [list(column) for column in zip(*rows, strict=True)],
            )
        else:
            tx.executemany(
                f"INSERT INTO word_mark ({_COLUMNS}) VALUES (?, ?, ?, ?)"  # noqa: S608 fixed words
                " ON CONFLICT DO NOTHING",
                rows,
            )

    def find(self, tx: Tx, text: str) -> set[UUID]:
        """Give the cases in whose documents every word of the text stands.

        Raises RefusedError where they are too many. A text without a word finds none.
        """
        wanted = [self._cases(run) for run in dict.fromkeys(_runs(text))]
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
        tx.execute("DELETE FROM word_mark WHERE subject_id = ?", (subject_id,))

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

    def _digest(self, word: str) -> bytes:
        return hmac.digest(self._secret, word.encode(), "sha256")[:_DIGEST_SIZE]


def words_of(text: str) -> Iterator[str]:
    """Give the different words of a text, in the order in which they first stand."""
    seen: set[str] = set()
    for run in _runs(text):
        for word in _cut(run, search=True):
            if word not in seen and len(word) <= LONGEST:
                seen.add(word)
                yield word


def spelled(text: str) -> str:
    """Give the words that somebody looks for in one spelling; empty without a word."""
    return " ".join(sorted(set(_runs(text))))


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


def _runs(text: str) -> Iterator[str]:
    """Cut a text at spaces, at signs, and where Chinese begins and ends."""
    return (run[0] for run in _RUNS.finditer(_folded(text)))


def _folded(text: str) -> str:
    """Make equal what people take for equal: capitals, accents, wide forms."""
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
